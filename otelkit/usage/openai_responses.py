"""OpenAI's Responses API, whole or as events.

Source: the API reference, "The response object" and "Streaming events" of Responses. The totals
are inclusive. A response has no finish reason: its status tells, what made it incomplete, or its
calls.
"""

from __future__ import annotations

from typing import Any

from otelkit.usage._draft import Draft, Output
from otelkit.usage._fields import get, getter, items
from otelkit.usage.openai_usage import identify

_CALLS = {"function_call", "custom_tool_call", "mcp_call"}
_LAST_EVENTS = {"response.completed", "response.incomplete", "response.failed"}
_OPENING_EVENTS = {"response.created", "response.in_progress", "response.queued"}
_TEXT_EVENTS = {
    "response.output_text.delta": "text",
    "response.refusal.delta": "text",
    "response.reasoning_text.delta": "reasoning",
    "response.reasoning_summary_text.delta": "reasoning",
}
_CALL_EVENTS = {
    "response.function_call_arguments.delta",
    "response.custom_tool_call_input.delta",
    "response.mcp_call_arguments.delta",
}


def matches(value: Any) -> bool:
    """Whether this is a response of this API or one of its events."""
    if get(value, "object") == "response":
        return True
    kind = get(value, "type")
    return isinstance(kind, str) and kind.startswith("response.")


def feed(draft: Draft, value: Any, provider: str) -> None:
    """Read a response or an event into the draft."""
    kind = get(value, "type")
    if kind is None:
        _response(draft, value, provider)
        if draft.output is not None:
            for item in _output(value):
                _item(draft.output, item)
    elif kind in _LAST_EVENTS or kind in _OPENING_EVENTS:
        _response(draft, get(value, "response"), provider)
    else:
        draft.identify(provider)
        if draft.output is not None:
            _delta(draft.output, kind, value)


def _response(draft: Draft, response: Any, provider: str) -> None:
    identify(draft, getter(response), provider)
    status = get(response, "status")
    if status == "completed" and any(get(item, "type") in _CALLS for item in _output(response)):
        status = "tool_calls"
    if status not in {"in_progress", "queued"}:
        draft.finish(get(get(response, "incomplete_details"), "reason") or status)


def _output(response: Any) -> list[Any] | tuple[Any, ...]:
    return items(get(response, "output"))


def _item(output: Output, item: Any) -> None:
    kind = get(item, "type")
    if kind == "message":
        for content in items(get(item, "content")):
            output.say(get(content, "text") or get(content, "refusal"))
    elif kind == "reasoning":
        for content in items(get(item, "content")) or items(get(item, "summary")):
            output.say(get(content, "text"), kind="reasoning")
    elif kind in _CALLS:
        arguments = get(item, "input") if kind == "custom_tool_call" else get(item, "arguments")
        output.call(None, id=_call_id(item), name=get(item, "name"), arguments=arguments)


def _delta(output: Output, kind: str, event: Any) -> None:
    if kind in _TEXT_EVENTS:
        output.say(get(event, "delta"), kind=_TEXT_EVENTS[kind])
    elif kind in _CALL_EVENTS:
        output.call(get(event, "output_index"), arguments=get(event, "delta"))
    elif kind == "response.output_item.added":
        item = get(event, "item")
        if get(item, "type") in _CALLS:
            output.call(get(event, "output_index"), id=_call_id(item), name=get(item, "name"))


def _call_id(item: Any) -> Any:
    return get(item, "call_id") or get(item, "id")
