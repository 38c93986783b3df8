"""OTLP comes in: from the SDK's own exporters, and by hand."""

from __future__ import annotations

import gzip
import json
import logging
import zlib

import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

from otelkit.viewer import Viewer

from .client import JSON, PROTOBUF, START, TRACE, ask, attributes, connect, log, logs, post, span
from .client import traces as traces_of

RESOURCE = Resource.create({"service.name": "shop", "service.instance.id": "one"})


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
def test_keeps_spans_of_the_sdk(viewer: Viewer, compression: Compression) -> None:
    exporter = OTLPSpanExporter(endpoint=f"{viewer.url}/v1/traces", compression=compression)
    provider = TracerProvider(resource=RESOURCE)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("shop.web", "2.1")
    with tracer.start_as_current_span("GET /", kind=SpanKind.SERVER) as root:
        with tracer.start_as_current_span(
            "query", attributes={"db.system.name": "sqlite"}
        ) as child:
            child.set_attributes({"rows": 3, "ratio": 0.5, "cached": False, "tags": ["a", "b"]})
            child.add_event("fetched", {"page": 1})
        root.record_exception(ValueError("broken"))
        root.set_status(Status(StatusCode.ERROR, "it broke"))
    provider.shutdown()

    query, get = viewer.store.spans()
    assert get["name"] == "GET /"
    assert get["kind"] == "SERVER"
    assert get["parent_id"] is None
    assert get["status"] == {"code": "ERROR", "message": "it broke"}
    assert get["events"][0]["attributes"]["exception.message"] == "broken"
    assert get["service"] == "shop"
    assert get["resource"]["service.instance.id"] == "one"
    assert get["scope"] == {"name": "shop.web", "version": "2.1"}
    assert query["trace_id"] == get["trace_id"]
    assert query["parent_id"] == get["span_id"]
    assert query["attributes"] == {
        "db.system.name": "sqlite",
        "rows": 3,
        "ratio": 0.5,
        "cached": False,
        "tags": ["a", "b"],
    }
    assert query["events"][0]["name"] == "fetched"
    assert query["duration_ms"] == (query["end_unix_nano"] - query["start_unix_nano"]) / 1e6


def test_keeps_logs_of_the_sdk_with_their_trace(viewer: Viewer) -> None:
    tracers = TracerProvider()
    provider = LoggerProvider(resource=RESOURCE)
    exporter = OTLPLogExporter(endpoint=f"{viewer.url}/v1/logs", compression=Compression.Gzip)
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    logger = logging.Logger("shop.orders")
    logger.addHandler(LoggingHandler(logger_provider=provider))
    with tracers.get_tracer("t").start_as_current_span("order") as order:
        logger.warning("only %d left", 2, extra={"sku": "b-1"})
    provider.shutdown()

    (record,) = viewer.store.logs()
    context = order.get_span_context()
    assert record["trace_id"] == f"{context.trace_id:032x}"
    assert record["span_id"] == f"{context.span_id:016x}"
    assert record["body"] == "only 2 left"
    assert record["severity"] == "WARN"
    assert record["scope"]["name"] == "shop.orders"
    assert record["attributes"]["sku"] == "b-1"


def test_keeps_the_latest_point_of_each_metric_series_of_the_sdk(viewer: Viewer) -> None:
    exporter = OTLPMetricExporter(endpoint=f"{viewer.url}/v1/metrics", compression=Compression.Gzip)
    reader = PeriodicExportingMetricReader(exporter)
    provider = MeterProvider(metric_readers=[reader], resource=RESOURCE)
    meter = provider.get_meter("shop")
    counter = meter.create_counter("orders", unit="{order}", description="Orders taken")
    histogram = meter.create_histogram(
        "wait", unit="s", explicit_bucket_boundaries_advisory=[1.0, 5.0]
    )
    counter.add(1, {"kind": "new"})
    provider.force_flush()
    counter.add(2, {"kind": "new"})
    meter.create_gauge("stock").set(7)
    histogram.record(0.5)
    histogram.record(9.0)
    provider.shutdown()

    orders, stock, wait = viewer.store.metrics()
    assert (orders["name"], orders["type"], orders["value"]) == ("orders", "sum", 3)
    assert orders["unit"] == "{order}"
    assert orders["description"] == "Orders taken"
    assert orders["attributes"] == {"kind": "new"}
    assert orders["temporality"] == "cumulative"
    assert orders["monotonic"] is True
    assert (stock["name"], stock["type"], stock["value"]) == ("stock", "gauge", 7)
    assert (wait["count"], wait["sum"], wait["min"], wait["max"]) == (2, 9.5, 0.5, 9.0)
    assert (wait["bounds"], wait["buckets"]) == ([1.0, 5.0], [1, 0, 1])
    assert viewer.store.stats()["metrics"]["received"] == 4


