"""Numbers of several processes, added up so that a total never goes down.

Prometheus takes any decrease of a counter for a restart and counts all of it again, the last digit
of a sum of seconds included. Which of several floats are added first decides about that digit; so
nothing is added before it is shown, and then all of it exactly.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from otelkit.prometheus.families import Buckets, Family, Labels, Value

Point = tuple[list[int], list[float]]  # counts of a histogram's buckets, and the terms of its sum


class Totals:
    """The points of one family before they are added up.

    Args:
        family: Without points.
    """

    def __init__(self, family: Family) -> None:
        self.family = family
        self.points: dict[Labels, Point] = {}

    @classmethod
    def of(cls, family: Family) -> Totals:
        """Those of ``family``."""
        made = cls(family.empty())
        for labels, value in family.points.items():
            if isinstance(value, Buckets):
                made.points[labels] = (list(value.counts), [value.sum])
            else:
                made.points[labels] = ([], [value])
        return made

    def add(self, labels: Labels, counts: list[int], terms: Iterable[float]) -> None:
        """Adds to a series."""
        present = self.points.get(labels)
        if present is None:
            self.points[labels] = (list(counts), list(terms))
        elif self.family.kind == "gauge":
            present[1][:] = terms
        else:
            present[0][:] = [a + b for a, b in zip(present[0], counts, strict=True)]
            present[1].extend(terms)

    def shown(self) -> Family:
        """The family with its points."""
        family = self.family.empty()
        for labels, (counts, terms) in self.points.items():
            total = _whole(math.fsum(terms))
            value: Value = Buckets(counts, total) if counts else total
            family.points[labels] = value
        return family


def together(sources: Iterable[Totals]) -> dict[str, Totals]:
    """The sum of ``sources`` by family; of those that do not fit together the first one stays."""
    found: dict[str, Totals] = {}
    for source in sources:
        sum_ = found.setdefault(source.family.name, Totals(source.family))
        if sum_.family.matches(source.family):
            for labels, (counts, terms) in source.points.items():
                sum_.add(labels, counts, terms)
    return found


def packed(sources: Iterable[Totals]) -> list[Any]:
    """``sources`` as JSON has them, with as few terms as give exactly the same sum."""
    return [
        [
            [f.name, f.kind, f.help, f.unit, f.bounds, f.user],
            [[labels, counts, _few(terms)] for labels, (counts, terms) in source.points.items()],
        ]
        for source in sources
        for f in [source.family]
    ]


def unpacked(content: list[Any]) -> list[Totals]:
    """The opposite of :func:`packed`."""
    found = []
    for (name, kind, described, unit, bounds, user), points in content:
        totals = Totals(Family(name, kind, described, unit, tuple(bounds), user))
        for labels, counts, terms in points:
            totals.points[tuple((name, value) for name, value in labels)] = (counts, terms)
        found.append(totals)
    return found


def _few(terms: list[float]) -> list[float]:
    if len(terms) < 2:
        return terms
    left = sum(map(Fraction, terms))
    few: list[float] = []
    while left:
        few.append(float(left))
        left -= Fraction(few[-1])
    return few or [0.0]


def _whole(value: float) -> float:
    return int(value) if value.is_integer() and abs(value) < 2**53 else value
