"""Writes any value as JSON within a budget of bytes, and stops there.

For all that is opened, the bytes to close it and to say that something is missing are set aside. So
the text is valid JSON and within the budget at every moment.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from otelkit.capture import _look, _shapes
from otelkit.capture._plain import MAX_DEPTH
from otelkit.capture._quote import CUT, CUT_SIZE, MARK, REST, REST_SIZE, cut, quote
from otelkit.capture._scalars import integer, label
from otelkit.redaction import (
    LOOKAHEAD,
    REDACTED,
    admit,
    clip,
    harmless_keys,
    is_sensitive,
    scrub,
)

_CYCLE = "…[cycle]"
_REDACTED = f'"{REDACTED}"'
_LONGEST_KEY = 128  # characters
_SHORTEST_TEXT = 24  # bytes; less of a cut text says nothing


class Writer:
    """One value being written: ``write()`` it, then read ``text()`` and ``truncated``.

    Args:
        max_bytes: The budget.
        redact: Hide what stands under sensitive keys, and secrets in texts that are cut.
        scrub_whole: Hide secrets in the other texts, too. Without it they are kept in ``texts``,
            for one look at all together, which is many times faster than one at each.
    """

    __slots__ = ("_left", "_open", "_pieces", "_redact", "_scrub_whole", "texts", "truncated")

    def __init__(self, max_bytes: int, redact: bool, *, scrub_whole: bool) -> None:
        self._left = max_bytes
        self._redact = redact
        self._scrub_whole = scrub_whole
        self._pieces: list[str] = []
        self._open: list[int] = []  # what is being written, by identity
        self.texts: list[str] = []
        self.truncated = False

    def text(self) -> str:
        """The JSON written."""
        return "".join(self._pieces)

    def write(self, value: object) -> None:
        """Write ``value`` into what is left, at least that of a mark. Raises no ``Exception``."""
        scalar = _SCALARS.get(id(type(value)))
        if scalar:
            scalar(self, value)
            return
        pieces, opened, left = len(self._pieces), len(self._open), self._left
        try:
            self._look_into(value)
        except Exception:
            del self._pieces[pieces:], self._open[opened:]
            self._left = left
            self._label(f"<unencodable {_look.type_name(type(value))}>")

    def _look_into(self, value: Any) -> None:
        for base in _look.mro(type(value)):
            if members := _CONTAINERS.get(id(base)):
                self._container(value, members)
                return
            if scalar := _SCALARS.get(id(base)):
                scalar(self, value)
                return
            if read := _shapes.find(base):
                self._shape(value, read, base)
                return
        self._label(label(value))

    # --- Scalars. They work on subclasses, and call nothing that those may override.

    def _none(self, _value: None) -> None:
        self._literal("null")

    def _bool(self, value: bool) -> None:
        self._literal("true" if value else "false")

    def _int(self, value: int) -> None:
        self._literal(integer(value, self._redact))

    def _float(self, value: float) -> None:
        text = float.__repr__(value)
        self._literal(text if text[-1].isdigit() else f'"{text}"')  # nan and inf are no JSON

    def _str(self, value: str) -> None:
        left = self._left
        if type(value) is not str:
            value = str.__getitem__(value, slice(0, left + LOOKAHEAD + 1))
        if len(value) < left and self._whole(scrub(value) if self._scrub_whole else value):
            self.texts.append(value)
        else:
            self._cut_text(clip(value, left) if self._redact else value[:left])

    def _label(self, text: str) -> None:
        """Write a text of our own."""
        text = text[: self._left]
        if not self._whole(text):
            self._cut_text(text)

    def _whole(self, text: str) -> bool:
        """Write ``text`` if there is room for all of it; whether there was."""
        piece, size = quote(text)
        if size > self._left:
            return False
        self._left -= size
        self._pieces.append(piece)
        return True

    def _literal(self, text: str) -> None:
        """Write ``text``, which is JSON in ASCII, or a mark if there is no room."""
        size = len(text)
        if size <= self._left:
            self._left -= size
            self._pieces.append(text)
        else:
            self._cut()

    def _cut_text(self, text: str) -> None:
        """Write as much of ``text`` as there is room for, and a mark."""
        if self._left - CUT_SIZE < _SHORTEST_TEXT:
            self._cut()
            return
        self.truncated = True
        piece, size = cut(text, self._left)
        self._left -= size
        self._pieces.append(piece)

    def _cut(self) -> None:
        self.truncated = True
        self._left -= CUT_SIZE
        self._pieces.append(CUT)

    # --- Containers

    def _shape(self, value: object, read: _shapes.Reader, base: type) -> None:
        if self._enter(value):
            self.write(read(value, base))
            self._open.pop()

    def _container(self, value: Any, members: Callable[[Any], Iterable[Any]]) -> None:
        if self._left < 2 + REST_SIZE:
            self._cut()
        elif self._enter(value):
            self._left -= 2 + REST_SIZE
            write = self._object if members is dict.items else self._array
            if write(members(value)):
                self._left += REST_SIZE
            else:
                self.truncated = True
            self._open.pop()

    def _enter(self, value: object) -> bool:
        """Whether ``value`` may be looked into: not inside itself, nor too deep."""
        if id(value) in self._open:
            self._label(_CYCLE)
            return False
        if len(self._open) >= MAX_DEPTH:
            self._cut()
            return False
        self._open.append(id(value))
        return True

    def _array(self, members: Iterable[Any]) -> bool:
        """Write the members as long as there is room; whether that was for all of them."""
        put, before = self._pieces.append, "["
        for value in members:
            if self._left < 1 + CUT_SIZE:
                put(f"{before}{CUT}]")
                return False
            self._left -= 1
            put(before)
            self.write(value)
            before = ","
        put("]" if before == "," else "[]")
        return True

    def _object(self, members: Iterable[tuple[Any, Any]]) -> bool:
        """Write the members as long as there is room; whether that was for all of them."""
        put, before = self._pieces.append, "{"
        for key, value in members:
            if type(key) is str and key in harmless_keys:
                (name, size), is_hidden = quote(key), False
            else:
                name, size, is_hidden = self._key(key)
            if self._left < size + 2 + CUT_SIZE:
                put(f"{before}{REST}}}")
                return False
            self._left -= size + 2
            put(f"{before}{name}:")
            if is_hidden:
                self._literal(_REDACTED)
            else:
                self.write(value)
            before = ","
        put("}" if before == "," else "{}")
        return True

    def _key(self, key: Any) -> tuple[str, int, bool]:
        """A key as JSON text, its size, and whether its value is to be hidden."""
        if issubclass(type(key), str):
            text = str.__getitem__(key, slice(0, _LONGEST_KEY + LOOKAHEAD + 1))
        elif issubclass(type(key), bytes):  # as ASGI has them
            text = bytes.__getitem__(key, slice(0, _LONGEST_KEY + 1)).decode("latin-1")
        else:
            inner = Writer(_LONGEST_KEY, self._redact, scrub_whole=self._redact)
            # Two levels deep at most, keys of keys included.
            inner._open = [0] * max(len(self._open) + 1, MAX_DEPTH - 2)
            inner.write(key)
            text = inner.text().strip('"')
        if not self._redact:
            is_hidden, shown = False, text[:_LONGEST_KEY]
        else:
            is_hidden, shown = not admit(text) and is_sensitive(text), clip(text, _LONGEST_KEY)
        if len(text) > _LONGEST_KEY:
            self.truncated = True
            shown += MARK
        return *quote(shown), is_hidden


# By identity: the hash of a class may be code of its metaclass. Built-in classes are never freed.
_SCALARS: dict[int, Callable[[Writer, Any], None]] = {
    id(type(None)): Writer._none,
    id(bool): Writer._bool,
    id(int): Writer._int,
    id(float): Writer._float,
    id(str): Writer._str,
}
_CONTAINERS: dict[int, Callable[[Any], Iterable[Any]]] = {
    id(dict): dict.items,
    id(list): list.__iter__,
    id(tuple): tuple.__iter__,
    id(set): set.__iter__,
    id(frozenset): frozenset.__iter__,
    id(deque): deque.__iter__,
}
