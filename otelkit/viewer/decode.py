"""OTLP requests, protobuf or JSON, into plain records that the store keeps and the page shows.

A record is a dict of JSON values. Field names are OTLP's in snake case; ids are lower-case hex,
times are integers of nanoseconds since 1970, and `None` stands for an absent id.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Iterator
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

Record = dict[str, Any]

# SQLite's integers are signed; OTLP's times are not.
_LATEST = 2**63 - 1
_STATUS = {0: "UNSET", 1: "OK", 2: "ERROR"}
_SEVERITY = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")


def spans(request: ExportTraceServiceRequest) -> tuple[list[Record], int]:
    """Reads the spans of a request.

    Returns:
        The records, and the number of spans that were refused because they have no valid ids.
    """
    records, refused = [], 0
    for resource_spans in request.resource_spans:
        resource = _resource(resource_spans.resource)
        for scope_spans in resource_spans.scope_spans:
            scope = _scope(scope_spans.scope)
            for span in scope_spans.spans:
                if _id(span.trace_id, 16) and _id(span.span_id, 8):
                    records.append(_span(span) | {"scope": scope} | resource)
                else:
                    refused += 1
    return records, refused


def logs(request: ExportLogsServiceRequest) -> tuple[list[Record], int]:
    """Reads the log records of a request; none is ever refused, so the second value is 0."""
    records = []
    for resource_logs in request.resource_logs:
        resource = _resource(resource_logs.resource)
        for scope_logs in resource_logs.scope_logs:
            scope = _scope(scope_logs.scope)
            for log in scope_logs.log_records:
                records.append(_log(log) | {"scope": scope} | resource)
    return records, 0


def metrics(request: ExportMetricsServiceRequest) -> tuple[list[Record], int]:
    """Reads the data points of a request, one record each; none is ever refused."""
    records = []
    for resource_metrics in request.resource_metrics:
        resource = _resource(resource_metrics.resource)
        for scope_metrics in resource_metrics.scope_metrics:
            scope = _scope(scope_metrics.scope)
            for metric in scope_metrics.metrics:
                records += [p | {"scope": scope} | resource for p in _points(metric)]
    return records, 0


def _span(span: Span) -> Record:
    start = min(span.start_time_unix_nano, _LATEST)
    end = max(start, min(span.end_time_unix_nano, _LATEST))
    return {
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
        "parent_id": _id(span.parent_span_id, 8),
        "name": span.name,
        "kind": _name(Span.SpanKind.Name, span.kind).removeprefix("SPAN_KIND_"),
        "start_unix_nano": start,
        "end_unix_nano": end,
        "duration_ms": (end - start) / 1e6,
        "status": {
            "code": _STATUS.get(span.status.code, "UNSET"),
            "message": span.status.message,
        },
        "attributes": _attributes(span.attributes),
        "events": [
            {
                "name": event.name,
                "time_unix_nano": min(event.time_unix_nano, _LATEST),
                "attributes": _attributes(event.attributes),
            }
            for event in span.events
        ],
        "links": [
            {
                "trace_id": link.trace_id.hex(),
                "span_id": link.span_id.hex(),
                "attributes": _attributes(link.attributes),
            }
            for link in span.links
        ],
    }


def _log(log: LogRecord) -> Record:
    severity = _SEVERITY[(log.severity_number - 1) // 4] if 1 <= log.severity_number <= 24 else ""
    return {
        "trace_id": _id(log.trace_id, 16),
        "span_id": _id(log.span_id, 8),
        "time_unix_nano": min(log.time_unix_nano or log.observed_time_unix_nano, _LATEST),
        "severity_number": log.severity_number,
        "severity": log.severity_text or severity,
        "event_name": log.event_name,
        "body": _value(log.body),
        "attributes": _attributes(log.attributes),
    }


def _points(metric: Metric) -> Iterator[Record]:
    kind = metric.WhichOneof("data")
    if kind is None:
        return
    data = getattr(metric, kind)
    about: Record = {
        "name": metric.name,
        "description": metric.description,
        "unit": metric.unit,
        "type": kind,
    }
    if kind in ("sum", "histogram", "exponential_histogram"):
        temporality = _name(AggregationTemporality.Name, data.aggregation_temporality)
        about["temporality"] = temporality.removeprefix("AGGREGATION_TEMPORALITY_").lower()
    if kind == "sum":
        about["monotonic"] = data.is_monotonic
    for point in data.data_points:
        yield {
            **about,
            "attributes": _attributes(point.attributes),
            "time_unix_nano": min(point.time_unix_nano, _LATEST),
            **_measured(kind, point),
        }


def _measured(kind: str, point: Any) -> Record:
    if kind in ("gauge", "sum"):
        field = point.WhichOneof("value")
        return {"value": _number(getattr(point, field)) if field else None}
    measured: Record = {"count": point.count, "sum": _number(point.sum)}
    if kind == "summary":
        quantiles = [
            {"quantile": _number(q.quantile), "value": _number(q.value)}
            for q in point.quantile_values
        ]
        return measured | {"quantiles": quantiles}
    for field in ("min", "max"):
        measured[field] = _number(getattr(point, field)) if point.HasField(field) else None
    if kind == "histogram":
        measured["bounds"] = [_number(b) for b in point.explicit_bounds]
        measured["buckets"] = list(point.bucket_counts)
    else:
        measured["scale"] = point.scale
        measured["zero_count"] = point.zero_count
        for side in ("positive", "negative"):
            buckets = getattr(point, side)
            measured[side] = {"offset": buckets.offset, "counts": list(buckets.bucket_counts)}
    return measured


def _resource(resource: Resource) -> Record:
    attributes = _attributes(resource.attributes)
    return {
        "service": str(attributes.get("service.name") or "unknown_service"),
        "resource": attributes,
    }


def _scope(scope: InstrumentationScope) -> Record:
    return {"name": scope.name, "version": scope.version}


def _attributes(pairs: Iterable[KeyValue]) -> Record:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    return _number(getattr(value, kind))


def _number(value: Any) -> Any:
    """JSON has no NaN and no infinity: they become the strings protobuf's JSON has for them."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _id(raw: bytes, length: int) -> str | None:
    """Gives the id as hex, or `None` for the invalid ones: a wrong length, or all zero."""
    return raw.hex() if len(raw) == length and any(raw) else None


def _name(names: Any, number: int) -> str:
    try:
        return str(names(number))
    except ValueError:  # a number that this version of the protocol does not know
        return "UNSPECIFIED"
