"""What an application measures wrongly is ignored with one warning; nothing of it raises."""

from __future__ import annotations

import decimal
import logging
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

import otelkit
from otelkit import _bounded, instruments


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("no")

    __float__ = __repr__


class Measured:
    """Instruments of all kinds and what has come of them."""

    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()
        self._provider = MeterProvider([self.reader], shutdown_on_exit=False)
        meter = self._provider.get_meter("test")
        self.counter = _bounded.counter(meter, _bounded.About("counter"))
        self.histogram = _bounded.histogram(meter, _bounded.About("histogram"), None)
        self.gauge = _bounded.gauge(meter, _bounded.About("gauge"))

    def points(self, name: str) -> list[Any]:
        data = self.reader.get_metrics_data()
        metrics = data.resource_metrics[0].scope_metrics[0].metrics if data else []
        return [p for metric in metrics if metric.name == name for p in metric.data.data_points]


@pytest.fixture
def measured() -> Measured:
    return Measured()


WRONG = [None, "3", b"3", [], Hostile(), float("nan"), float("inf"), 10**400, 1 + 2j, object()]


def test_what_is_no_number_is_ignored_with_one_warning_a_reason(measured, caplog):
    with caplog.at_level(logging.WARNING):
        for wrong in WRONG * 3:
            measured.counter.add(wrong)
            measured.histogram.record(wrong)
            measured.gauge.set(wrong)
    assert [measured.points(name) for name in ("counter", "histogram", "gauge")] == [[], [], []]
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == len(set(said)) <= 6
    assert "otelkit: counter: a measurement is ignored, it is no finite number (NoneType)" in said


def test_negative_amounts_are_ignored_except_by_gauges(measured, caplog):
    with caplog.at_level(logging.WARNING):
        measured.counter.add(-1)
        measured.counter.add(-2.5)
        measured.histogram.record(-0.1)
        measured.gauge.set(-7)
    assert measured.points("counter") == measured.points("histogram") == []
    assert measured.points("gauge")[0].value == -7
    assert len(caplog.records) == 2
    assert "it is negative" in caplog.text


def test_numbers_of_other_types_are_taken(measured):
    numpy = pytest.importorskip("numpy")
    for amount in (1, 2.5, True, numpy.int64(3), numpy.float32(0.5), decimal.Decimal("1.5")):
        measured.counter.add(amount)
    assert measured.points("counter")[0].value == 9.5


def test_attributes_of_any_kind_do_not_raise(measured):
    for attributes in ("x", 7, [], {"list": [1, 2]}, {1: 2}, {"x": Hostile()}, {"none": None}):
        measured.counter.add(1, attributes)
    assert sum(point.value for point in measured.points("counter")) >= 5


def test_beyond_the_limit_all_is_one_series_and_the_warning_names_the_attribute(measured, caplog):
    with caplog.at_level(logging.WARNING):
        for user in range(2100):
            measured.counter.add(1, {"user": f"u{user}", "status": user % 2})
            measured.counter.add(1, {"user": "u0", "status": 0})  # the first goes on
    points = {tuple(point.attributes.items()): point.value for point in measured.points("counter")}
    assert len(points) == 2001
    assert points[(("otel.metric.overflow", True),)] == 100
    assert points[(("user", "u0"), ("status", 0))] == 2101
    (record,) = caplog.records
    assert record.getMessage() == (
        "otelkit: counter has more than 2000 series, attribute user has 2000 values; "
        "the rest is measured as otel.metric.overflow"
    )


def test_values_that_are_long_are_cut_with_one_warning(measured, caplog):
    with caplog.at_level(logging.WARNING):
        for number in range(3):
            given = {"question": "why" * 100_000 + str(number), "status": "ok"}
            for instrument in (measured.counter.add, measured.histogram.record, measured.gauge.set):
                instrument(1, given)
    for name in ("counter", "histogram", "gauge"):
        (point,) = measured.points(name)
        assert point.attributes == {"question": ("why" * 342)[:1024], "status": "ok"}
    assert len(caplog.records) == 3
    assert "counter: attribute question is cut to 1024 characters" in caplog.text


def test_a_mutable_dict_may_be_used_again(measured):
    attributes = {"step": "a"}
    measured.counter.add(1, attributes)
    attributes["step"] = "b"
    measured.counter.add(2, attributes)
    assert [p.value for p in measured.points("counter")] == [1, 2]


def test_a_unit_that_the_sdk_refuses_is_left_out_with_a_warning(caplog):
    with caplog.at_level(logging.WARNING):
        otelkit.counter("bounded_euro", unit="€").add(1)
        otelkit.gauge("bounded_long", unit="x" * 64).set(1)
        otelkit.histogram("bounded_none", unit=None).record(1)
    assert len(caplog.records) == 3
    assert "bounded_euro is measured without a unit" in caplog.text
    made = {about.name: about for _, about in instruments.made()}
    assert made["bounded_euro"].unit == ""


def test_buckets_may_end_with_infinity_and_are_numbers_otherwise():
    otelkit.histogram("bounded_buckets", buckets=[1, 2, float("inf")]).record(1.5)
    for wrong in ([1, float("nan")], ["x"], 5, [float("inf"), 1]):
        with pytest.raises(otelkit.ConfigError, match="bounded_wrong"):
            otelkit.histogram("bounded_wrong", buckets=wrong)
