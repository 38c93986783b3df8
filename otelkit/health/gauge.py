"""The metric ``otelkit.health.status``: what the checks last said, never a run of them."""

from __future__ import annotations

from collections.abc import Iterable

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation

from otelkit import semconv
from otelkit.health import registry
from otelkit.health.results import VALUES

STALE = 300.0  # seconds after which a result that no probe renews is no longer reported

_observed_by: MeterProvider | None = None


def observe() -> None:
    """Report through the global meter provider, once for each."""
    global _observed_by
    provider = metrics.get_meter_provider()
    # An instrument of the API's stand-in would become real later, beside the real provider's own.
    if provider is _observed_by or type(provider).__module__.startswith("opentelemetry.metrics"):
        return
    _observed_by = provider
    name = semconv.HEALTH_STATUS
    meter = provider.get_meter("otelkit.health")
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
