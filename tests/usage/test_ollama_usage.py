"""Responses and chunks of the ``ollama`` package."""

from __future__ import annotations

from typing import Any

import pytest
from ollama import ChatResponse, EmbedResponse, GenerateResponse
from usage_payloads import events, response, streamed

from otelkit.usage import Reply, Usage, messages, read


@pytest.mark.parametrize("build", [ChatResponse.model_validate, dict])
def test_a_chat_response_is_read(build: Any) -> None:
    built = build(response("ollama_chat"))
    assert read(built) == Reply(
        usage=Usage(input_tokens=26, output_tokens=282),
        model="llama3.2",
        finish_reasons=("stop",),
        provider="ollama",
    )
    said = messages(built)
    assert said is not None
    assert said[0]["parts"] == [
        {"type": "reasoning", "content": "Greet."},
        {"type": "text", "content": "Hello."},
        {"type": "tool_call", "id": None, "name": "get_time", "arguments": {"zone": "UTC"}},
    ]


@pytest.mark.parametrize("build", [ChatResponse.model_validate, dict])
def test_the_last_chunk_has_the_counts(build: Any) -> None:
    chunks = [build(chunk) for chunk in events("ollama_chat_stream")]
    broken_off = streamed(chunks[:2]).reply()
    assert broken_off is not None
    assert (broken_off.usage, broken_off.model) == (None, "llama3.2")
    stream = streamed(chunks)
    reply = stream.reply()
    assert reply is not None
    assert (reply.usage, reply.finish_reasons) == (Usage(26, 298), ("length",))
    said = stream.messages()
    assert said is not None
    assert said[0]["parts"] == [{"type": "text", "content": "The sky."}]


def test_generate_and_embed_are_read() -> None:
    generated = GenerateResponse.model_validate(response("ollama_generate"))
    reply = read(generated)
    assert reply is not None
    assert reply.usage == Usage(26, 290)
    said = messages(generated)
    assert said is not None
    assert said[0]["parts"] == [{"type": "text", "content": "Rayleigh."}]

    reply = read(EmbedResponse(model="all-minilm", embeddings=[[0.1]], prompt_eval_count=8))
    assert reply is not None
    assert (reply.model, reply.usage) == ("all-minilm", Usage(8))
