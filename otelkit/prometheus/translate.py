"""Families out of what the SDK has collected.

Why not ``opentelemetry-exporter-prometheus``, which does the same for the official client: it takes
four seconds for ten thousand histograms where this takes a fraction of one
(``benchmarks/prometheus.py``), knows no exemplars, fails as a whole on one exponential histogram,
and after ``force_flush()`` repeats every line.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection

from opentelemetry.sdk.metrics.export import (
    ExponentialHistogram,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    Sum,
)

from otelkit import semconv
from otelkit.instruments import USER_SCOPE
from otelkit.prometheus import names
from otelkit.prometheus.families import Buckets, Exemplar, Family, Kind

_log = logging.getLogger("otelkit")
_OF_ONE_PROCESS = (semconv.SERVICE_INSTANCE_ID, "process.pid", "process.parent_pid")
_said: set[str] = set()  # what was warned of, once a process


def families(data: MetricsData | None, elsewhere: Collection[str] = ()) -> dict[str, Family]:
    """The families of ``data`` by name; what cannot be shown is left out, with one warning each.

    The scope of an instrument is no label: libraries are told apart by the names of their metrics,
    and where two scopes make the same metric their numbers are added up.

    Args:
        data: What was collected.
        elsewhere: Families whose numbers are known from elsewhere, as far as they are otelkit's.
    """
    found: dict[str, Family] = {}
    for resource in data.resource_metrics if data else ():
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                try:
                    family = _family(metric, user=scope.scope.name == USER_SCOPE)
                    if family.name in elsewhere and f"{scope.scope.name}.".startswith("otelkit."):
                        family.points.clear()
                    put(found, family)
                except Exception as error:
                    _warn_once(metric.name, f"{error}")
    return found


def target(data: MetricsData, *, one_of_several: bool) -> Family:
    """The resource as the info family ``target``.

    Args:
        data: What was collected.
        one_of_several: Leave out what is this process's own: the page is about all of them.
    """
    attributes = dict(data.resource_metrics[0].resource.attributes)
    if one_of_several:
        for name in _OF_ONE_PROCESS:
            attributes.pop(name, None)
    family = Family("target", "info", "What is measured.")
    family.points[names.labels(attributes)] = 1
    return family


def put(found: dict[str, Family], family: Family) -> None:
    """Add the series of ``family`` to the one of its name; one that does not fit is left out."""
    present = found.setdefault(family.name, family)
    if present is family:
        return
    if not present.matches(family):
        _warn_once(family.name, f"made as a {present.kind} and, differently, as a {family.kind}")
        return
    for labels, value in family.points.items():
        present.add(labels, value)
    present.exemplars.update(family.exemplars)


def _warn_once(name: str, why: str) -> None:
    if name not in _said:
        _said.add(name)
        _log.warning("otelkit: %s is not shown by the metrics endpoint: %s", name, why)


def _family(metric: Metric, *, user: bool) -> Family:
    data = metric.data
    kind, fill = _KINDS[type(data)]
    if isinstance(data, Sum) and data.is_monotonic:
        kind = "counter"
    name, unit = names.family(metric.name, kind, metric.unit or "")
    described = f"{metric.description or metric.name}".strip()
    family = Family(name, kind, described, unit, user=user)
    fill(family, data)
    return family


def _numbers(family: Family, data: Sum | Gauge) -> None:
    points, add, labels = family.points, family.add, names.labels
    for point in data.data_points:
        key, value = labels(point.attributes), _plain(point.value)
        if key in points:
            add(key, value)
        else:
            points[key] = value
        if point.exemplars:
            _keep_exemplars(family, key, point)


def _histograms(family: Family, data: Histogram) -> None:
    labels = names.labels
    for point in data.data_points:
        if not family.points:
            family.bounds = tuple(point.explicit_bounds)
        elif family.bounds != tuple(point.explicit_bounds):
            raise ValueError("its series have different buckets")
        key = labels(point.attributes)
        family.add(key, Buckets(list(point.bucket_counts), _plain(point.sum)))
        if point.exemplars:
            _keep_exemplars(family, key, point)


def _exponential(family: Family, data: ExponentialHistogram) -> None:
    # Their buckets move while they are filled, which the text formats cannot say: count and sum.
    for point in data.data_points:
        family.add(names.labels(point.attributes), Buckets([point.count], _plain(point.sum)))
    if family.name not in _said:
        _said.add(family.name)
        _log.warning(
            "otelkit: %s is an exponential histogram: the metrics endpoint shows its count and "
            "sum, quantiles need explicit buckets",
            family.name,
        )


def _plain(number: float) -> float:
    """What callbacks observe may be of NumPy, or decimal; written as such it spoils the page."""
    return number if type(number) in (int, float) else float(number)


def _keep_exemplars(
    family: Family,
    labels: tuple[tuple[str, str], ...],
    point: NumberDataPoint | HistogramDataPoint,
) -> None:
    family.exemplars[labels] = [
        Exemplar(
            _plain(exemplar.value),
            exemplar.time_unix_nano / 1e9,
            f"{exemplar.trace_id:032x}",
            f"{exemplar.span_id:016x}",
        )
        for exemplar in point.exemplars
        if exemplar.trace_id and exemplar.span_id
    ]


_KINDS: dict[type, tuple[Kind, Callable[[Family, object], None]]] = {
    Sum: ("updown", _numbers),  # type: ignore[dict-item]
    Gauge: ("gauge", _numbers),  # type: ignore[dict-item]
    Histogram: ("histogram", _histograms),  # type: ignore[dict-item]
    ExponentialHistogram: ("histogram", _exponential),  # type: ignore[dict-item]
}
