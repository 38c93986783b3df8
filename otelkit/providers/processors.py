"""The SDK's interfaces in front of our queues: spans, log records, metrics."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from opentelemetry.context import Context
from opentelemetry.sdk._logs import LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricReader, MetricsData
from opentelemetry.sdk.metrics.view import Aggregation
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import TraceFlags

from otelkit import enrich
from otelkit.export.exporter import Exporter
from otelkit.export.queue import Queue
from otelkit.export.trouble import Trouble
from otelkit.spool import Spool

if TYPE_CHECKING:
    from otelkit.langsmith.bridge import Bridge

# One collection at a time, and none while the process forks: the SDK holds locks during it.
collecting = threading.Lock()


def flush_queues(queues: tuple[Queue, ...], timeout_millis: float) -> bool:
    """Sends what waits; true when nothing is left and nothing was lost."""
    deadline = time.monotonic() + timeout_millis / 1000
    before = [queue.counts() for queue in queues]
    for wait in [queue.request(deadline) for queue in queues]:
        wait()
    after = [queue.counts() for queue in queues]
    return all(
        now.queued == 0 and now.lost == then.lost for then, now in zip(before, after, strict=True)
    )


class SpanQueues(SpanProcessor):
    """Hands ended spans to the queues of all destinations; ``queues`` may be replaced.

    LangSmith does not get every span: the ``bridge`` chooses, if there is one.
    """

    def __init__(self) -> None:
        self.queues: tuple[Queue, ...] = ()
        self.bridge: Bridge | None = None

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Writes what is bound in scope on the span."""
        enrich.start(span, parent_context)
        if self.bridge is not None:
            self.bridge.start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        """Queues the span if it is sampled."""
        span = enrich.finish(span)
        context = span.context
        if context is not None and context.trace_flags & TraceFlags.SAMPLED:
            if self.bridge is not None:
                span = self.bridge.end(span)
            for queue in self.queues:
                queue.put(span)

    def shutdown(self) -> None:
        """Nothing to do: the queues are closed by who made them, within one deadline."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Sends what waits; true when all of it was delivered in time."""
        chosen = self.bridge.queue if self.bridge is not None else None
        queues = self.queues if chosen is None else (*self.queues, chosen)
        return flush_queues(queues, timeout_millis)


class LogQueues(LogRecordProcessor):
    """Hands log records to the queues of all destinations; ``queues`` may be replaced."""

    def __init__(self) -> None:
        self.queues: tuple[Queue, ...] = ()

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Queues the record as it is; it says all that an exporter asks of a readable one."""
        if log_record.resource is not None:
            for queue in self.queues:
                queue.put(log_record)

    def shutdown(self) -> None:
        """Nothing to do: the queues are closed by who made them, within one deadline."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Sends what waits; true when all of it was delivered in time."""
        return flush_queues(self.queues, timeout_millis)


class PushReader(MetricReader):
    """Collects metrics when its queue asks for them."""

    def __init__(
        self,
        temporality: dict[type, AggregationTemporality],
        aggregation: dict[type, Aggregation],
    ) -> None:
        super().__init__(preferred_temporality=temporality, preferred_aggregation=aggregation)
        self.queue: MetricQueue | None = None
        self._collected: MetricsData | None = None

    def read(self) -> MetricsData | None:
        """The metrics of this moment; ``None`` when there are none."""
        with collecting:
            self._collected = None
            self.collect()
            return self._collected

    def _receive_metrics(
        self,
        metrics_data: MetricsData,
        timeout_millis: float = 10_000,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> None:
        self._collected = metrics_data

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Collects and sends; true when all of it was delivered in time."""
        return self.queue is None or flush_queues((self.queue,), timeout_millis)

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Nothing to do: the queue is closed by who made it, within one deadline."""


class MetricQueue(Queue):
    """A queue that fills itself: it collects at its interval, and whenever it is asked to send.

    Args:
        destination: The name of the destination.
        exporter: Where batches go.
        reader: Where metrics come from.
        interval: Seconds between two collections.
        timeout: Seconds one request may take.
        cumulative: A newer collection says all that an unsent one would have said.
        trouble: Who is told of results.
        spool: Where batches wait on disk for better times, if they do.
    """

    def __init__(
        self,
        destination: str,
        exporter: Exporter,
        reader: PushReader,
        *,
        interval: float,
        timeout: float,
        cumulative: bool,
        trouble: Trouble,
        spool: Spool | None = None,
    ) -> None:
        self.reader = reader
        self._cumulative = cumulative
        super().__init__(
            "metrics",
            destination,
            exporter,
            capacity=100_000,
            batch_size=1,
            delay=interval,
            timeout=timeout,
            trouble=trouble,
            spool=spool,
        )
        reader.queue = self

    def reset(self) -> None:
        """Starts from nothing."""
        super().reset()
        self._next = time.monotonic() + self._delay

    def begin(self) -> None:
        """Starts collecting; what other processes have left on disk is sent at once."""
        self.start()
        super().begin()

    def _has_work(self) -> bool:
        return True

    def _begin(self, *, asked: bool) -> int:
        now = time.monotonic()
        if asked or now >= self._next:
            self._next = now + self._delay
            collected = self.reader.read()
            batches, failed = self.exporter.prepare([collected]) if collected else ([], 0)
            with self.account.lock:
                self._delivery.outdate(keep=0 if self._cumulative else self._capacity)
                self._delivery.add(batches)
                self.account.failed += failed
        return 0
