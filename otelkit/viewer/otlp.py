"""The OTLP/HTTP protocol: what a request says, and how it is answered.

Source: the OTLP specification, "OTLP/HTTP": https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from otelkit.viewer import decode

PROTOBUF = "application/x-protobuf"
JSON = "application/json"

# The one place where OTLP's JSON differs from protobuf's own: ids are hex, not base64.
_HEX = {"traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"}


class Malformed(ValueError):
    """A request body that is not OTLP; the text says why."""


@dataclass(frozen=True)
class Signal:
    """One of OTLP's three signals.

    Attributes:
        request: The message that a client posts.
        response: The message that answers it.
        records: Turns a request into records and the number of refused items.
        rejected: The field of the response's `partial_success` with that number.
    """

    request: type[Message]
    response: type[Message]
    records: Callable[[Any], tuple[list[decode.Record], int]]
    rejected: str


SIGNALS = {
    "traces": Signal(
        trace_service_pb2.ExportTraceServiceRequest,
        trace_service_pb2.ExportTraceServiceResponse,
        decode.spans,
        "rejected_spans",
    ),
    "metrics": Signal(
        metrics_service_pb2.ExportMetricsServiceRequest,
        metrics_service_pb2.ExportMetricsServiceResponse,
        decode.metrics,
        "rejected_data_points",
    ),
    "logs": Signal(
        logs_service_pb2.ExportLogsServiceRequest,
        logs_service_pb2.ExportLogsServiceResponse,
        decode.logs,
        "rejected_log_records",
    ),
}


def read(signal: Signal, body: bytes, content_type: str) -> tuple[list[decode.Record], int]:
    """Reads the body of an export request.

    Args:
        signal: The signal of the path it was posted to.
        body: The body, decompressed.
        content_type: `PROTOBUF` or `JSON`.

    Returns:
        The records, and the number of items refused.

    Raises:
        Malformed: The body is not what its content type and path promise.
    """
    try:
        if content_type == PROTOBUF:
            message = signal.request.FromString(body)
        else:
            message = _from_json(signal, body)
        return signal.records(message)
    except DecodeError as error:
        raise Malformed(f"not a protobuf {signal.request.__name__}: {error}") from error
    except (ValueError, RecursionError, json_format.Error) as error:
        raise Malformed(f"not an OTLP {signal.request.__name__}: {error}") from error


def accepted(signal: Signal, refused: int, content_type: str) -> bytes:
    """Gives the body of the answer to a request that was read, in the encoding of the request."""
    response = signal.response()
    if refused:
        partial = response.partial_success  # type: ignore[attr-defined]
        setattr(partial, signal.rejected, refused)
        partial.error_message = "trace id or span id missing, all zero or of a wrong length"
    return _encoded(response, content_type)


def failed(message: str, content_type: str) -> bytes:
    """Gives the body of the answer to a request that failed: a `google.rpc.Status`."""
    return _encoded(Status(message=message), content_type)


def _encoded(message: Message, content_type: str) -> bytes:
    if content_type == PROTOBUF:
        return message.SerializeToString()
    return json_format.MessageToJson(message, indent=None).encode()


def _from_json(signal: Signal, body: bytes) -> Message:
    document = json.loads(body)
    if not isinstance(document, dict):
        raise ValueError("the JSON document must be an object")
    _hex_to_base64(document)
    return json_format.ParseDict(document, signal.request(), ignore_unknown_fields=True)


def _hex_to_base64(node: Any) -> None:
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        if isinstance(value, (dict, list)):
            _hex_to_base64(value)
        elif key in _HEX and isinstance(value, str):
            node[key] = base64.b64encode(bytes.fromhex(value)).decode()
