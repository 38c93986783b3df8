"""The account as metrics: what became of telemetry itself, by signal and destination."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from weakref import WeakSet

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation

from otelkit import semconv
from otelkit.export.queue import Queue

SENT, FAILED, DROPPED, SPOOLED = "sent", "failed", "dropped", "spooled"

_queues: Sequence[Queue] = ()
_observed: WeakSet[MeterProvider] = WeakSet()


def observe(queues: Sequence[Queue]) -> None:
    """Reports the accounts of ``queues`` from now on, with the global meter provider."""
    global _queues
    _queues = queues
    provider = metrics.get_meter_provider()
    if provider in _observed:
        return  # its instruments call back here already
    _observed.add(provider)
    meter = provider.get_meter("otelkit")
    meter.create_observable_counter(
        semconv.EXPORT_ITEMS,
        [_items],
        unit=semconv.UNITS[semconv.EXPORT_ITEMS],
        description="Spans, log records and data points by what became of them.",
    )
    meter.create_observable_gauge(
        semconv.EXPORT_QUEUE,
        [_waiting],
        unit=semconv.UNITS[semconv.EXPORT_QUEUE],
        description="Spans, log records and data points that wait in memory.",
    )


def _items(_options: CallbackOptions) -> Iterable[Observation]:
    for queue in _queues:
        counts = queue.counts()
        numbers = {SENT: counts.sent, FAILED: counts.failed, DROPPED: counts.dropped}
        if queue.account.ever_spooled:
            numbers[SPOOLED] = queue.account.ever_spooled
        for outcome, number in numbers.items():
            yield Observation(number, {**_which(queue), semconv.OUTCOME: outcome})


def _waiting(_options: CallbackOptions) -> Iterable[Observation]:
    for queue in _queues:
        yield Observation(queue.counts().queued, _which(queue))


def _which(queue: Queue) -> dict[str, str]:
    return {semconv.SIGNAL: queue.signal, semconv.DESTINATION: queue.destination}
