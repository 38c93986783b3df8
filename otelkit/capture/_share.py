"""Shares a budget of bytes among messages: the system's and the newest ones first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from otelkit.capture._encode import encode
from otelkit.capture._quote import MARK

Message = dict[str, Any]

_SMALLEST_MESSAGE = 144  # bytes; in less there is hardly room for a word
_SMALLEST_PART = 64
_LONGEST_NAME = 32  # bytes of a role
_CUT_PART = f'{{"type":"text","content":"{MARK}"}}'


def share(count: int, message: Callable[[int], Message], max_bytes: int, redact: bool) -> str:
    """The JSON of as many of ``count`` messages as there is room for, in their order.

    A first message of the system's gets at most a quarter of the room; the others, from the newest
    on, half of what is left. ``message(index)`` is asked only for those that are shown.
    """
    left = max_bytes - len(_omitted(count).encode()) - 3
    start, shown = 0, []
    if count > 1 and left >= 4 * _SMALLEST_MESSAGE:
        opening = message(0)
        if opening["role"] in ("system", "developer"):
            text, size = _fit(opening, left // 4, redact)
            left -= size + 1
            start, shown = 1, [text]
    newest: list[str] = []
    at = count
    while at > start and left >= _SMALLEST_MESSAGE:
        at -= 1
        room = left if at == start else max(left // 2, _SMALLEST_MESSAGE)
        text, size = _fit(message(at), room, redact)
        left -= size + 1
        newest.append(text)
    if at > start:
        note = _omitted(at - start)
        shown += [note] if len(note.encode()) + 2 <= max_bytes else []
    return f"[{','.join([*shown, *reversed(newest)])}]"


def _omitted(count: int) -> str:
    return f'{{"role":"omitted","parts":[{{"type":"text","content":"…[{count} messages cut]"}}]}}'


def _fit(message: Message, room: int, redact: bool) -> tuple[str, int]:
    """A message as JSON in at most ``room`` bytes, and its size: its parts share the room alike."""
    whole = encode(message, max_bytes=room, redact=redact)
    if not whole.truncated:
        return whole.text, whole.size
    before = f'{{"role":{encode(message["role"], max_bytes=_LONGEST_NAME).text},"parts":['
    after = "]}"
    if "finish_reason" in message:
        reason = encode(message["finish_reason"], max_bytes=_LONGEST_NAME).text
        after = f'],"finish_reason":{reason}}}'
    left = room - len(f"{before}{after}{_CUT_PART}".encode()) - 1
    parts, texts = message["parts"], []
    for index, part in enumerate(parts):
        if left < _SMALLEST_PART:
            texts.append(_CUT_PART)
            break
        alike = max(left // (len(parts) - index), _SMALLEST_PART)
        encoded = encode(part, max_bytes=alike, redact=redact)
        left -= encoded.size + 1
        texts.append(encoded.text)
    text = f"{before}{','.join(texts)}{after}"
    return text, len(text.encode())
