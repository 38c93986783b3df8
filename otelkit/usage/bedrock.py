"""Amazon Bedrock's Converse and ConverseStream, which are plain dicts in Python.

Source: the Amazon Bedrock API reference, "Converse", "ConverseStream" and "TokenUsage". Its
``inputTokens`` are exclusive: cache reads and writes are counted beside them.
"""

from __future__ import annotations

from typing import Any

from otelkit.usage._draft import Draft, Output
from otelkit.usage._fields import get, items, tokens
from otelkit.usage._types import Usage

PROVIDER = "aws.bedrock"

_EVENTS = {
    "messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop",
}  # fmt: skip


def matches(value: dict[str, Any]) -> bool:
    """Whether a dict is a response of Converse or an event of ConverseStream."""
    if "stopReason" in value and "output" in value:
        return True
    if len(value) != 1:
        return False
    name = next(iter(value))
    return name in _EVENTS or (
        name == "metadata" and get(get(value[name], "usage"), "inputTokens") is not None
    )


def feed(draft: Draft, value: dict[str, Any]) -> None:
    """Read a response or an event into the draft."""
    draft.identify(PROVIDER)
    for holder in (value, value.get("metadata")):
        if (block := get(holder, "usage")) is not None:
            draft.usage = usage(block)
    draft.finish(get(value.get("messageStop", value), "stopReason"))
    if draft.output is None:
        return
    for block in items(get(get(value.get("output"), "message"), "content")):
        _block(draft.output, None, block)
    for event in (value.get("contentBlockStart"), value.get("contentBlockDelta")):
        if event is not None:
            piece = get(event, "start") or get(event, "delta")
            _block(draft.output, get(event, "contentBlockIndex"), piece)


def usage(block: Any) -> Usage:
    """A ``TokenUsage``."""
    read = tokens(get(block, "cacheReadInputTokens"))
    written = tokens(get(block, "cacheWriteInputTokens"))
    details = items(get(block, "cacheDetails"))
    return Usage(
        input_tokens=tokens(get(block, "inputTokens")) + read + written,
        output_tokens=tokens(get(block, "outputTokens")),
        cache_read_tokens=read,
        cache_write_tokens=written,
        cache_write_1h_tokens=sum(
            tokens(get(detail, "inputTokens")) for detail in details if get(detail, "ttl") == "1h"
        ),
    )


def _block(output: Output, key: Any, block: Any) -> None:
    """A content block, or a piece of one; a piece of reasoning lacks one level of nesting."""
    reasoning = get(block, "reasoningContent")
    output.say(get(get(reasoning, "reasoningText") or reasoning, "text"), kind="reasoning")
    output.say(get(block, "text"))
    if (call := get(block, "toolUse")) is not None:
        output.call(
            key, id=get(call, "toolUseId"), name=get(call, "name"), arguments=get(call, "input")
        )
