"""Responses and events of the ``mistralai`` package."""

from __future__ import annotations

from typing import Any

import pytest
from mistralai.client.models import ChatCompletionResponse, CompletionChunk, CompletionEvent
from usage_payloads import events, response, streamed

from otelkit.usage import Reply, Usage, messages, read


def event(payload: dict[str, Any]) -> CompletionEvent:
    return CompletionEvent(data=CompletionChunk.model_validate(payload))


def test_a_chat_completion_is_read() -> None:
    built = ChatCompletionResponse.model_validate(response("mistral_chat"))
    assert read(built) == Reply(
        usage=Usage(input_tokens=16, output_tokens=34, cache_read_tokens=8),
        model="magistral-medium-2507",
        id="cmpl-e5cc",
        finish_reasons=("tool_calls",),
        provider="mistral_ai",
        service_tier="priority",
    )
    said = messages(built)
    assert said is not None
    assert said[0]["parts"] == [
        {"type": "reasoning", "content": "Hm."},
        {"type": "text", "content": "Done."},
        {"type": "tool_call", "id": "D681", "name": "save", "arguments": {"ok": True}},
    ]
    assert messages(response("mistral_chat")) == said


@pytest.mark.parametrize("build", [event, dict])
def test_events_are_joined(build: Any) -> None:
    stream = streamed(build(each) for each in events("mistral_stream"))
    reply = stream.reply()
    assert reply is not None
    assert (reply.usage, reply.model, reply.finish_reasons) == (
        Usage(5, 12),
        "mistral-small-2506",
        ("tool_calls",),
    )
    said = stream.messages()
    assert said is not None
    assert said[0]["parts"] == [
        {"type": "text", "content": "Bonjour"},
        {"type": "tool_call", "id": "T1", "name": "a", "arguments": {}},
        {"type": "tool_call", "id": "T2", "name": "b", "arguments": {"n": 1}},
    ]


def test_the_id_a_client_fills_in_for_a_missing_one_is_none() -> None:
    payload = response("mistral_chat")
    del payload["choices"][0]["message"]["tool_calls"][0]["id"]
    said = messages(ChatCompletionResponse.model_validate(payload))
    assert said is not None
    assert said[0]["parts"][-1]["id"] is None
