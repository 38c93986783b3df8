"""Messages and events of the ``anthropic`` package, whose input tokens are exclusive."""

from __future__ import annotations

from typing import Any

import pytest
from anthropic.types import Message, RawMessageStreamEvent
from anthropic.types import Usage as AnthropicUsage
from pydantic import TypeAdapter
from usage_payloads import events, response, streamed

from otelkit.usage import Reply, Usage, messages, read

USAGE = Usage(
    input_tokens=1250,  # 50 + 200 written + 1000 read
    output_tokens=75,
    cache_read_tokens=1000,
    cache_write_tokens=200,
    cache_write_1h_tokens=50,
    reasoning_tokens=30,
)

event = TypeAdapter(RawMessageStreamEvent).validate_python


@pytest.mark.parametrize("build", [Message.model_validate, dict])
def test_a_message_counts_cached_tokens_as_input(build: Any) -> None:
    built = build(response("anthropic_message"))
    assert read(built) == Reply(
        usage=USAGE,
        model="claude-sonnet-4-5-20250929",
        id="msg_01A",
        finish_reasons=("tool_call",),
        provider="anthropic",
        service_tier="batch",
    )
    assert messages(built) == [
        {
            "role": "assistant",
            "parts": [
                {"type": "reasoning", "content": "A table is needed."},
                {"type": "text", "content": "I will create it."},
                {
                    "type": "tool_call",
                    "id": "toolu_01",
                    "name": "create_table",
                    "arguments": {"name": "users"},
                },
            ],
            "finish_reason": "tool_call",
        }
    ]


@pytest.mark.parametrize("build", [event, dict])
def test_message_start_and_message_delta_are_merged(build: Any) -> None:
    sent = [build(each) for each in events("anthropic_stream") if each["type"] != "ping"]
    stream = streamed(sent)
    assert stream.reply() == Reply(
        usage=Usage(input_tokens=425, output_tokens=60, cache_read_tokens=400, reasoning_tokens=12),
        model="claude-sonnet-4-5-20250929",
        id="msg_01B",
        finish_reasons=("tool_call",),
        provider="anthropic",
        service_tier="standard",
    )
    assert stream.messages() == [
        {
            "role": "assistant",
            "parts": [
                {"type": "reasoning", "content": "Let me think."},
                {"type": "text", "content": "Looking it up."},
                {
                    "type": "tool_call",
                    "id": "toolu_02",
                    "name": "search",
                    "arguments": {"query": "tables"},
                },
            ],
            "finish_reason": "tool_call",
        }
    ]


def test_a_stream_that_broke_off_has_the_input_of_message_start() -> None:
    stream = streamed(event(each) for each in events("anthropic_stream")[:4])
    reply = stream.reply()
    assert reply is not None
    assert reply.usage == Usage(input_tokens=425, output_tokens=1, cache_read_tokens=400)
    assert reply.finish_reasons == ()


def test_running_totals_that_a_proxy_repeats_as_0_do_not_undo_earlier_ones() -> None:
    sent = events("anthropic_stream")
    sent[-2]["usage"] |= {"input_tokens": 0, "cache_read_input_tokens": 0}
    reply = streamed(sent).reply()
    assert reply is not None
    assert reply.usage is not None
    assert reply.usage.input_tokens == 425


def test_a_bare_usage_beside_a_result_keeps_its_meaning() -> None:
    block = response("anthropic_message")["usage"]
    for usage in (block, AnthropicUsage.model_validate(block)):
        reply = read(("a text", usage))
        assert reply is not None
        assert reply.usage == USAGE


def test_fast_mode_is_the_tier() -> None:
    payload = response("anthropic_message")
    payload["usage"] |= {"service_tier": "standard", "speed": "fast"}
    reply = read(Message.model_validate(payload))
    assert reply is not None
    assert reply.service_tier == "fast"
