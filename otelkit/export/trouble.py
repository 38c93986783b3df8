"""Words about a receiver that does not take what it is sent: one warning, one line when over.

And a warning for a queue without room, which drops what the application goes on to produce.
"""

from __future__ import annotations

import logging
import threading
import time

from otelkit.export.account import said

logger = logging.getLogger("otelkit")

QUIET = 60.0  # seconds between two warnings about one receiver, or one queue

_ROOM = {"traces": "OTEL_BSP_MAX_QUEUE_SIZE", "logs": "OTEL_BLRP_MAX_QUEUE_SIZE"}


class Trouble:
    """What was said about one receiver, for all signals that go there.

    Args:
        receiver: Its address, without credentials.
    """

    def __init__(self, receiver: str) -> None:
        self._receiver = receiver
        self.reset()

    def reset(self) -> None:
        """Nothing was said yet."""
        self._lock = threading.RLock()
        self._failing: dict[str, int] = {}  # by signal, what was lost when it began to fail
        self._lost: dict[str, int] = {}  # by signal, since the warning
        self._warned = False
        self._quiet_until = 0.0
        self._turned_away: dict[str, tuple[int, float]] = {}  # by signal: how many, quiet until

    def report(self, signal: str, error: str, lost: int, waiting: int) -> None:
        """Takes the result of one request and says what is new about it.

        Args:
            signal: ``traces``, ``metrics`` or ``logs``.
            error: What went wrong; empty when nothing did.
            lost: Items of the signal that will never arrive, so far.
            waiting: Items that are kept, in memory or on disk, and tried again.
        """
        with self._lock:
            if error:
                self._begin(signal, error, lost, waiting)
            else:
                self._end(signal, lost)

    def turned_away(self, signal: str, count: int) -> None:
        """Takes how many items of ``signal`` found no room in its queue so far."""
        with self._lock:
            told, quiet_until = self._turned_away.get(signal, (0, 0.0))
            now = time.monotonic()
            if count == told or now < quiet_until:
                return
            self._turned_away[signal] = (count, now + QUIET)
        logger.warning(
            "otelkit: the queue of %s to %s is full: %s dropped; %s is its size",
            signal, self._receiver, said(count - told, signal), _ROOM[signal],
        )  # fmt: skip

    def _begin(self, signal: str, error: str, lost: int, waiting: int) -> None:
        self._failing.setdefault(signal, lost)
        now = time.monotonic()
        if self._warned or now < self._quiet_until:
            return
        self._warned, self._quiet_until = True, now + QUIET
        logger.warning(
            "otelkit: %s for %s: %s; %s waiting, %d lost",
            self._receiver, signal, error, said(waiting, signal), lost,
        )  # fmt: skip

    def _end(self, signal: str, lost: int) -> None:
        began = self._failing.pop(signal, None)
        if began is None:
            return
        self._lost[signal] = self._lost.get(signal, 0) + lost - began
        if self._failing:
            return
        told = [said(number, signal) for signal, number in self._lost.items() if number]
        self._lost = {}
        if self._warned:
            self._warned = False
            logger.info(
                "otelkit: %s works again; %s lost", self._receiver, ", ".join(told) or "nothing"
            )
