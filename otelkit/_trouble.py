"""Words about a destination that does not take what it is sent: one warning, one line when over."""

from __future__ import annotations

import logging
import time

logger = logging.getLogger("otelkit")

QUIET = 60.0  # seconds between two warnings about one destination


class Trouble:
    """What is known about one destination of one signal: last success, last error, what was said.

    Args:
        signal: ``traces``, ``metrics`` or ``logs``.
        endpoint: Where it goes, without credentials.
    """

    def __init__(self, signal: str, endpoint: str) -> None:
        self.last_success: float | None = None  # Unix time
        self.last_error: str | None = None
        self._where = f"{signal} to {endpoint}"
        self._warned = False
        self._quiet_until = 0.0
        self._lost_before = 0

    def report(self, error: str, lost: int, waiting: int) -> None:
        """Takes the result of one request and says what is new about it.

        Args:
            error: What went wrong; empty when nothing did.
            lost: Items that will never arrive, so far.
            waiting: Items that are kept and tried again.
        """
        if error:
            self.last_error = error
            self._warn(error, lost, waiting)
        else:
            self.last_success = time.time()
            self._recovered(lost)

    def _warn(self, error: str, lost: int, waiting: int) -> None:
        now = time.monotonic()
        if self._warned or now < self._quiet_until:
            return
        self._warned, self._quiet_until = True, now + QUIET
        logger.warning("otelkit: %s: %s; %d waiting, %d lost", self._where, error, waiting, lost)

    def _recovered(self, lost: int) -> None:
        if self._warned:
            logger.info(
                "otelkit: %s works again; %d lost meanwhile", self._where, lost - self._lost_before
            )
        self._warned, self._lost_before = False, lost
