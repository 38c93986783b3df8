"""Anthropic's Messages API, whole or as events; the same types answer from Bedrock and Vertex.

Source: the API reference, "Create a Message" and "Streaming messages". Its ``input_tokens`` are
exclusive: what was read from the cache and what was written to it are counted beside them.
A stream reports the input in ``message_start`` and running totals in ``message_delta``.
"""

from __future__ import annotations

from typing import Any

from otelkit.usage._draft import Draft, Output
from otelkit.usage._fields import get, items, text, tokens
from otelkit.usage._types import Usage

PROVIDER = "anthropic"

_COUNTERS = (
    "input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens",
)  # fmt: skip
_EVENTS = {
    "message_start", "message_delta", "message_stop",
    "content_block_start", "content_block_delta", "content_block_stop",
}  # fmt: skip


def matches(value: dict[str, Any]) -> bool:
    """Whether a plain dict is a message or an event of this API."""
    kind = value.get("type")
    return (kind == "message" and "usage" in value) or kind in _EVENTS


def feed(draft: Draft, value: Any) -> None:
    """Read a message or an event into the draft."""
    kind = get(value, "type")
    if kind == "message":
        _message(draft, value)
        if draft.output is not None:
            for block in items(get(value, "content")):
                _block(draft.output, None, block)
    elif kind == "message_start":
        _message(draft, get(value, "message"))
    elif kind == "message_delta":
        draft.identify(PROVIDER)
        draft.finish(get(get(value, "delta"), "stop_reason"))
        _count(draft, get(value, "usage"))
    elif kind in _EVENTS:  # the client's helper adds events of its own, which repeat these
        draft.identify(PROVIDER)
        if draft.output is not None and kind == "content_block_start":
            _block(draft.output, get(value, "index"), get(value, "content_block"))
        elif draft.output is not None and kind == "content_block_delta":
            _delta(draft.output, get(value, "index"), get(value, "delta"))


def usage(block: Any) -> Usage:
    """A usage block of this API."""
    counters: dict[str, int] = {}
    _add(counters, block)
    return _usage(counters)


def _message(draft: Draft, message: Any) -> None:
    draft.identify(PROVIDER, get(message, "model"), get(message, "id"))
    draft.finish(get(message, "stop_reason"))
    block = get(message, "usage")
    _count(draft, block)
    tier, speed = text(get(block, "service_tier")), text(get(block, "speed"))
    draft.service_tier = speed if speed == "fast" else tier


def _count(draft: Draft, block: Any) -> None:
    if block is not None:
        _add(draft.counters, block)
        draft.usage = _usage(draft.counters)


def _add(counters: dict[str, int], block: Any) -> None:
    """Take over the counters of a block. They only ever grow, and some proxies repeat them as 0."""
    for name in _COUNTERS:
        counters[name] = max(counters.get(name, 0), tokens(get(block, name)))
    thinking = tokens(get(get(block, "output_tokens_details"), "thinking_tokens"))
    counters["thinking"] = max(counters.get("thinking", 0), thinking)
    kept = tokens(get(get(block, "cache_creation"), "ephemeral_1h_input_tokens"))
    counters["1h"] = max(counters.get("1h", 0), kept)


def _usage(counters: dict[str, int]) -> Usage:
    read, written = counters["cache_read_input_tokens"], counters["cache_creation_input_tokens"]
    return Usage(
        input_tokens=counters["input_tokens"] + read + written,
        output_tokens=counters["output_tokens"],
        cache_read_tokens=read,
        cache_write_tokens=written,
        reasoning_tokens=counters["thinking"],
        cache_write_1h_tokens=counters["1h"],
    )


def _block(output: Output, key: Any, block: Any) -> None:
    """A content block, given whole (``key`` None) or opened at a position of a stream."""
    kind = get(block, "type")
    if kind == "text":
        output.say(get(block, "text"))
    elif kind == "thinking":
        output.say(get(block, "thinking"), kind="reasoning")
    elif kind in {"tool_use", "server_tool_use", "mcp_tool_use"}:
        # An opened block holds an empty input; the real one follows in fragments.
        arguments = get(block, "input") if key is None else None
        output.call(key, id=get(block, "id"), name=get(block, "name"), arguments=arguments)


def _delta(output: Output, key: Any, delta: Any) -> None:
    kind = get(delta, "type")
    if kind == "text_delta":
        output.say(get(delta, "text"))
    elif kind == "thinking_delta":
        output.say(get(delta, "thinking"), kind="reasoning")
    elif kind == "input_json_delta":
        output.call(key, arguments=get(delta, "partial_json"))
