"""OTLP over gRPC, for which the extra ``grpc`` is needed: calls made, answers understood."""

from __future__ import annotations

import re

from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from otelkit.export.exporter import Answer, Batch
from otelkit.export.grpc_client import Client, Reply
from otelkit.export.otlp import OtlpExporter
from otelkit.export.sockets import reason
from otelkit.settings import Otlp

_METHODS = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}
# All that the OTLP specification names.
RETRYABLE = frozenset(
    {
        "CANCELLED",
        "DEADLINE_EXCEEDED",
        "RESOURCE_EXHAUSTED",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNAVAILABLE",
        "DATA_LOSS",
    }
)
# There is no code for it, but words: of Go, C++ and Python; of Java; of Rust; of HTTP proxies.
_TOO_LARGE = re.compile(r"larger than max|exceeds maximum|too large|HTTP 413")


class OtlpGrpcExporter(OtlpExporter):
    """Sends one signal over gRPC.

    Args:
        signal: ``traces``, ``metrics`` or ``logs``.
        destination: Address, headers and the rest, as :meth:`Settings.otlp` gives them.
    """

    def __init__(self, signal: str, destination: Otlp) -> None:
        super().__init__(signal, destination)
        self._client: Client = Client(
            destination.endpoint,
            destination.headers,
            compression=destination.compression,
            certificate=destination.certificate,
            client_certificate=destination.client_certificate,
            client_key=destination.client_key,
        )

    def send(self, batch: Batch, timeout: float) -> Answer:
        """Sends one request within ``timeout`` seconds."""
        try:
            reply = self._client.call(_METHODS[self._signal], batch.payload, timeout)
        except OSError as error:
            return Answer("retry", reason(error))
        except ValueError as error:
            return Answer("failed", str(error))
        return self._understood(reply)

    def _understood(self, reply: Reply) -> Answer:
        if reply.code == "OK":
            return self.accepted(reply.message)
        details = self.quoted(reply.text)
        text = f"answered {reply.code}: {details}" if details else f"answered {reply.code}"
        if reply.code in ("RESOURCE_EXHAUSTED", "OUT_OF_RANGE") and _TOO_LARGE.search(details):
            return Answer("too_large", text)
        if reply.code in RETRYABLE:
            return Answer("retry", text, _retry_delay(reply.details))
        return Answer("failed", text)


def _retry_delay(details: bytes) -> float | None:
    """The server's ``RetryInfo``, in seconds."""
    try:
        status = Status.FromString(details)
        for detail in status.details:
            info = RetryInfo()
            if detail.Unpack(info):
                return float(info.retry_delay.ToTimedelta().total_seconds())
    except (DecodeError, OverflowError):
        pass
    return None
