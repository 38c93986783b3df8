"""What each running ``with`` block of one shared context manager has entered."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any, Generic, TypeVar

from opentelemetry import context
from opentelemetry.context import Context

T = TypeVar("T")


class _Entry:
    # A plain class: removing one from a list compares identities, and nothing inside.
    __slots__ = ("context", "frame", "value")

    def __init__(self, frame: FrameType, context: Context, value: Any) -> None:
        self.frame = frame  # itself, not its id, which a later frame may have
        self.context = context
        self.value = value


class Entered(Generic[T]):
    """The open entries of an object that may be entered many times, nested and concurrently.

    A ``with`` statement enters and leaves in one frame, whichever task or thread drives it and in
    whatever order suspended generators are closed, so the frame tells entries apart. Where it does
    not (``ExitStack``), the context that was entered does.
    """

    __slots__ = ("_open",)

    def __init__(self) -> None:
        self._open: list[_Entry] = []

    def push(self, value: T, *, depth: int = 1) -> None:
        """Remember ``value`` for the frame ``depth`` levels above the caller's."""
        self._open.append(_Entry(sys._getframe(depth + 1), context.get_current(), value))

    def pop(self, *, depth: int = 1) -> T:
        """Forget and return what the frame ``depth`` levels above the caller's entered last."""
        frame, current = sys._getframe(depth + 1), context.get_current()
        latest = self._open[::-1]
        found = (
            next((entry for entry in latest if entry.frame is frame), None)
            or next((entry for entry in latest if entry.context is current), None)
            or latest[0]
        )
        self._open.remove(found)
        value: T = found.value
        return value
