"""Cohere's v2 chat, whole or as events, and embeddings.

Source: the API reference of Cohere, "Chat" and "Chat with Streaming" (v2). Two counts are given;
the billed one is taken, as the GenAI conventions ask for. Responses do not name their model.
"""

from __future__ import annotations

from typing import Any

from otelkit.usage._draft import Draft, Output
from otelkit.usage._fields import either, get, items, tokens
from otelkit.usage._types import Usage

PROVIDER = "cohere"

_EVENTS = {
    "message-start", "content-start", "content-delta", "content-end", "tool-plan-delta",
    "tool-call-start", "tool-call-delta", "tool-call-end", "citation-start", "citation-end",
    "message-end",
}  # fmt: skip


def matches(value: dict[str, Any]) -> bool:
    """Whether a plain dict is a response or an event of this API."""
    kind = value.get("type")
    if isinstance(kind, str) and kind in _EVENTS:
        return True
    block = value.get("usage", value.get("meta"))
    return isinstance(block, dict) and ("billed_units" in block or "tokens" in block)


def feed(draft: Draft, value: Any) -> None:
    """Read a response or an event into the draft."""
    kind = get(value, "type")
    delta = get(value, "delta") if kind in _EVENTS else None
    block = get(delta, "usage") if delta is not None else either(value, "usage", "meta")
    message = get(value, "message")
    if kind not in _EVENTS and block is None and message is None:
        return
    draft.identify(PROVIDER, id_=get(value, "id"))
    draft.finish(get(value if delta is None else delta, "finish_reason"))
    if block is not None:
        draft.usage = usage(block)
    if draft.output is not None and delta is not None:
        _content(draft.output, get(delta, "message"), get(value, "index"))
    elif draft.output is not None and message is not None:
        _content(draft.output, message, None)


def usage(block: Any) -> Usage:
    """A usage block: billed units, or where there are none the tokens."""
    counts = either(block, "billed_units", "tokens")
    return Usage(
        input_tokens=tokens(get(counts, "input_tokens")),
        output_tokens=tokens(get(counts, "output_tokens")),
        cache_read_tokens=tokens(get(block, "cached_tokens")),
    )


def _content(output: Output, message: Any, key: Any) -> None:
    """A message, or the piece of one that an event carries: one item where a message has a list."""
    output.say(get(message, "tool_plan"), kind="reasoning")
    for item in _each(get(message, "content")):
        output.say(get(item, "thinking"), kind="reasoning")
        output.say(get(item, "text"))
    for call in _each(get(message, "tool_calls")):
        function = get(call, "function")
        output.call(
            key,
            id=get(call, "id"),
            name=get(function, "name"),
            arguments=get(function, "arguments"),
        )


def _each(value: Any) -> list[Any] | tuple[Any, ...]:
    return items(value) if value is None or isinstance(value, list) else (value,)
