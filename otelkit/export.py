"""The queue between the SDK and one destination of one signal: bounded, counted, never in the way.

An application's thread only appends to a deque. A daemon thread, started with the first item, makes
batches and sends them. Whatever happens to an item is counted once: it is sent, failed (refused for
good, or tried in vain until the end), dropped (never tried: no room, or no time) or still queued.

The SDK's own batch processors are not used: they drop without a number, report lost batches as
success, and hold up the exit of a process for as long as their peer likes.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

from opentelemetry import context

from otelkit._trouble import Trouble

logger = logging.getLogger("otelkit")

FIRST_BACKOFF = 1.0  # seconds; doubled with every failure in a row, with jitter
LONGEST_BACKOFF = 30.0


class Batch(NamedTuple):
    """What one request carries."""

    count: int
    payload: Any


class Answer(NamedTuple):
    """What became of one request: ``retry`` may succeed later, ``failed`` never will."""

    outcome: Literal["sent", "retry", "failed", "too_large"]
    error: str = ""
    retry_after: float | None = None  # seconds
    rejected: int = 0  # items that the receiver did not take of a batch it took


class Exporter(Protocol):
    """Where a queue sends to."""

    endpoint: str

    def prepare(self, items: Sequence[Any]) -> tuple[list[Batch], int]:
        """Batches out of ``items``, and how many items could not be encoded. Never raises."""

    def send(self, batch: Batch, timeout: float) -> Answer:
        """Sends one batch within ``timeout`` seconds. Never raises."""

    def halve(self, batch: Batch) -> list[Batch]:
        """``batch`` in two parts, or nothing when it holds a single item."""

    def reset(self) -> None:
        """Forgets its connection: a forked child must not use its parent's."""

    def speak_as(self, resource: Any) -> None:
        """Takes the resource to send in place of what the items say."""


@dataclass(frozen=True)
class Counts:
    """What became of the items of one signal at one destination, since ``setup()``."""

    sent: int = 0
    failed: int = 0
    dropped: int = 0
    spooled: int = 0
    queued: int = 0


