"""Metric families: what a page of metrics is made of, whatever the numbers come from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Labels = tuple[tuple[str, str], ...]  # sorted by name

# The numbers of an updown and of a gauge are of this moment. Those of several processes add up for
# an updown (requests being served); those of a gauge (a temperature) stand side by side.
Kind = Literal["counter", "updown", "gauge", "histogram", "info"]


class Buckets(NamedTuple):
    """The value of a histogram: a count for each bucket, the last one unbounded, and the sum."""

    counts: list[int]
    sum: float


class Exemplar(NamedTuple):
    """One measurement and the trace it was made in; ids are hexadecimal, time is Unix seconds."""

    value: float
    time: float
    trace_id: str
    span_id: str


Value = float | Buckets


@dataclass
class Family:
    """All series of one metric, in the names of Prometheus.

    Attributes:
        name: Without what the exposition adds (``_total``, ``_bucket``, ``_info``).
        kind: See :data:`Kind`.
        help: One sentence, never empty.
        unit: The word that the name ends with, such as ``seconds``; empty without one.
        bounds: Upper bounds of a histogram's buckets, without the infinite one.
        user: Made by the application with ``otelkit.counter`` and its likes.
    """

    name: str
    kind: Kind
    help: str
    unit: str = ""
    bounds: tuple[float, ...] = ()
    user: bool = False
    points: dict[Labels, Value] = field(default_factory=dict)
    exemplars: dict[Labels, list[Exemplar]] = field(default_factory=dict)

    def add(self, labels: Labels, value: Value) -> None:
        """Add ``value`` to the series, which may be new."""
        present = self.points.get(labels)
        if present is None:
            self.points[labels] = value
        elif isinstance(present, Buckets) and isinstance(value, Buckets):
            counts = [a + b for a, b in zip(present.counts, value.counts, strict=True)]
            self.points[labels] = Buckets(counts, present.sum + value.sum)
        elif self.kind == "gauge":
            self.points[labels] = value
        else:
            self.points[labels] = present + value  # type: ignore[operator, assignment]

    def matches(self, other: Family) -> bool:
        """Whether the series of both can stand in one family."""
        return self.kind == other.kind and self.bounds == other.bounds

    def empty(self) -> Family:
        """The same family without series."""
        return Family(self.name, self.kind, self.help, self.unit, self.bounds, self.user)


def sample_names(family: Family) -> Iterable[str]:
    """The names under which the exposition shows ``family``."""
    name = family.name
    return {
        "counter": (f"{name}_total",),
        "histogram": (f"{name}_bucket", f"{name}_count", f"{name}_sum"),
        "info": (f"{name}_info",),
    }.get(family.kind, (name,))
