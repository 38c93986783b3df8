"""What each running ``with`` block of one shared context manager has entered."""

from __future__ import annotations

import sys
from typing import Generic, TypeVar

T = TypeVar("T")


class Entered(Generic[T]):
    """The open entries of an object that may be entered many times, nested and concurrently.

    A ``with`` statement enters and leaves in one frame, whichever task or thread drives it and in
    whatever order suspended generators are closed, so the frame tells entries apart. Where it does
    not (``ExitStack``), the latest entry is the one that ends.
    """

    __slots__ = ("_open",)

    def __init__(self) -> None:
        self._open: list[tuple[int, T]] = []

    def push(self, value: T, *, depth: int = 1) -> None:
        """Remember ``value`` for the frame ``depth`` levels above the caller's."""
        self._open.append((id(sys._getframe(depth + 1)), value))

    def pop(self, *, depth: int = 1) -> T:
        """Forget and return what the frame ``depth`` levels above the caller's entered last."""
        frame = id(sys._getframe(depth + 1))
        entries = self._open
        entry = next((one for one in reversed(entries) if one[0] == frame), None) or entries[-1]
        entries.remove(entry)
        return entry[1]
