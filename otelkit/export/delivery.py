"""Encoded batches on their way to one destination: tried, tried again, accounted for."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Iterable

from otelkit.export.account import Account
from otelkit.export.exporter import Answer, Batch, Exporter

FIRST_BACKOFF = 1.0  # seconds; doubled with every failure in a row, with jitter
LONGEST_BACKOFF = 30.0
ATTEMPTS = 3  # in a row while somebody waits
PAUSE = 0.1  # seconds between them, and a bit longer each time


class Delivery:
    """Sends batches in order; those that cannot be sent now are kept.

    Args:
        exporter: Where batches go.
        account: Where results are written down.
        timeout: Seconds one request may take.
        tell: Called with the error of every request, empty when it was accepted.
    """

    def __init__(
        self,
        exporter: Exporter,
        account: Account,
        timeout: float,
        tell: Callable[[str], None],
    ) -> None:
        self._exporter = exporter
        self._account = account
        self._timeout = timeout
        self._tell = tell
        self._pending: deque[Batch] = deque()
        self._failures = 0  # in a row
        self._silent_until = 0.0  # the receiver asked for silence until then
        self.not_before = 0.0  # no attempt earlier unless somebody asks
        self.begin(None, closing=False)

    @property
    def failing(self) -> bool:
        """Whether the last request was in vain."""
        return self._failures > 0

    def waiting(self) -> int:
        """Items in the batches that are not settled."""
        return sum(batch.size for batch in self._pending)

    def add(self, batches: Iterable[Batch]) -> None:
        """Takes batches to send; call it holding the account's lock."""
        self._pending.extend(batches)

    def outdate(self, keep: int) -> None:
        """Drops the oldest batches until at most ``keep`` items wait."""
        with self._account.lock:
            while self._pending and self.waiting() > keep:
                self._account.dropped += self._pending.popleft().size

    def begin(self, deadline: float | None, *, closing: bool) -> None:
        """Begins a pass.

        Args:
            deadline: Somebody waits until then, whatever was refused before; else it is just time.
            closing: No request may outlast the deadline.
        """
        self._deadline = deadline
        self._closing = closing
        self._refusals = 0  # in this pass, without a word on when to come again

    def run(self) -> bool:
        """Sends what is pending; false when the rest has to wait."""
        while self._pending:
            if not self._ready():
                return False
            batch = self._pending[0]
            answer = self._exporter.send(batch, self._time())
            self._settle(batch, answer)
        return True

    def finish(self) -> None:
        """Gives up: the batch that was being tried has failed, the others were never tried."""
        with self._account.lock:
            if self._pending:
                self._account.failed += self._pending.popleft().size
                self._account.last_error = self._account.last_error or "no answer in time"
            self._account.dropped += self.waiting()
            self._pending.clear()

    def _ready(self) -> bool:
        now = time.monotonic()
        if self._deadline is None:
            return now >= self.not_before
        begin = max(now + PAUSE * self._refusals, self._silent_until)
        if self._refusals >= ATTEMPTS or begin >= self._deadline:
            return False
        time.sleep(begin - now)
        return True

    def _time(self) -> float:
        if self._deadline is None or not self._closing:
            return self._timeout
        return min(self._timeout, max(0.0, self._deadline - time.monotonic()))

    def _settle(self, batch: Batch, answer: Answer) -> None:
        halves = self._exporter.halve(batch) if answer.outcome == "too_large" else []
        with self._account.lock:
            if not self._pending or self._pending[0] is not batch:
                return  # the account was closed meanwhile
            self._account.last_error = answer.error or self._account.last_error
            if answer.outcome == "retry":
                self._postpone(answer.retry_after)
            else:
                self._failures, self.not_before = 0, 0.0
                self._pending.popleft()
                self._pending.extendleft(reversed(halves))
                self._write_down(batch, answer, split=bool(halves))
        if not halves:
            self._tell(answer.error)

    def _postpone(self, retry_after: float | None) -> None:
        now = time.monotonic()
        self._failures += 1
        self._silent_until = now + (retry_after or 0.0)
        longest = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** min(self._failures - 1, 10))
        backoff = longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, hides nothing
        self.not_before = max(self._silent_until, now + backoff)
        self._refusals += retry_after is None

    def _write_down(self, batch: Batch, answer: Answer, *, split: bool) -> None:
        account = self._account
        if answer.outcome == "sent":
            account.last_success = time.time()
            account.sent += batch.size - answer.rejected
            account.failed += answer.rejected
        elif not split:
            account.failed += batch.size
