"""Items as OTLP: all of them arrive, in requests below the limit, whatever is in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

from otelkit.export import otlp
from otelkit.export.exporter import Answer
from otelkit.export.otlp_http import OtlpHttpExporter
from otelkit.providers import resource
from otelkit.settings import Otlp
from tests.lifecycle.peers import Receiver, refusing

tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")


def span(name: str = "work", **attributes: Any) -> ReadableSpan:
    made = tracer.start_span(name, attributes=attributes)
    made.end()
    assert isinstance(made, ReadableSpan)
    return made


Make = Callable[..., OtlpHttpExporter]


@pytest.fixture
def exporter() -> Iterator[Make]:
    made: list[OtlpHttpExporter] = []

    def make(url: str = "http://127.0.0.1:1", signal: str = "traces", **options: Any):
        settings = {"headers": {}, "timeout": 5.0, "compression": "none", **options}
        destination = Otlp(f"{url}/v1/{signal}", "http/protobuf", **settings)
        made.append(OtlpHttpExporter(signal, destination))
        return made[-1]

    yield make
    for each in made:
        each.close()


def send(sender: OtlpHttpExporter, *items: Any) -> list[Answer]:
    batches, lost = sender.prepare(items)
    assert lost == 0
    return [sender.send(batch, 5.0) for batch in batches]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.mark.parametrize("compression", ["none", "gzip", "deflate"])
def test_spans_arrive_however_they_are_packed(
    exporter: Make, receiver: Receiver, compression: str
) -> None:
    answers = send(exporter(receiver.url, compression=compression), span("one"), span("two"))
    assert answers == [Answer("sent")]
    assert receiver.spans() == {"one": 1, "two": 1}


def test_a_large_batch_becomes_requests_below_the_limit(exporter: Make) -> None:
    spans = [span(f"span {n}", text="x" * 16_000) for n in range(600)]
    batches, lost = exporter().prepare(spans)
    assert lost == 0
    assert len(batches) > 1
    assert all(len(batch.payload) <= otlp.LARGEST_REQUEST for batch in batches)
    assert sum(batch.size for batch in batches) == 600


def test_parts_of_a_batch_keep_resource_scope_and_order(exporter: Make, receiver: Receiver) -> None:
    sender = exporter(receiver.url)
    (batch,), _ = sender.prepare([span(f"{n}") for n in range(5)])
    first, second = sender.halve(batch)
    assert (first.size, second.size) == (2, 3)
    assert [sender.send(part, 5.0).outcome for part in (first, second)] == ["sent", "sent"]
    assert list(receiver.spans()) == ["0", "1", "2", "3", "4"]
    groups = [request.resource_spans[0] for _, request in receiver.requests]
    assert groups[0].resource == groups[1].resource
    assert [group.scope_spans[0].scope.name for group in groups] == ["test", "test"]


def test_a_single_item_is_not_halved(exporter: Make) -> None:
    sender = exporter()
    (batch,), _ = sender.prepare([span()])
    assert sender.halve(batch) == []


def test_points_of_one_metric_are_shared_between_two_requests(exporter: Make) -> None:
    reader = InMemoryMetricReader()
    counter = MeterProvider([reader], shutdown_on_exit=False).get_meter("m").create_counter("c")
    for number in range(5):
        counter.add(1, {"number": number})
    sender = exporter(signal="metrics")
    (batch,), _ = sender.prepare([reader.get_metrics_data()])
    assert batch.size == 5
    assert [part.size for part in sender.halve(batch)] == [2, 3]


@pytest.mark.parametrize("hostile", ["\ud800", "\x00"])
def test_an_item_that_defies_encoding_costs_no_other(
    exporter: Make, receiver: Receiver, hostile: str
) -> None:
    sender = exporter(receiver.url)
    batches, lost = sender.prepare([span("one"), span(f"bad {hostile}"), span("two")])
    assert sum(batch.size for batch in batches) + lost == 3
    assert lost <= 1
    for batch in batches:
        assert sender.send(batch, 5.0).outcome == "sent"
    assert receiver.spans()["one"] == receiver.spans()["two"] == 1


def test_who_speaks_can_be_said_in_place_of_what_the_items_say(
    exporter: Make, receiver: Receiver
) -> None:
    sender = exporter(receiver.url)
    sender.speak_as(
        resource.encoded({"service.name": "child", "process.pid": 7, "list": ["a", "b"]})
    )
    send(sender, span())
    (said,) = receiver.resources("traces")
    assert (said["service.name"], said["process.pid"]) == ("child", 7)


@pytest.mark.parametrize(
    ("status", "headers", "answer"),
    [
        (200, {}, Answer("sent")),
        (202, {}, Answer("sent")),
        (301, {"Location": "/elsewhere"}, Answer("failed", "answered 301 Moved Permanently")),
        (400, {}, Answer("failed", "answered 400 Bad Request")),
        (401, {}, Answer("failed", "answered 401 Unauthorized")),
        (404, {}, Answer("failed", "answered 404 Not Found")),
        (413, {}, Answer("too_large", f"answered 413 {HTTPStatus(413).phrase}")),
        (429, {"Retry-After": "7"}, Answer("retry", "answered 429 Too Many Requests", 7.0)),
        (429, {"Retry-After": "x"}, Answer("retry", "answered 429 Too Many Requests")),
        (500, {}, Answer("failed", "answered 500 Internal Server Error")),
        (502, {}, Answer("retry", "answered 502 Bad Gateway")),
        (503, {}, Answer("retry", "answered 503 Service Unavailable")),
        (504, {}, Answer("retry", "answered 504 Gateway Timeout")),
    ],
)
def test_answers_are_understood_as_the_specification_has_them(
    exporter: Make, status: int, headers: dict[str, str], answer: Answer
) -> None:
    with Receiver(status, headers) as receiver:
        assert send(exporter(receiver.url), span()) == [answer]


def test_a_date_to_retry_after_is_seconds_from_now(exporter: Make) -> None:
    with Receiver(503, {"Retry-After": "Fri, 31 Dec 2100 23:59:59 GMT"}) as receiver:
        (answer,) = send(exporter(receiver.url), span())
    assert answer.retry_after is not None
    assert answer.retry_after > 86_400


def test_items_that_a_receiver_rejects_are_known(exporter: Make) -> None:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
        ExportTraceServiceResponse,
    )

    response = ExportTraceServiceResponse()
    response.partial_success.rejected_spans = 2
    response.partial_success.error_message = "too old"
    with Receiver() as receiver:
        receiver.body = response.SerializeToString()
        assert send(exporter(receiver.url), *[span()] * 3) == [
            Answer("sent", "refused 2: too old", None, 2)
        ]


def test_nobody_there_is_worth_another_try(exporter: Make) -> None:
    with refusing() as url:
        assert send(exporter(url), span()) == [Answer("retry", "Connection refused")]


def test_headers_are_sent_with_every_request(exporter: Make, receiver: Receiver) -> None:
    send(exporter(receiver.url, headers={"x-api-key": "secret"}), span())
    seen = {key.lower(): value for key, value in receiver.seen[0].items()}
    assert seen["x-api-key"] == "secret"
    assert seen["content-type"] == "application/x-protobuf"
