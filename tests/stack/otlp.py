"""Telemetry made by hand, as OTLP over HTTP: exactly so many items, each with an id of its own."""

from __future__ import annotations

import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Gauge,
    Metric,
    NumberDataPoint,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

RESOURCE = {
    "service.name": "shop",
    "service.instance.id": "shop-1",
    "deployment.environment.name": "test",
}


def value(of: Any) -> AnyValue:
    if isinstance(of, bool):
        return AnyValue(bool_value=of)
    if isinstance(of, int):
        return AnyValue(int_value=of)
    if isinstance(of, float):
        return AnyValue(double_value=of)
    return AnyValue(string_value=of)


def attributes(of: Mapping[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=value(one)) for key, one in of.items()]


def span(
    name: str = "work",
    *,
    trace_id: bytes | None = None,
    parent: bytes = b"",
    seconds: float = 0.01,
    kind: int = Span.SPAN_KIND_INTERNAL,
    error: bool = False,
    **has: Any,
) -> Span:
    """A span that has just ended; further arguments are attributes, ``__`` stands for a dot."""
    end = time.time_ns()
    return Span(
        trace_id=trace_id or os.urandom(16),
        span_id=os.urandom(8),
        parent_span_id=parent,
        name=name,
        kind=kind,  # type: ignore[arg-type]
        start_time_unix_nano=end - int(seconds * 1e9),
        end_time_unix_nano=end,
        status=Status(code=Status.STATUS_CODE_ERROR) if error else None,
        attributes=attributes({key.replace("__", "."): one for key, one in has.items()}),
    )


def traces(spans: Iterable[Span], resource: Mapping[str, Any] = RESOURCE) -> bytes:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add(resource=Resource(attributes=attributes(resource)))
    group.scope_spans.add().spans.extend(spans)
    return request.SerializeToString()


def record(text: str, trace_id: bytes = b"", **has: Any) -> LogRecord:
    now = time.time_ns()
    return LogRecord(
        time_unix_nano=now,
        observed_time_unix_nano=now,
        severity_number=9,  # type: ignore[arg-type]
        severity_text="INFO",
        body=value(text),
        trace_id=trace_id,
        span_id=os.urandom(8) if trace_id else b"",
        attributes=attributes({key.replace("__", "."): one for key, one in has.items()}),
    )


def logs(records: Iterable[LogRecord], resource: Mapping[str, Any] = RESOURCE) -> bytes:
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add(resource=Resource(attributes=attributes(resource)))
    group.scope_logs.add().log_records.extend(records)
    return request.SerializeToString()


def gauge(name: str, **has: Any) -> Metric:
    point = NumberDataPoint(
        time_unix_nano=time.time_ns(), as_double=1.0, attributes=attributes(has)
    )
    return Metric(name=name, gauge=Gauge(data_points=[point]))


def metrics(of: Iterable[Metric], resource: Mapping[str, Any] = RESOURCE) -> bytes:
    request = ExportMetricsServiceRequest()
    group = request.resource_metrics.add(resource=Resource(attributes=attributes(resource)))
    group.scope_metrics.add().metrics.extend(of)
    return request.SerializeToString()


def send(url: str, signal: str, body: bytes) -> int:
    """The HTTP status that the collector answers with; 0 when it does not."""
    request = urllib.request.Request(
        f"{url}/v1/{signal}", body, {"content-type": "application/x-protobuf"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            status: int = answer.status
            return status
    except urllib.error.HTTPError as refused:
        return refused.code
    except OSError:
        return 0
