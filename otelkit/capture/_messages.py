"""Chat messages as the GenAI conventions want them: roles and parts, whoever's format they are in.

https://github.com/open-telemetry/semantic-conventions-genai, gen_ai.input.messages
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from otelkit.capture import _look, _shapes
from otelkit.capture._encode import encode
from otelkit.capture._parts import (
    Fields,
    Part,
    call_parts,
    first,
    name,
    part,
    parts,
    response_part,
    text_part,
)
from otelkit.capture._share import share

Message = dict[str, Any]

_LEAST = 24  # bytes of a message without parts

_ROLES = {"human": "user", "ai": "assistant", "model": "assistant", "function": "tool"}
_KNOWN_ROLES = frozenset((*_ROLES, *_ROLES.values(), "system", "developer"))


def encode_messages(messages: object, *, max_bytes: int = 8192, redact: bool = True) -> str | None:
    """Encode what is sent to or said by a model.

    Args:
        messages: Messages of OpenAI (chat and responses), Anthropic, Google GenAI, Bedrock, Ollama,
            LangChain or the conventions' own form, one or several; or a text, which a user says.
        max_bytes: The most bytes of UTF-8 of the result. Where that is not enough, the system's
            message and the newest ones are kept, the newest with at least half of the room.
        redact: As for :func:`encode`.

    Returns:
        ``[{"role": …, "parts": [{"type": …}]}]``, always valid JSON, or None if ``messages`` are
        nothing of the kind. Never raises.
    """
    try:
        items = _items(messages)
        if items is None:
            return None
        whole = _all_of(items, max_bytes)
        encoded = whole and encode(whole, max_bytes=max_bytes, redact=redact)
        if encoded and not encoded.truncated:
            return encoded.text
        return share(len(items), lambda index: _known(items[index]), max_bytes, redact)
    except Exception:
        return None


def _items(messages: object) -> Sequence[object] | None:
    """The messages as a plain sequence; None if they are none."""
    if _message(messages) is not None:
        return [messages]
    items: Any = messages
    if not issubclass(type(items), list) and type(items) is not tuple:
        known = _shapes.fields(messages)
        items = None if known is None else known.get("messages")
    if issubclass(type(items), list) and type(items) is not list:
        items = list.copy(items)
    if type(items) is not list and type(items) is not tuple:
        return None
    if items and type(items[0]) is list:
        items = items[0]  # of a batch of conversations, as LangChain's generate() takes, the first
    return None if items and _message(items[0]) is None else items


def _all_of(items: Sequence[object], max_bytes: int) -> list[Message] | None:
    """All messages; None as soon as they are too long for certain, from the newest on."""
    found: list[Message] = []
    for item in reversed(items):
        found.append(_known(item))
        texts = [part.get("content") for part in found[-1]["parts"]]
        max_bytes -= _LEAST + sum(len(text) for text in texts if type(text) is str)
        if max_bytes < 0:
            return None
    return found[::-1]


def _known(item: object) -> Message:
    found = _message(item)
    return found or {"role": "unknown", "parts": [{"type": _look.type_name(type(item))}]}


def _message(item: object) -> Message | None:
    """One message with its parts; None if it is none."""
    if issubclass(type(item), str):
        return {"role": "user", "parts": [text_part(item)]}
    if type(item) is tuple and len(item) == 2 and name(item[0]) in _KNOWN_ROLES:
        item = {"role": item[0], "content": item[1]}  # as LangChain takes them
    known = _shapes.fields(item)
    if known is None:
        return None
    kind = name(known.get("type"))
    role = name(known.get("role")) or _implied_role(kind, known)
    if not role:
        return None
    found: Message = {"role": _ROLES.get(role, role), "parts": list(_parts(known, kind))}
    reason = name(known.get("finish_reason"))
    return {**found, "finish_reason": reason} if reason else found


def _implied_role(kind: str, known: Fields) -> str:
    """The role of a message that does not say it: by its type, or by what it has."""
    plain = kind.lower().removesuffix("messagechunk")
    if plain in _KNOWN_ROLES and "content" in known:
        return plain
    if kind.endswith("_call_output"):
        return "tool"
    if kind.endswith("_call") or kind == "reasoning":
        return "assistant"
    return "user" if not kind and "parts" in known else ""


def _parts(known: Fields, kind: str) -> Iterator[Part]:
    content = first(known, "parts", "content")
    if "role" not in known and kind.endswith(("_call", "_call_output", "reasoning")):
        yield part(known)  # an item of OpenAI's responses
        return
    call_id = known.get("tool_call_id")
    if call_id is not None:
        yield response_part(call_id, content)
        return
    thought = first(known, "reasoning_content", "thinking")
    if thought is not None:
        yield {"type": "reasoning", "content": thought}
    seen = set()
    # LangChain keeps a call both among the content and beside it.
    for found in (*parts(content), *call_parts(first(known, "tool_calls", "function_call"))):
        call = name(found.get("id")) if found["type"] == "tool_call" else ""
        if not call or call not in seen:
            seen.add(call)
            yield found
