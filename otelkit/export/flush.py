"""Somebody's wish that a queue send everything now, and their patience."""

from __future__ import annotations

import threading
import time


class Flush:
    """A wish that is fulfilled once, and waited for until its deadline.

    Args:
        deadline: When the asker stops waiting, in terms of ``time.monotonic()``.
        closing: Nothing comes after it.
    """

    def __init__(self, deadline: float, *, closing: bool) -> None:
        self.deadline = deadline
        self.closing = closing
        self._done = threading.Lock()
        self._done.acquire()

    def fulfil(self) -> None:
        """It has been tried."""
        self._done.release()

    def wait(self) -> None:
        """Waits until it has been tried, at most until the deadline."""
        self._done.acquire(timeout=max(0.0, self.deadline - time.monotonic()))
