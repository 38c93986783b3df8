"""The metric ``otelkit.health.status``: what the checks last said, never a run of them."""

from __future__ import annotations

from collections.abc import Iterable

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from otelkit import _current, semconv
from otelkit.health import registry
from otelkit.health.results import VALUES

STALE = 300.0  # seconds after which a result that no probe renews is no longer reported


def observe() -> None:
    """Report through the global meter provider, once for each."""
    _instrument()


def _make(meter: Meter) -> None:
    name = semconv.HEALTH_STATUS
    meter.create_observable_gauge(
        name,
        [_statuses],
        semconv.UNITS[name],
        "1: the component is healthy, 0.5: degraded, 0: unhealthy.",
    )


def _statuses(_options: CallbackOptions) -> Iterable[Observation]:
    for check in registry.checks():
        last = check.last
        if last is not None and check.age < STALE:
            yield Observation(VALUES[last.status], {semconv.COMPONENT: check.name})


_instrument = _current.instruments("otelkit.health", _make)