def test_reads_the_json_encoding(viewer: Viewer) -> None:
    body = traces_of(span(1, "root", ratio=0.5, size=2**60, ok=True))
    body["resourceSpans"][0]["fieldOfTomorrow"] = {"any": ["thing"]}

    answer = post(viewer, "traces", body, Content_Type="application/json; charset=utf-8")

    assert (answer.status, answer.json) == (200, {})
    assert answer.headers["Content-Type"] == JSON
    (record,) = viewer.store.spans()
    assert (record["trace_id"], record["span_id"]) == (TRACE, "0000000000000001")
    assert record["start_unix_nano"] == START
    assert record["attributes"] == {"ratio": 0.5, "size": 2**60, "ok": True}


def test_reads_json_logs_and_metrics(viewer: Viewer) -> None:
    points = [{"asInt": "4", "timeUnixNano": str(START), "attributes": attributes({"a": "b"})}]
    metric = {"name": "orders", "sum": {"dataPoints": points, "isMonotonic": True}}
    metrics = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}

    assert post(viewer, "logs", logs(log("hello", number=1))).status == 200
    assert post(viewer, "metrics", metrics).status == 200

    assert viewer.store.logs(TRACE)[0]["body"] == "hello"
    assert viewer.store.logs(TRACE)[0]["severity"] == "INFO"
    assert viewer.store.metrics()[0]["value"] == 4
    assert viewer.store.metrics()[0]["service"] == "unknown_service"


def test_reads_every_kind_of_metric(viewer: Viewer) -> None:
    exponential = {
        "count": "3",
        "sum": 6.0,
        "scale": 1,
        "zeroCount": "1",
        "positive": {"offset": 2, "bucketCounts": ["1", "1"]},
    }
    summary = {"count": "2", "sum": 3.0, "quantileValues": [{"quantile": 0.5, "value": 1.5}]}
    body = [
        {"name": "a", "exponentialHistogram": {"dataPoints": [exponential]}},
        {"name": "b", "summary": {"dataPoints": [summary]}},
        {"name": "c", "gauge": {"dataPoints": [{"asDouble": "NaN"}, {}]}},
        {"name": "d"},
    ]
    assert (
        post(viewer, "metrics", {"resourceMetrics": [{"scopeMetrics": [{"metrics": body}]}]}).status
        == 200
    )

    a, b, c = viewer.store.metrics()
    assert (a["scale"], a["zero_count"]) == (1, 1)
    assert a["positive"] == {"offset": 2, "counts": [1, 1]}
    assert b["quantiles"] == [{"quantile": 0.5, "value": 1.5}]
    assert c["value"] is None
    assert ask(viewer, "/api/metrics").status == 200


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)]
)
def test_unpacks_compressed_bodies(viewer: Viewer, encoding: str, pack: object) -> None:
    assert callable(pack)
    body = pack(json.dumps(traces_of(span(1))).encode())
    assert post(viewer, "traces", body, Content_Encoding=encoding).status == 200
    assert len(viewer.store.spans()) == 1


def test_reads_chunked_bodies(viewer: Viewer) -> None:
    whole = json.dumps(traces_of(span(1), span(2))).encode()
    pieces = iter([whole[:7], whole[7:300], whole[300:]])
    connection = connect(viewer)
    connection.request("POST", "/v1/traces", pieces, {"Content-Type": JSON})
    assert connection.getresponse().status == 200
    connection.close()
    assert len(viewer.store.spans()) == 2


def test_answers_protobuf_with_protobuf(viewer: Viewer) -> None:
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    spans.add(trace_id=bytes(15) + b"\1", span_id=bytes(7) + b"\1", name="good")
    spans.add(trace_id=bytes(16), span_id=bytes(7) + b"\2", name="zero trace id")
    spans.add(trace_id=b"short", span_id=bytes(7) + b"\3", name="short trace id")

    answer = post(viewer, "traces", request.SerializeToString(), Content_Type=PROTOBUF)

    assert answer.headers["Content-Type"] == PROTOBUF
    response = ExportTraceServiceResponse.FromString(answer.body)
    assert response.partial_success.rejected_spans == 2
    assert "trace id" in response.partial_success.error_message
    assert [record["name"] for record in viewer.store.spans()] == ["good"]


def test_a_span_sent_again_is_kept_once(viewer: Viewer) -> None:
    for _ in range(3):
        post(viewer, "traces", traces_of(span(1), span(2)))
    assert len(viewer.store.spans()) == 2
    assert viewer.store.traces()[0]["span_count"] == 2
    assert viewer.store.stats()["spans"] | {"bytes": 0} == {
        "received": 6,
        "kept": 2,
        "bytes": 0,
        "dropped": 0,
    }


def test_one_connection_serves_many_requests(viewer: Viewer) -> None:
    connection = connect(viewer)
    for number in range(1, 4):
        body = json.dumps(traces_of(span(number))).encode()
        connection.request("POST", "/v1/traces", body, {"Content-Type": JSON})
        connection.getresponse().read()
        first = connection.sock
        connection.request("POST", "/v1/traces", b"{", {"Content-Type": JSON})
        assert connection.getresponse().read()
        assert connection.sock is first
    connection.close()
    assert len(viewer.store.spans()) == 3
