"""The queue between the SDK and one destination of one signal: bounded, counted, never in the way.

An application's thread only appends to a deque. A daemon thread, started with the first item, makes
batches and sends them, when so many wait, when the oldest has waited long enough, or when somebody
asks. The SDK's own batch processors are not used: they drop without a number, report lost batches
as success, and hold up the exit of a process for as long as their peer likes.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from opentelemetry import context

from otelkit.export.account import Account, Counts
from otelkit.export.delivery import Delivery
from otelkit.export.exporter import Exporter
from otelkit.export.flush import Flush
from otelkit.export.trouble import Trouble
from otelkit.spool import Lane, Spool

logger = logging.getLogger("otelkit")


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
        trouble: Who is told of results.
        spool: Where batches wait on disk for better times, if they do.
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
        trouble: Trouble,
        spool: Spool | None = None,
    ) -> None:
        self.signal = signal
        self.destination = destination
        self.exporter = exporter
        self._capacity = capacity
        self._batch_size = batch_size
        self._delay = delay
        self._timeout = timeout
        self._trouble = trouble
        self._spool = spool
        self._lane: Lane | None = None
        self.reset()

    def reset(self) -> None:
        """Starts from nothing, as a forked child must: no items, no counts, no thread."""
        self.exporter.reset()
        self._trouble.reset()
        self.account = Account()
        if self._spool is not None:
            self._spool.reset()
            if self._lane is not None:
                self._lane.reset()
            self._lane = self._spool.lane(
                f"{self.signal}-{self.destination}", self.account.left_disk
            )
        self._delivery = Delivery(
            self.exporter, self.account, self._timeout, self._tell, self._lane
        )
        self._items: deque[Any] = deque()
        self._encoding: list[Any] = []  # taken off the items, not yet delivery's
        # A bare lock rings: unlike an Event it may be rung by a signal handler at any moment.
        self._bell = threading.Lock()
        self._bell.acquire()
        self._requests: deque[Flush] = deque()
        self._worker: threading.Thread | None = None
        self._closed = False

    # --- What any thread may call

    def put(self, item: Any) -> None:
        """Takes one ended item; costs an append."""
        items = self._items
        if self._closed or len(items) >= self._capacity:
            self.account.turn_away()
            return
        items.append(item)
        if self._worker is None:
            self.start()
        elif len(items) >= self._batch_size and self._bell.locked() and not self._delivery.stuck:
            self._ring()

    def begin(self) -> None:
        """Sends what other processes have left on disk, if anything."""
        if self._lane is not None and not self._lane.is_empty() and self.start():
            self._ring()

    def start(self) -> bool:
        """Starts the worker unless it runs; false where no thread can be started any more."""
        with self.account.lock:
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
        """The account at this moment."""
        with self.account.lock:
            waiting = len(self._items) + len(self._encoding) + self._delivery.waiting()
            return self.account.counts(waiting)

    def status(self) -> dict[str, Any]:
        """The account as plain values, with endpoint and last events (Unix time, text).

        A batch that another process removes from a shared spool counts as sent: see ``Counts``.
        """
        recovered = {} if self._lane is None else {"recovered": self.account.recovered}
        return {
            "endpoint": self.exporter.endpoint,
            **vars(self.counts()),
            **recovered,
            **self.account.last(),
        }

    def request(self, deadline: float, *, closing: bool = False) -> Callable[[], None]:
        """Asks for everything to be sent now.

        Args:
            deadline: When the asker stops waiting, in terms of ``time.monotonic()``.
            closing: Nothing more is taken, and the worker ends.

        Returns:
            A call that waits until it has been tried, at most until ``deadline``.
        """
        self._closed = self._closed or closing
        request = Flush(deadline, closing=closing)
        if not self._has_work() and not (closing and self._worker):
            return request.fulfil
        if self.start():
            self._requests.append(request)
            self._ring()
        else:
            self._serve([request])  # at the very end of a process nobody else can
            request.fulfil()
        return request.wait

    def finish(self) -> None:
        """Closes the account: what is left goes to disk, however slow that is, or is lost.

        Lost also where the worker's last write to the disk hangs: nobody waits for that for long.
        """
        self._closed = True
        disk = contextlib.nullcontext() if self._lane is None else self._lane.alone()
        with disk, self.account.lock:
            encoding, self._encoding = self._encoding, []  # by the worker, which is too late
            self._items.extendleft(reversed(encoding))
            while self._lane is not None and self._items:
                self._encode(len(self._items))
            self._delivery.finish()
            self.account.dropped += len(self._items)
            self._items.clear()
        if self._worker is not None and self._worker.is_alive():
            self.exporter.abort()
        else:
            self.exporter.close()

    def _has_work(self) -> bool:
        counts = self.counts()
        return counts.queued + counts.spooled > 0

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
            self._bell.acquire(timeout=self._delivery.pause(self._delay))
            requests = [self._requests.popleft() for _ in range(len(self._requests))]
            ends = any(request.closing for request in requests)
            try:
                self._serve(requests)
            except Exception:  # whatever an exporter does, the next pass must come
                logger.exception("otelkit: sending %s failed unexpectedly", self.signal)
            finally:
                for request in requests:
                    request.fulfil()
            if not ends:
                self._trouble.turned_away(self.signal, self.account.turned_away)
        self.exporter.close()

    def _serve(self, requests: list[Flush]) -> None:
        """One pass: sends what waits now, up to the first batch that has to be tried again."""
        deadline = max((request.deadline for request in requests), default=None)
        self._delivery.begin(deadline, closing=any(request.closing for request in requests))
        budget = self._begin(asked=bool(requests))
        while self._delivery.run() and budget > 0:
            budget -= self._encode(budget)
        self._delivery.drain(self._is_wanted)

    def _tell(self, error: str) -> None:
        counts = self.counts()
        self._trouble.report(self.signal, error, counts.lost, counts.queued + counts.spooled)

    def _is_wanted(self) -> bool:
        """Whether there is something more urgent than what waits on disk."""
        return bool(self._requests) or len(self._items) >= self._batch_size

    def _begin(self, *, asked: bool) -> int:  # noqa: ARG002 - those that collect want to know
        """How many items this pass takes: what comes meanwhile waits for the next one."""
        return len(self._items)

    def _encode(self, budget: int) -> int:
        """Hands at most ``budget`` items to delivery; returns how many."""
        with self.account.lock:
            taken = min(budget, self._batch_size, len(self._items))
            items = self._encoding = [self._items.popleft() for _ in range(taken)]
        batches, unencodable = self.exporter.prepare(items)
        with self.account.lock:
            if self._encoding is items:  # else the account was closed meanwhile
                self._encoding = []
                self.account.failed += unencodable
                self._delivery.add(batches)
        return max(taken, 1)
