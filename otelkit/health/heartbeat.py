"""Whether the event loop turns: a timer in it, read by whoever asks.

A loop that is stuck cannot answer over HTTP, so a probe of the application's own port fails by
itself, by the prober's timeout. What is left to say: a listener in another thread is told at once,
and a probe that had to wait until the loop came free learns why.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from weakref import WeakKeyDictionary

INTERVAL = 1.0  # seconds between two beats
STUCK_AFTER = 5.0  # seconds without one

_log = logging.getLogger("otelkit.health")
_hearts: WeakKeyDictionary[asyncio.AbstractEventLoop, _Heart] = WeakKeyDictionary()


class _Heart:
    """The beats of one event loop, which it does not hold: nobody else would let go of it."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._blocked = 0.0  # seconds, the last time it was stuck
        self._free_since = 0.0
        self._go_on()

    def _go_on(self) -> None:
        asyncio.get_running_loop().call_later(INTERVAL, self._beat)

    def _beat(self) -> None:
        self._go_on()
        now = time.monotonic()
        silent, self._last = now - self._last, now
        if silent >= STUCK_AFTER:
            self._blocked, self._free_since = silent, now
            _log.warning("the event loop was blocked for %.1f s", silent)

    def trouble(self) -> str | None:
        now = time.monotonic()
        silent = now - self._last
        if silent >= STUCK_AFTER:
            return f"the event loop has been blocked for {silent:.1f} s"
        if self._blocked and now - self._free_since < INTERVAL:
            return f"the event loop was blocked for {self._blocked:.1f} s"
        return None


def watch() -> None:
    """Watch the running event loop from now on."""
    loop = asyncio.get_running_loop()
    if loop not in _hearts:
        _hearts[loop] = _Heart()


def trouble() -> str | None:
    """What is wrong with a watched event loop, in words; may be called in any thread."""
    for loop, heart in list(_hearts.items()):
        found = heart.trouble() if loop.is_running() else None
        if found:
            return found
    return None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_hearts.clear)
