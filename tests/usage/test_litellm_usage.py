"""Responses and chunks of LiteLLM, which know their provider and often their price."""

from __future__ import annotations

from typing import Any

from litellm_types import ModelResponse, ModelResponseStream
from usage_payloads import events, load, response, streamed

from otelkit.usage import Reply, Usage, messages, read


def completion() -> Any:
    built = ModelResponse(**response("litellm_chat"))
    built._hidden_params = load("litellm_chat")["hidden"]
    return built


def chunk(payload: dict[str, Any]) -> Any:
    built = ModelResponseStream(**payload)
    built._hidden_params = load("litellm_stream")["hidden"]
    return built


def test_a_completion_tells_its_provider_and_its_price() -> None:
    assert read(completion()) == Reply(
        usage=Usage(
            input_tokens=13,
            output_tokens=43,
            cache_read_tokens=4,
            cache_write_tokens=2,
            reasoning_tokens=5,
            cost=0.00123,
        ),
        model="us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        id="chatcmpl-34d1",
        finish_reasons=("stop",),
        provider="aws.bedrock",
    )
    said = messages(completion())
    assert said is not None
    assert said[0]["parts"] == [
        {"type": "reasoning", "content": "Greet."},
        {"type": "text", "content": "Hello."},
    ]


def test_chunks_are_joined_and_the_last_has_usage_and_price() -> None:
    stream = streamed(chunk(each) for each in events("litellm_stream"))
    reply = stream.reply()
    assert reply is not None
    assert reply.usage == Usage(8, 4, cost=0.0000036)
    assert (reply.provider, reply.finish_reasons) == ("openai", ("stop",))
    said = stream.messages()
    assert said is not None
    assert said[0]["parts"] == [{"type": "text", "content": "Hello."}]


def test_a_dumped_completion_is_read_without_its_hidden_fields() -> None:
    reply = read(completion().model_dump())
    assert reply is not None
    assert reply.usage is not None
    assert (reply.usage.input_tokens, reply.usage.cost) == (13, None)
