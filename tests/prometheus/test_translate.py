"""Families of what the SDK collects; one instrument that cannot be shown costs that one only."""

from __future__ import annotations

import logging
from decimal import Decimal
from typing import Any

import numpy
import pytest
from opentelemetry import trace
from opentelemetry.metrics import Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from otelkit.instruments import USER_SCOPE
from otelkit.prometheus import text, translate
from otelkit.prometheus.families import Buckets
from tests.prometheus.conftest import Measuring


@pytest.fixture(autouse=True)
def _nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translate, "_said", set())


def test_every_kind_of_instrument(measuring: Measuring) -> None:
    meter = measuring.meter
    meter.create_counter("jobs", "{job}", "Jobs done.").add(3, {"queue": "a"})
    meter.create_up_down_counter("running").add(-2)
    meter.create_gauge("heat", "Cel").set(21.5)
    meter.create_histogram("wait", "s", explicit_bucket_boundaries_advisory=[1, 2]).record(1.5)
    found = measuring.families()
    kinds = {name: (family.kind, family.unit) for name, family in found.items()}
    assert kinds == {
        "jobs": ("counter", ""),
        "running": ("updown", ""),
        "heat_celsius": ("gauge", "celsius"),
        "wait_seconds": ("histogram", "seconds"),
    }
    assert found["jobs"].points == {(("queue", "a"),): 3}
    assert found["wait_seconds"].points == {(): Buckets([0, 1, 0], 1.5)}
    assert found["wait_seconds"].bounds == (1, 2)
    assert found["jobs"].help == "Jobs done."
    assert found["wait_seconds"].help == "wait"


def test_scopes_are_no_labels_and_their_numbers_are_added_up(measuring: Measuring) -> None:
    for scope in ("one", "two", USER_SCOPE):
        measuring.provider.get_meter(scope).create_counter("calls").add(1, {"a": 1})
    found = measuring.families()["calls"]
    assert found.points == {(("a", "1"),): 3}
    assert not found.user


def test_what_the_application_makes_is_marked(measuring: Measuring) -> None:
    measuring.provider.get_meter(USER_SCOPE).create_counter("uploads").add(1)
    assert measuring.families()["uploads"].user


def test_an_exponential_histogram_shows_count_and_sum(caplog: pytest.LogCaptureFixture) -> None:
    view = View(
        instrument_name="moving", aggregation=ExponentialBucketHistogramAggregation(max_size=20)
    )
    reader = InMemoryMetricReader()
    meter = MeterProvider([reader], views=[view], shutdown_on_exit=False).get_meter("test")
    moving = meter.create_histogram("moving")
    meter.create_counter("other").add(1)
    for value in (1, 10, 100):
        moving.record(value)
    for _ in range(2):
        found = translate.families(reader.get_metrics_data())
    assert found["moving"].points == {(): Buckets([3], 111)}
    assert 'moving_bucket{le="+Inf"} 3' in text.write(found.values(), openmetrics=False)
    assert found["other"].points == {(): 1}
    (record,) = caplog.records
    assert "moving is an exponential histogram" in record.getMessage()


def test_one_bad_instrument_is_left_out_with_one_warning(
    measuring: Measuring, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_options: object) -> list[object]:
        raise RuntimeError("no")

    measuring.meter.create_observable_gauge("broken", [broken])
    measuring.meter.create_counter("a.b").add(1)
    measuring.meter.create_gauge("a_b").set(1)  # the same name, and another kind
    measuring.meter.create_counter("good").add(1)
    with caplog.at_level(logging.WARNING, "otelkit"):
        found = [measuring.families() for _ in range(2)][-1]
    assert set(found) == {"a_b", "good"}
    assert found["a_b"].kind == "counter"
    (said,) = [r.getMessage() for r in caplog.records if r.name == "otelkit"]
    assert said.startswith("otelkit: a_b is not shown by the metrics endpoint: made as a counter")


@pytest.mark.parametrize("value", [numpy.float64(1.5), numpy.float32(1.5), Decimal("1.5"), 1.5])
def test_numbers_of_any_type_are_written_as_numbers(measuring: Measuring, value: Any) -> None:
    def observed(_options: object) -> list[Observation]:
        return [Observation(value)]

    measuring.meter.create_observable_gauge("g", [observed])
    measuring.meter.create_observable_counter("c", [observed])
    measuring.meter.create_histogram("h").record(numpy.float64(1.5))
    page = text.write(measuring.families().values(), openmetrics=True)
    for line in ("g 1.5\n", "c_total 1.5\n", "h_sum 1.5\n"):
        assert line in page


@pytest.mark.parametrize("value", [True, numpy.int64(1), numpy.bool_(True)])
def test_whatever_counts_as_one_is_one(measuring: Measuring, value: Any) -> None:
    measuring.meter.create_observable_gauge("g", [lambda _: [Observation(value)]])
    assert "g 1.0\n" in text.write(measuring.families().values(), openmetrics=False)


def test_a_family_that_is_kept_elsewhere_holds_what_others_have_made(measuring: Measuring) -> None:
    for scope, seconds in (("otelkit", 1), ("otelkit.user", 2), ("somebody.else", 4)):
        measuring.provider.get_meter(scope).create_histogram("wait", "s").record(seconds)
    measuring.provider.get_meter("otelkit").create_counter("jobs").add(1)
    data = measuring.reader.get_metrics_data()
    found = translate.families(data, elsewhere={"wait_seconds"})
    ((_, value),) = found["wait_seconds"].points.items()
    assert isinstance(value, Buckets)
    assert (sum(value.counts), value.sum) == (1, 4)
    assert found["jobs"].points == {(): 1}


def test_exemplars_are_of_sampled_spans(measuring: Measuring) -> None:
    wait = measuring.meter.create_histogram("wait", explicit_bucket_boundaries_advisory=[1])
    span = TracerProvider(shutdown_on_exit=False).get_tracer("t").start_span("s")
    wait.record(0.5, {"q": "a"})
    wait.record(0.7, {"q": "a"}, trace.set_span_in_context(span))
    ((labels, (exemplar,)),) = measuring.families()["wait"].exemplars.items()
    assert labels == (("q", "a"),)
    assert exemplar.value == 0.7
    assert exemplar.trace_id == f"{span.get_span_context().trace_id:032x}"
    assert exemplar.span_id == f"{span.get_span_context().span_id:016x}"


def test_the_target_is_the_resource(measuring: Measuring) -> None:
    resource = Resource({"service.name": "shop", "process.pid": 7, "service.instance.id": "x"})
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
    provider.get_meter("m").create_counter("c").add(1)
    data = reader.get_metrics_data()
    assert data is not None
    ((labels, _),) = translate.target(data, one_of_several=False).points.items()
    assert set(labels) >= {("service_name", "shop"), ("process_pid", "7")}
    ((labels, _),) = translate.target(data, one_of_several=True).points.items()
    assert dict(labels) == {"service_name": "shop"}
