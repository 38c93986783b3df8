"""Families written down: Prometheus's text format 0.0.4, and OpenMetrics 1.0 with exemplars."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import accumulate
from math import inf, isnan
from typing import cast

from otelkit.prometheus.families import Buckets, Exemplar, Family, Kind, Labels

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

Writer = Callable[[Family, list[str], bool], None]

_TYPES: dict[Kind, str] = {"updown": "gauge", "info": "gauge"}
_OPENMETRICS_TYPES: dict[Kind, str] = {"updown": "gauge"}
# Names that mean the parts of a histogram. Of another type they are written without one, which is
# what both formats have for it.
_PARTS = ("_count", "_sum", "_bucket")


def write(families: Iterable[Family], *, openmetrics: bool) -> str:
    """The page that shows ``families``.

    Args:
        families: Each of its own name; one without series is left out.
        openmetrics: OpenMetrics 1.0; else Prometheus's text format 0.0.4.
    """
    lines: list[str] = []
    for family in families:
        if family.points:
            head = _openmetrics_head if openmetrics else _prometheus_head
            head(family, lines)
            _WRITERS.get(family.kind, _write_numbers)(family, lines, openmetrics)
    if openmetrics:
        lines.append("# EOF")
    lines.append("")
    return "\n".join(lines)


def _prometheus_head(family: Family, lines: list[str]) -> None:
    name = family.name + {"counter": "_total", "info": "_info"}.get(family.kind, "")
    help_ = family.help.replace("\\", "\\\\").replace("\n", "\\n")
    untyped = family.kind in ("gauge", "updown") and name.endswith(_PARTS)
    kind = "untyped" if untyped else _TYPES.get(family.kind, family.kind)
    lines += (f"# HELP {name} {help_}", f"# TYPE {name} {kind}")


def _openmetrics_head(family: Family, lines: list[str]) -> None:
    name = family.name
    untyped = family.kind in ("gauge", "updown") and name.endswith(_PARTS)
    kind = "unknown" if untyped else _OPENMETRICS_TYPES.get(family.kind, family.kind)
    lines.append(f"# TYPE {name} {kind}")
    if family.unit and family.kind != "info":
        lines.append(f"# UNIT {name} {family.unit}")
    lines.append(f"# HELP {name} {_escaped(family.help)}")


def _write_numbers(family: Family, lines: list[str], _openmetrics: bool) -> None:
    name = family.name
    points = cast("dict[Labels, float]", family.points)
    lines += [f"{name}{_braced(labels)} {_number(value)}" for labels, value in points.items()]


def _write_info(family: Family, lines: list[str], _openmetrics: bool) -> None:
    lines += [f"{family.name}_info{_braced(labels)} 1" for labels in family.points]


def _write_counters(family: Family, lines: list[str], openmetrics: bool) -> None:
    name, exemplars = f"{family.name}_total", family.exemplars if openmetrics else {}
    for labels, value in cast("dict[Labels, float]", family.points).items():
        line = f"{name}{_braced(labels)} {_number(value)}"
        kept = exemplars.get(labels)
        lines.append(line + _exemplar(kept[-1]) if kept else line)


def _write_histograms(family: Family, lines: list[str], openmetrics: bool) -> None:
    name, exemplars = family.name, family.exemplars if openmetrics else {}
    ends = _bucket_ends(family.bounds)
    for labels, value in family.points.items():
        counts, total = cast("Buckets", value)
        inner = _pairs(labels)
        start = f'{name}_bucket{{{inner}{"," if inner else ""}le="'
        totals = list(accumulate(counts))
        buckets = [f"{start}{end}{total}" for end, total in zip(ends, totals, strict=True)]
        if labels in exemplars:
            for exemplar in exemplars[labels]:
                place = bisect_left(family.bounds, exemplar.value)
                buckets[place] = f"{start}{ends[place]}{totals[place]}{_exemplar(exemplar)}"
        lines += buckets
        braced = f"{{{inner}}}" if inner else ""
        lines += (
            f"{name}_count{braced} {totals[-1]}",
            f"{name}_sum{braced} {_number(total)}",
        )


_WRITERS: dict[Kind, Writer] = {
    "counter": _write_counters,
    "histogram": _write_histograms,
    "info": _write_info,
}


@lru_cache(maxsize=256)
def _bucket_ends(bounds: tuple[float, ...]) -> tuple[str, ...]:
    return tuple(f'{_number(float(bound))}"}} ' for bound in (*bounds, inf))


def _braced(labels: Labels) -> str:
    return f"{{{_pairs(labels)}}}" if labels else ""


def _pairs(labels: Labels) -> str:
    return ",".join([f'{name}="{_escaped(value)}"' for name, value in labels])


def _escaped(text: str) -> str:
    if "\\" in text or '"' in text or "\n" in text:
        return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return text


def _number(value: float) -> str:
    if value == inf:
        return "+Inf"
    if value == -inf:
        return "-Inf"
    return "NaN" if isnan(value) else repr(value)


def _exemplar(exemplar: Exemplar) -> str:
    trace = f'trace_id="{exemplar.trace_id}",span_id="{exemplar.span_id}"'
    return f" # {{{trace}}} {_number(exemplar.value)} {exemplar.time:.3f}"
