"""Bedrock's Converse and ConverseStream, which are dicts; their input tokens are exclusive."""

from __future__ import annotations

from usage_payloads import events, response, streamed

from otelkit.usage import Reply, Usage, messages, read

PARTS = [
    {"type": "reasoning", "content": "Think."},
    {"type": "text", "content": "Here."},
    {"type": "tool_call", "id": "tooluse_1", "name": "search", "arguments": {"q": "x"}},
]


def test_a_converse_response_counts_cached_tokens_as_input() -> None:
    built = response("bedrock_converse")
    assert read(built) == Reply(
        usage=Usage(
            input_tokens=330,
            output_tokens=62,
            cache_read_tokens=200,
            cache_write_tokens=100,
            cache_write_1h_tokens=60,
        ),
        finish_reasons=("tool_call",),
        provider="aws.bedrock",
    )
    assert messages(built) == [{"role": "assistant", "parts": PARTS, "finish_reason": "tool_call"}]


def test_events_of_converse_stream_are_joined() -> None:
    stream = streamed(events("bedrock_stream"))
    reply = stream.reply()
    assert reply is not None
    assert reply.usage == Usage(input_tokens=16, output_tokens=22, cache_read_tokens=5)
    assert reply.finish_reasons == ("length",)
    said = stream.messages()
    assert said is not None
    assert said[0]["parts"] == [*PARTS[:2], {**PARTS[2], "id": "tooluse_2"}]


def test_a_bare_usage_is_read() -> None:
    reply = read(("a text", response("bedrock_converse")["usage"]))
    assert reply is not None
    assert reply.usage is not None
    assert reply.usage.input_tokens == 330
