"""OTLP over gRPC, for which the extra ``grpc`` is needed."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
import grpc._channel
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from otelkit.export.exporter import Answer, Batch
from otelkit.export.otlp import OtlpExporter
from otelkit.settings import Otlp

_METHODS = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}
# All that the OTLP specification names.
RETRYABLE = frozenset(
    {
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
_OPTIONS = (
    ("grpc.primary_user_agent", "otelkit"),
    # Left alone, a receiver that was away for long is not tried again for two minutes.
    ("grpc.max_reconnect_backoff_ms", 5000),
    ("grpc.enable_retries", 0),  # the queue retries, and counts
)
_abandoned: list[Any] = []  # channels of a parent: to close one in the child would hang


class OtlpGrpcExporter(OtlpExporter):
    """Sends one signal over gRPC.

    Args:
        signal: ``traces``, ``metrics`` or ``logs``.
        destination: Address, headers and the rest, as :meth:`Settings.otlp` gives them.
    """

    def __init__(self, signal: str, destination: Otlp) -> None:
        super().__init__(signal, destination)
        self._destination = destination
        self._headers = tuple(destination.headers.items())
        self._channel: Any = None
        self._export: Any = None
        self._sending = threading.Lock()
        self._held = False
        self._interrupted = False  # by hold()

    def send(self, batch: Batch, timeout: float) -> Answer:
        """Sends one request within ``timeout`` seconds."""
        answer = self._try(batch, timeout)
        if answer.outcome != "sent" and self._interrupted:
            self._interrupted = False
            return self._try(batch, timeout)  # the fork is over
        return answer

    def _try(self, batch: Batch, timeout: float) -> Answer:
        try:
            with self._sending:
                if self._channel is None:
                    self._channel = _channel(self._destination)
                    self._export = self._channel.unary_unary(_METHODS[self._signal])
                # A blocking call: others need a thread more, which cannot start at the end of a
                # process.
                body = self._export(batch.payload, timeout=timeout, metadata=self._headers)
        except grpc.RpcError as error:
            return _understood(error)
        except Exception as error:  # a certificate that cannot be read, a header gRPC refuses
            return Answer("failed", f"{type(error).__name__}: {error}")
        return self.accepted(body)

    def close(self) -> None:
        """Ends the channel, and a request in flight with it."""
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    def abort(self) -> None:
        """Makes a request that another thread is sending fail at once."""
        self.close()

    def reset(self) -> None:
        """Lets go of the parent's channel."""
        if self._channel is not None:
            _abandoned.append(self._channel)
        self._channel = None
        self._sending = threading.Lock()

    def hold(self) -> None:
        """Waits for the request in flight, ends it if need be: gRPC at work cannot be forked."""
        self._held = self._sending.acquire(timeout=0.1)
        if not self._held:
            self._interrupted = True
            self.close()
            self._held = self._sending.acquire(timeout=1.0)

    def release(self) -> None:
        """Lets requests go on."""
        if self._held:
            self._sending.release()


def _channel(destination: Otlp) -> Any:
    url = urlsplit(destination.endpoint)
    target = f"{url.hostname}:{url.port or 4317}"
    compression = {"gzip": grpc.Compression.Gzip, "deflate": grpc.Compression.Deflate}.get(
        destination.compression
    )
    if url.scheme == "http":
        return grpc.insecure_channel(target, options=_OPTIONS, compression=compression)
    files = (destination.certificate, destination.client_key, destination.client_certificate)
    credentials = grpc.ssl_channel_credentials(
        *(Path(file).read_bytes() if file else None for file in files)
    )
    return grpc.secure_channel(target, credentials, options=_OPTIONS, compression=compression)


def _understood(error: Any) -> Answer:
    code, details = error.code(), (error.details() or "")[:200]
    text = f"answered {code.name}: {details}" if details else f"answered {code.name}"
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in details:
        return Answer("too_large", text)
    if code in RETRYABLE:
        return Answer("retry", text, _retry_delay(error))
    return Answer("failed", text)


def _retry_delay(error: Any) -> float | None:
    """The server's ``RetryInfo``, in seconds."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            try:
                details = Status.FromString(value).details
            except DecodeError:
                return None
            for detail in details:
                info = RetryInfo()
                if detail.Unpack(info):
                    return float(info.retry_delay.ToTimedelta().total_seconds())
    return None
