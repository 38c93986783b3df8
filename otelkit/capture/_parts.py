"""The parts of a chat message, whoever's format it is, in the words of the GenAI conventions.

Nothing is copied: texts and arguments are put into new dicts as they are, however long.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from otelkit.capture import _look, _shapes

Part = dict[str, Any]
Fields = dict[str, Any]

_LONGEST_ARGUMENTS = 8192  # characters of JSON that are parsed
_LONGEST_NAME = 64
_MOST = 1000  # parts that are looked at

_TEXT = ("text", "input_text", "output_text", "summary_text")
_REASONING = ("reasoning", "thinking", "redacted_thinking", "reasoning_content")
_CALL = ("tool_call", "tool_use", "server_tool_use", "function_call", "function", "custom",
         "custom_tool_call", "mcp_call")  # fmt: skip
_RESPONSE = ("tool_call_response", "tool_result", "function_call_output", "tool_response",
             "custom_tool_call_output")  # fmt: skip
_IMAGE = ("image", "image_url", "input_image")


def part(block: object) -> Part:
    """One content block, a text, or a tool call of a message as a part.

    OpenAI (chat and responses), Anthropic, Google, Bedrock, LangChain and the conventions' own.
    Images, audio and files are told by their type alone.
    """
    if issubclass(type(block), str):
        return text_part(block)
    known = _shapes.fields(block)
    if known is None:
        return {"type": _look.type_name(type(block))}
    kind = name(known.get("type"))
    if not kind:
        return _untyped(known)
    read = _READERS.get(kind) or (_response if kind.endswith("_tool_result") else None)
    return read(known) if read else {"type": kind}


def text_part(content: object) -> Part:
    """A text as a part."""
    return {"type": "text", "content": content}


def response_part(call_id: object, response: object) -> Part:
    """What a tool answered as a part."""
    if type(response) is list and response and all(map(_is_block, response[:_MOST])):
        response = list(parts(response))
    return {"type": "tool_call_response", "id": call_id, "response": response}


def parts(content: Any) -> Iterator[Part]:
    """The parts that the content of a message consists of: a text, a block or a list of them."""
    return map(part, _each(content))


def call_parts(calls: Any) -> Iterator[Part]:
    """The parts for the tool calls that stand beside the content; they need not say their type."""
    for item in _each(calls):
        known = _shapes.fields(item)
        yield part(item) if known is None else _call(known)


def first(known: Fields, *names: str) -> Any:
    """The first of the fields ``names`` that is there and not None."""
    for candidate in names:
        value = known.get(candidate)
        if value is not None:
            return value
    return None


def name(value: Any) -> str:
    """``value`` if it is a text, a member of a text enumeration included; else nothing."""
    return str.__getitem__(value, slice(0, _LONGEST_NAME)) if issubclass(type(value), str) else ""


def _each(content: Any) -> Iterator[Any]:
    kind = type(content)
    if issubclass(kind, list):
        return islice(list.__iter__(content), _MOST)
    if kind is tuple:
        return islice(content, _MOST)
    is_empty = content is None or (kind is str and not content)
    return iter(()) if is_empty else iter((content,))


def _is_block(value: object) -> bool:
    known = _shapes.fields(value)
    return known is not None and name(known.get("type")) != ""


def _text(known: Fields) -> Part:
    return text_part(first(known, "text", "content"))


def _refusal(known: Fields) -> Part:
    return text_part(first(known, "refusal"))


def _reasoning(known: Fields) -> Part:
    content = first(known, "thinking", "reasoning", "text", "content", "summary")
    return {"type": "reasoning"} if content is None else {"type": "reasoning", "content": content}


def _call(known: Fields) -> Part:
    inner = _shapes.fields(first(known, "function", "custom"))
    inner = known if inner is None else inner
    arguments = first(inner, "arguments", "args", "input")
    return {
        "type": "tool_call",
        "id": first(known, "call_id", "id", "toolUseId"),
        "name": first(inner, "name"),
        "arguments": _parsed(arguments) if type(arguments) is str else arguments,
    }


def _response(known: Fields) -> Part:
    call_id = first(known, "tool_call_id", "tool_use_id", "call_id", "toolUseId", "id")
    return response_part(call_id, first(known, "response", "content", "output", "result"))


def _image(_known: Fields) -> Part:
    return {"type": "image"}


def _parsed(arguments: str) -> object:
    """Arguments out of their JSON, so that keys in them can be redacted; else as they are."""
    if len(arguments) > _LONGEST_ARGUMENTS or not arguments.startswith("{"):
        return arguments
    try:
        return json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments


def _untyped(known: Fields) -> Part:
    """A part of Google's or Bedrock's, which says what it is by the one field that is set."""
    call = _shapes.fields(first(known, "function_call", "functionCall", "toolUse"))
    if call is not None:
        return _call(call)
    response = _shapes.fields(first(known, "function_response", "functionResponse", "toolResult"))
    if response is not None:
        return _response(response)
    text = first(known, "text", "content")
    if text is not None:
        is_thought = known.get("thought") is True
        return {"type": "reasoning", "content": text} if is_thought else text_part(text)
    set_fields = (key for key, value in known.items() if value is not None)
    return {"type": name(next(set_fields, None)) or "unknown"}


_READERS: dict[str, Callable[[Fields], Part]] = {
    **dict.fromkeys(_TEXT, _text),
    **dict.fromkeys(_REASONING, _reasoning),
    **dict.fromkeys(_CALL, _call),
    **dict.fromkeys(_RESPONSE, _response),
    **dict.fromkeys(_IMAGE, _image),
    "refusal": _refusal,
}