class Queue:
    """A bounded queue of ended items in front of one exporter.

    Args:
        signal: ``traces``, ``metrics`` or ``logs``.
        destination: The name of the destination, such as ``otlp``.
        exporter: Where batches go.
        capacity: Items kept at most; further ones are dropped and counted.
        batch_size: Items in one batch at most; so many waiting items wake the worker.
        delay: Seconds an item waits at most before it is sent.
        timeout: Seconds one request may take.
    """

    def __init__(
        self,
        signal: str,
        destination: str,
        exporter: Exporter,
        *,
        capacity: int,
        batch_size: int,
        delay: float,
        timeout: float,
    ) -> None:
        self.signal = signal
        self.destination = destination
        self.exporter = exporter
        self._capacity = capacity
        self._batch_size = batch_size
        self._delay = delay
        self._timeout = timeout
        self.reset()

    def reset(self) -> None:
        """Starts from nothing, as a forked child must: no items, no counts, no thread."""
        self.exporter.reset()
        self._items: deque[Any] = deque()
        self._pending: deque[Batch] = deque()  # encoded, not settled
        self._encoding = 0  # taken off the items, not yet pending
        self._sent = self._failed = self._dropped = self._reported = 0
        self._trouble = Trouble(self.signal, self.exporter.endpoint)
        # A re-entrant lock and a bare one: a signal handler may flush whatever it has interrupted.
        self._lock = threading.RLock()
        self._bell = threading.Lock()
        self._bell.acquire()
        self._requests: deque[_Request] = deque()
        self._worker: threading.Thread | None = None
        self._closed = False
        self._failures = 0  # in a row
        self._not_before = 0.0  # no attempt earlier unless somebody asks
        self._silent_until = 0.0  # the receiver asked for silence until then

    # --- What any thread may call

    def put(self, item: Any) -> None:
        """Takes one ended item; costs an append."""
        items = self._items
        if self._closed or len(items) >= self._capacity:
            with self._lock:
                self._dropped += 1
            return
        items.append(item)
        if self._worker is None:
            self.start()
        elif len(items) >= self._batch_size and self._bell.locked() and not self._failures:
            self._ring()

    def start(self) -> bool:
        """Starts the worker unless it runs; false where no thread can be started any more."""
        with self._lock:
            if self._worker is not None and self._worker.is_alive():
                return True
            name = f"otelkit-{self.signal}-{self.destination}"
            worker = threading.Thread(target=self._work, name=name, daemon=True)
            try:
                worker.start()
            except RuntimeError:  # the interpreter is going down, or the machine is out of threads
                return False
            self._worker = worker
            return True

    def counts(self) -> Counts:
        """The account at this moment; its sum is all that was ever put."""
        with self._lock:
            waiting = len(self._items) + self._encoding + sum(b.count for b in self._pending)
            return Counts(self._sent, self._failed, self._dropped, queued=waiting)

    def status(self) -> dict[str, Any]:
        """The account as plain values, with endpoint and last events (Unix time, text)."""
        return {
            "endpoint": self.exporter.endpoint,
            **vars(self.counts()),
            "last_success": self._trouble.last_success,
            "last_error": self._trouble.last_error,
        }

    def newly_lost(self) -> int:
        """Items lost since the last call."""
        with self._lock:
            lost = self._failed + self._dropped
            fresh, self._reported = lost - self._reported, lost
            return fresh

    def request(self, deadline: float, *, closing: bool = False) -> Callable[[], None]:
        """Asks for everything to be sent now.

        Args:
            deadline: When the asker stops waiting, in terms of ``time.monotonic()``.
            closing: Nothing more is taken, and the worker ends.

        Returns:
            A call that waits until it has been tried, at most until ``deadline``.
        """
        self._closed = self._closed or closing
        request = _Request(deadline, closing)
        if not self._has_work() and not (closing and self._worker):
            return request.fulfil
        if self.start():
            self._requests.append(request)
            self._ring()
        else:
            self._serve([request])  # at the very end of a process nobody else can
        return request.wait

    def finish(self) -> None:
        """Closes the account: what is left will never be sent."""
        with self._lock:
            self._closed = True
            if self._pending:
                self._failed += self._pending.popleft().count
            self._dropped += self.counts().queued
            self._encoding = 0
            self._pending.clear()
            self._items.clear()

    def _has_work(self) -> bool:
        return bool(self._items or self._pending or self._encoding)

    def _ring(self) -> None:
        try:
            self._bell.release()
        except RuntimeError:
            pass  # it is ringing already

    # --- The worker's own

    def _work(self) -> None:
        # Nobody is to instrument the requests that carry telemetry.
        context.attach(context.set_value(context._SUPPRESS_INSTRUMENTATION_KEY, True))
        ends = False
        while not ends:
            self._bell.acquire(timeout=max(self._delay, self._not_before - time.monotonic()))
            requests = [self._requests.popleft() for _ in range(len(self._requests))]
            ends = any(request.closing for request in requests)
            try:
                self._serve(requests)
            except Exception:  # whatever an exporter does, the next pass must come
                logger.exception("otelkit: sending %s failed unexpectedly", self.signal)
            finally:
                for request in requests:
                    request.fulfil()

    def _serve(self, requests: list[_Request]) -> None:
        """One pass, because somebody asks for it or because it is time."""
        if requests:
            closing = any(request.closing for request in requests)
            self._pass(max(request.deadline for request in requests), closing)
        elif time.monotonic() >= self._not_before:
            self._pass(None, False)

    def _pass(self, deadline: float | None, closing: bool) -> None:
        """Sends what waits now, in order, up to the first batch that has to be tried again."""
        budget = self._begin(asked=deadline is not None)
        while True:
            now = time.monotonic()
            if deadline is not None:
                if max(now, self._silent_until) >= deadline:
                    return
                time.sleep(max(0.0, self._silent_until - now))
            if not self._pending:
                if budget <= 0:
                    return
                budget -= self._gather(budget)
                continue
            batch = self._pending[0]
            timeout = min(self._timeout, deadline - now) if deadline and closing else self._timeout
            answer = self.exporter.send(batch, timeout)
            if not self._settle(batch, answer) and (deadline is None or not answer.retry_after):
                return

    def _begin(self, *, asked: bool) -> int:  # noqa: ARG002 - for those that collect
        """How many items this pass takes: what comes meanwhile waits for the next one."""
        return len(self._items)

    def _gather(self, budget: int) -> int:
        """Turns at most ``budget`` items into pending batches; returns how many."""
        with self._lock:
            taken = min(budget, self._batch_size, len(self._items))
            items = [self._items.popleft() for _ in range(taken)]
            self._encoding = taken
        batches, unencodable = self.exporter.prepare(items)
        with self._lock:
            if self._encoding:  # else the account was closed meanwhile
                self._encoding = 0
                self._failed += unencodable
                self._pending.extend(batches)
        return max(taken, 1)

    def _settle(self, batch: Batch, answer: Answer) -> bool:
        """Writes an answer into the account; false when the batch has to be tried again."""
        halves = self.exporter.halve(batch) if answer.outcome == "too_large" else []
        with self._lock:
            if not self._pending or self._pending[0] is not batch:
                return True  # the account was closed meanwhile
            if answer.outcome == "retry":
                self._failures += 1
                now = time.monotonic()
                self._silent_until = now + (answer.retry_after or 0.0)
                self._not_before = max(self._silent_until, now + _backoff(self._failures))
            else:
                self._failures, self._not_before = 0, 0.0
                self._pending.popleft()
                self._pending.extendleft(reversed(halves))
                accepted = batch.count - answer.rejected if answer.outcome == "sent" else 0
                self._sent += accepted
                self._failed += 0 if halves else batch.count - accepted
        if not halves:
            counts = self.counts()
            self._trouble.report(answer.error, counts.failed + counts.dropped, counts.queued)
        return answer.outcome != "retry"


def _backoff(failures: int) -> float:
    longest = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** min(failures - 1, 10))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - it spreads retries, it hides nothing


class _Request:
    """Somebody's wish that everything be sent, and the lock they wait on."""

    def __init__(self, deadline: float, closing: bool) -> None:
        self.deadline = deadline
        self.closing = closing
        self._done = threading.Lock()
        self._done.acquire()

    def fulfil(self) -> None:
        self._done.release()

    def wait(self) -> None:
        self._done.acquire(timeout=max(0.0, self.deadline - time.monotonic()))
