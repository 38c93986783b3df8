"""Responses and events of the ``cohere`` package (v2)."""

from __future__ import annotations

from typing import Any

import pytest
from cohere import V2ChatResponse, V2ChatStreamResponse
from cohere.core.unchecked_base_model import construct_type
from usage_payloads import events, response, streamed

from otelkit.usage import Reply, Usage, messages, read


def chat(payload: dict[str, Any]) -> Any:
    return construct_type(type_=V2ChatResponse, object_=payload)


def event(payload: dict[str, Any]) -> Any:
    return construct_type(type_=V2ChatStreamResponse, object_=payload)


@pytest.mark.parametrize("build", [chat, dict])
def test_billed_tokens_are_taken(build: Any) -> None:
    built = build(response("cohere_chat"))
    assert read(built) == Reply(
        usage=Usage(input_tokens=31, output_tokens=24),
        id="c14c80c3",
        finish_reasons=("tool_call",),
        provider="cohere",
    )
    said = messages(built)
    assert said is not None
    assert said[0]["parts"] == [
        {"type": "reasoning", "content": "I will search."},
        {"type": "tool_call", "id": "search_1", "name": "search", "arguments": {"query": "tables"}},
    ]


@pytest.mark.parametrize("build", [chat, dict])
def test_a_text_answer_is_read(build: Any) -> None:
    built = build(response("cohere_text"))
    reply = read(built)
    assert reply is not None
    assert (reply.usage, reply.finish_reasons) == (Usage(5, 4), ("stop",))
    said = messages(built)
    assert said is not None
    assert said[0]["parts"] == [
        {"type": "reasoning", "content": "Two."},
        {"type": "text", "content": "Two tables."},
    ]


def test_tokens_count_where_nothing_is_billed() -> None:
    payload = response("cohere_text")
    del payload["usage"]["billed_units"]
    reply = read(chat(payload))
    assert reply is not None
    assert reply.usage == Usage(71, 6)


@pytest.mark.parametrize("build", [event, dict])
def test_events_are_joined(build: Any) -> None:
    stream = streamed(build(each) for each in events("cohere_stream"))
    assert stream.reply() == Reply(
        usage=Usage(17, 9), id="29f1", finish_reasons=("stop",), provider="cohere"
    )
    said = stream.messages()
    assert said is not None
    assert said[0]["parts"] == [
        {"type": "reasoning", "content": "I will search."},
        {"type": "tool_call", "id": "search_2", "name": "search", "arguments": {"query": "x"}},
        {"type": "text", "content": "Two tables."},
    ]
