"""Encoded batches on their way to one destination: tried, kept, tried again."""

from __future__ import annotations

import contextlib
import random
import time
from collections import deque
from collections.abc import Callable, Iterable

from otelkit.export.account import Account
from otelkit.export.exporter import Answer, Batch, Exporter
from otelkit.spool import Lane
from otelkit.spool.files import Stored

FIRST_BACKOFF = 1.0  # seconds; doubled with every failure in a row, with jitter
LONGEST_BACKOFF = 30.0
LONGEST_SILENCE = 3600.0
ATTEMPTS = 3  # in a row while somebody waits
FOR_THE_DISK = 0.25  # of the time there is at the end
PAUSE = 0.1  # seconds between them, and a bit longer each time


class Delivery:
    """Sends batches in order; those that cannot be sent now are kept.

    Args:
        exporter: Where batches go.
        account: Where results are written down.
        timeout: Seconds one request may take.
        tell: Called with the error of every request, empty when it was accepted.
        lane: Where batches wait on disk for better times, if they do.
    """

    def __init__(
        self,
        exporter: Exporter,
        account: Account,
        timeout: float,
        tell: Callable[[str], None],
        lane: Lane | None = None,
    ) -> None:
        self._exporter = exporter
        self._account = account
        self._timeout = timeout
        self._tell = tell
        self._lane = lane
        self._pending: deque[Batch] = deque()
        self._failures = 0  # in a row
        self._silent_until = 0.0  # the receiver asked for silence until then
        self._not_before = 0.0  # no attempt earlier unless somebody asks
        self.begin(None, closing=False)

    @property
    def stuck(self) -> bool:
        """Whether there is no use in more batches: nobody takes them, and the disk does not."""
        return self._failures > 0 and (self._lane is None or not self._lane.usable())

    def pause(self, delay: float) -> float:
        """Seconds until the next pass, which is usually due after ``delay``."""
        if not self._failures:
            return delay
        wait = max(0.0, self._not_before - time.monotonic())
        return wait if self._lane is None else min(wait, delay)

    def waiting(self) -> int:
        """Items in the batches that are not settled."""
        return sum(batch.size for batch in self._pending)

    def add(self, batches: Iterable[Batch]) -> None:
        """Takes batches to send; call it holding the account's lock."""
        self._pending.extend(batches)

    def outdate(self, keep: int) -> None:
        """Drops the oldest batches until at most ``keep`` items wait."""
        if self._lane is not None and keep == 0:
            self._lane.discard()
        with self._account.lock:
            while self._pending and self.waiting() > keep:
                self._account.dropped += self._pending.popleft().size

    def begin(self, deadline: float | None, *, closing: bool) -> None:
        """Begins a pass.

        Args:
            deadline: Somebody waits until then, whatever was refused before; else it is just time.
            closing: No request may outlast the deadline.
        """
        if deadline is not None and closing and self._lane is not None:
            deadline -= FOR_THE_DISK * max(0.0, deadline - time.monotonic())
        self._deadline = deadline
        self._closing = closing
        self._refusals = 0  # in this pass, without a word on when to come again

    def run(self) -> bool:
        """Sends what is pending, or keeps it on disk; false when the rest has to wait."""
        while batch := self._first():
            if self._ready():
                self._settle(batch, self._exporter.send(batch, self._time()))
            elif not self._keep(batch):
                return False
        return True

    def drain(self, enough: Callable[[], bool]) -> None:
        """Sends what waits on disk, until there is nothing left or ``enough`` says so."""
        while self._lane is not None and not self._closing:
            divided = False
            with contextlib.closing(self._lane.take()) as stored:
                for entry, body in stored:
                    if enough() or not self._ready():
                        return
                    batch = Batch(entry.items, body)
                    answer = self._exporter.send(batch, self._time())
                    divided |= self._settle_stored(self._lane, entry, batch, answer)
            if not divided:
                return  # else the halves are on disk by now

    def finish(self) -> None:
        """Ends: what does not get on disk now is lost."""
        with self._account.lock:
            tried = True
            while self._pending:
                batch = self._pending.popleft()
                if self._lane is not None and self._lane.put(batch.size, batch.payload):
                    self._account.spool(batch.size)
                elif tried:
                    self._account.failed += batch.size
                    self._account.last_error = self._account.last_error or "no answer in time"
                else:
                    self._account.dropped += batch.size
                tried = False

    def _first(self) -> Batch | None:
        """The batch to send next; at the end of the process another thread empties the queue."""
        with self._account.lock:
            return self._pending[0] if self._pending else None

    def _keep(self, batch: Batch) -> bool:
        """Moves a pending batch to disk; false where there is none to take it."""
        if self._lane is None:
            return False
        with self._lane.alone():  # whoever ends the queue waits for it, and does not write it, too
            if self._first() is not batch:
                return True  # the account was closed meanwhile
            if not self._lane.put(batch.size, batch.payload):
                return False
            with self._account.lock:
                if self._first() is batch:
                    self._pending.popleft()
                    self._account.spool(batch.size)
        return True

    def _ready(self) -> bool:
        now = time.monotonic()
        if self._deadline is None:
            return now >= self._not_before
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
            if answer.outcome == "retry":
                self._postpone(answer.retry_after)
            else:
                self._accepted_again()
                self._pending.popleft()
                self._pending.extendleft(reversed(halves))
                if not halves:
                    self._account.settle(batch.size, answer)
        self._say(answer, split=bool(halves))

    def _settle_stored(self, lane: Lane, entry: Stored, batch: Batch, answer: Answer) -> bool:
        """As :meth:`_settle`, for a batch on disk; whether it was put back in halves."""
        own = lane.owns(entry)
        halves = self._exporter.halve(batch) if answer.outcome == "too_large" else []
        kept = lane.divide(entry, halves)
        if answer.outcome == "retry":
            self._postpone(answer.retry_after)
        else:
            self._accepted_again()
            lane.remove(entry)
            with self._account.lock:
                self._account.settle_stored(batch.size - kept, answer, own=own)
        self._say(answer, split=kept == batch.size)
        return kept > 0

    def _say(self, answer: Answer, *, split: bool) -> None:
        self._account.last_error = answer.error or self._account.last_error
        if not split:
            self._tell(answer.error)

    def _accepted_again(self) -> None:
        self._failures, self._not_before = 0, 0.0

    def _postpone(self, retry_after: float | None) -> None:
        now = time.monotonic()
        self._failures += 1
        # Whatever is asked for, a slip of somebody's clock included: an hour at most.
        self._silent_until = now + max(0.0, min(retry_after or 0.0, LONGEST_SILENCE))
        longest = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** min(self._failures - 1, 10))
        backoff = longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, hides nothing
        self._not_before = max(self._silent_until, now + backoff)
        self._refusals += retry_after is None
