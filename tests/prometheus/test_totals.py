"""Totals of several processes never go down, in whatever order they are added."""

from __future__ import annotations

import json
import math
import random
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from otelkit.prometheus.families import Buckets, Family
from otelkit.prometheus.totals import Totals, packed, together, unpacked

SECONDS = st.floats(0, 1e9, allow_nan=False)


def counter(*terms: float) -> Totals:
    made = Totals(Family("c", "counter", "C."))
    made.add((), [], terms)
    return made


def shown(sources: list[Totals]) -> float:
    value = together(sources)["c"].shown().points[()]
    assert isinstance(value, (int, float))
    return value


@given(st.lists(SECONDS, min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_the_order_does_not_matter_nor_what_was_packed_before(
    terms: list[float], chance: random.Random
) -> None:
    expected = float(sum(map(Fraction, terms)))
    chance.shuffle(terms)
    at = chance.randrange(len(terms))
    buried: list[Totals] = []
    for term in terms[:at]:  # one worker after the other ends
        sources = [*buried, counter(term)]
        buried = unpacked(json.loads(json.dumps(packed(together(sources).values()))))
    assert shown([*buried, *map(counter, terms[at:])]) == expected


@given(st.lists(st.integers(0, 10**12).map(lambda nanoseconds: nanoseconds / 1e9), max_size=40))
def test_what_is_packed_stays_small(terms: list[float]) -> None:
    ((_, points),) = packed([counter(*terms)])
    ((_, _, few),) = points
    assert len(few) <= 3
    assert math.fsum(few) == math.fsum(terms)


def test_histograms_gauges_and_what_does_not_fit() -> None:
    histogram = Family("h", "histogram", "H.", bounds=(1.0,))
    histogram.points = {(("a", "x"),): Buckets([1, 2], 0.1)}
    other = Family("h", "histogram", "H.", bounds=(2.0,), points={(): Buckets([5, 5], 9)})
    gauge = Family("g", "gauge", "G.", points={(("worker", "0"),): 7})
    sum_ = together(map(Totals.of, (histogram, gauge, other, histogram)))
    assert sum_["h"].shown().points == {(("a", "x"),): Buckets([2, 4], 0.2)}
    assert sum_["g"].shown().points == {(("worker", "0"),): 7}


def test_whole_numbers_are_shown_as_such() -> None:
    assert repr(shown([counter(1.0), counter(2.0)])) == "3"
    assert repr(shown([counter(0.5)])) == "0.5"
