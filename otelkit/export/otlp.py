"""OTLP: items encoded by the stock encoders, and split below the size that receivers accept.

The stock exporters return no more than success or failure, retry as long as they like, and drop a
batch that is too large as a whole; so what happens around the encoders is here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf.message import DecodeError, Message
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from otelkit.export.exporter import Answer, Batch, Exporter
from otelkit.export.http_client import without_credentials
from otelkit.export.sockets import Caller
from otelkit.export.split import LEAVES, count, halve
from otelkit.settings import Otlp

LARGEST_REQUEST = 4_000_000  # bytes; gRPC servers refuse more than 4 MiB unless told otherwise
_LONGEST_QUOTE = 200  # characters
_SHORTEST_SECRET = 8

_ENCODE: dict[str, Callable[[Any], Message]] = {
    "traces": encode_spans,
    "logs": encode_logs,
    "metrics": lambda items: encode_metrics(items[0]),
}
_REQUEST: dict[str, Any] = {
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
    "logs": ExportLogsServiceRequest,
}
_RESPONSE: dict[str, tuple[Any, str]] = {
    "traces": (ExportTraceServiceResponse, "rejected_spans"),
    "metrics": (ExportMetricsServiceResponse, "rejected_data_points"),
    "logs": (ExportLogsServiceResponse, "rejected_log_records"),
}


class OtlpExporter(Exporter):
    """Encodes one signal; how it is sent is a subclass's.

    Args:
        signal: ``traces``, ``metrics`` or ``logs``.
        destination: Address, headers and the rest, as :meth:`Settings.otlp` gives them.
    """

    spoolable = True
    _client: Caller[Any]

    def __init__(self, signal: str, destination: Otlp) -> None:
        self.endpoint = without_credentials(destination.endpoint)
        self._signal = signal
        words = " ".join(destination.headers.values()).split()
        self._secrets = [word for word in words if len(word) >= _SHORTEST_SECRET]
        self._resource: Resource | None = None

    def close(self) -> None:
        """Ends the connection."""
        self._client.close()

    def abort(self) -> None:
        """Makes a request that another thread is sending fail at once."""
        self._client.abort()

    def reset(self) -> None:
        """Lets go of the parent's connection."""
        self._client.let_go()

    def speak_as(self, resource: Resource | None) -> None:
        """Takes the resource to send in place of what the items say; ``None`` leaves theirs."""
        self._resource = resource

    def prepare(self, items: Sequence[Any]) -> tuple[list[Batch], int]:
        """Encodes ``items`` into requests of at most 4 MB; what defies encoding is left out."""
        try:
            message = _ENCODE[self._signal](items)
        except Exception:
            if len(items) <= 1:
                return [], len(items)
            middle = len(items) // 2
            first, lost = self.prepare(items[:middle])
            second, more = self.prepare(items[middle:])
            return first + second, lost + more
        if self._resource is not None:
            for group in getattr(message, LEAVES[self._signal][0]):
                group.resource.CopyFrom(self._resource)
        return list(self._sized(message)), 0

    def _sized(self, message: Message) -> list[Batch]:
        if message.ByteSize() > LARGEST_REQUEST:
            parts = halve(message, self._signal)
            if parts:
                return [batch for part in parts for batch in self._sized(part)]
        items = count(message, self._signal)
        return [Batch(items, message.SerializeToString())] if items else []

    def halve(self, batch: Batch) -> list[Batch]:
        """``batch`` as two requests, or nothing when it holds a single item."""
        parts = halve(_REQUEST[self._signal].FromString(batch.payload), self._signal)
        return [Batch(count(part, self._signal), part.SerializeToString()) for part in parts]

    def accepted(self, body: bytes) -> Answer:
        """A success may refuse some of the items; a body of another kind is taken for none."""
        kind, field = _RESPONSE[self._signal]
        try:
            partial = kind.FromString(body).partial_success
        except DecodeError:
            return Answer("sent")
        rejected = getattr(partial, field)
        error = f"refused {rejected}: {self.quoted(partial.error_message)}" if rejected else ""
        return Answer("sent", error, rejected=rejected)

    def quoted(self, text: str) -> str:
        """What a server says, on one line and not too long, without the secrets it was sent."""
        for secret in self._secrets:
            text = text.replace(secret, "[redacted]")
        return " ".join("".join(c if c.isprintable() else " " for c in text).split())[
            :_LONGEST_QUOTE
        ]
