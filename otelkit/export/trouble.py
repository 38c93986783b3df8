"""Words about a receiver that does not take what it is sent: one warning, one line when over."""

from __future__ import annotations

import logging
import threading
import time

logger = logging.getLogger("otelkit")

QUIET = 60.0  # seconds between two warnings about one receiver


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
        self._warned = False
        self._quiet_until = 0.0

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

    def _begin(self, signal: str, error: str, lost: int, waiting: int) -> None:
        self._failing.setdefault(signal, lost)
        now = time.monotonic()
        if self._warned or now < self._quiet_until:
            return
        self._warned, self._quiet_until = True, now + QUIET
        logger.warning(
            "otelkit: %s for %s: %s; %d waiting, %d lost",
            self._receiver, signal, error, waiting, lost,
        )  # fmt: skip

    def _end(self, signal: str, lost: int) -> None:
        began = self._failing.pop(signal, None)
        if began is None or self._failing or not self._warned:
            return
        self._warned = False
        logger.info("otelkit: %s works again; %d %s lost", self._receiver, lost - began, signal)
