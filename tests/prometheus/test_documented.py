"""The table of metrics in README.md says what otelkit names and how it measures."""

from __future__ import annotations

from otelkit import semconv
from otelkit.prometheus import aliases
from tests.prometheus.documented import metrics


def test_it_has_every_metric_with_its_unit() -> None:
    assert {name: row.unit for name, row in metrics().items()} == semconv.UNITS


def test_the_kinds_are_those_of_buckets_and_aliases() -> None:
    kinds = {name: row.kind for name, row in metrics().items()}
    assert {name for name, kind in kinds.items() if kind == "histogram"} == set(semconv.BUCKETS)
    known = {name: kind for name, kind in aliases.KINDS.items() if name in kinds}
    assert known == {name: kinds[name] for name in known}


def test_its_attributes_are_known_ones() -> None:
    known = {value for value in vars(semconv).values() if isinstance(value, str)}
    assert {each for row in metrics().values() for each in row.attributes} <= known
