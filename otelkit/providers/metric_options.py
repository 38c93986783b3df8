"""How metrics are aggregated and which of them carry a trace id, out of ``Settings``."""

from __future__ import annotations

from opentelemetry.sdk.metrics import (
    AlwaysOffExemplarFilter,
    AlwaysOnExemplarFilter,
    Counter,
    ExemplarFilter,
    Histogram,
    ObservableCounter,
    TraceBasedExemplarFilter,
)
from opentelemetry.sdk.metrics.export import AggregationTemporality
from opentelemetry.sdk.metrics.view import (
    Aggregation,
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
)

from otelkit.settings import Settings

_DELTA_KINDS: dict[str, tuple[type, ...]] = {
    "cumulative": (),
    "delta": (Counter, Histogram, ObservableCounter),
    "lowmemory": (Counter, Histogram),
}
_EXEMPLAR_FILTERS: dict[str, type[ExemplarFilter]] = {
    "trace_based": TraceBasedExemplarFilter,
    "always_on": AlwaysOnExemplarFilter,
    "always_off": AlwaysOffExemplarFilter,
}


def temporality(settings: Settings) -> dict[type, AggregationTemporality]:
    """The kinds of instruments that report changes instead of totals (OTLP exporter, metrics)."""
    return dict.fromkeys(_DELTA_KINDS[settings.temporality], AggregationTemporality.DELTA)


def aggregation(settings: Settings) -> dict[type, Aggregation]:
    """How histograms are kept."""
    exponential = settings.histogram_aggregation.startswith("base2")
    kind = ExponentialBucketHistogramAggregation if exponential else None
    return {Histogram: kind() if kind else ExplicitBucketHistogramAggregation()}


def exemplar_filter(settings: Settings) -> ExemplarFilter:
    """Which measurements are kept as examples, with the trace they were made in."""
    return _EXEMPLAR_FILTERS[settings.exemplar_filter]()
