"""OTLP over HTTP: requests posted, answers understood."""

from __future__ import annotations

import gzip
import http.client
import time
import zlib
from email.utils import parsedate_to_datetime

from otelkit.export.exporter import Answer, Batch
from otelkit.export.http_client import Client, Response
from otelkit.export.otlp import OtlpExporter
from otelkit.export.sockets import reason
from otelkit.settings import Otlp

RETRYABLE = frozenset({429, 502, 503, 504})  # all that the OTLP specification names
TOO_LARGE = 413


class OtlpHttpExporter(OtlpExporter):
    """Sends one signal over HTTP, encoded as protobuf.

    Args:
        signal: ``traces``, ``metrics`` or ``logs``.
        destination: Address, headers and the rest, as :meth:`Settings.otlp` gives them.
    """

    def __init__(self, signal: str, destination: Otlp) -> None:
        super().__init__(signal, destination)
        self._compression = destination.compression
        headers = {"content-type": "application/x-protobuf", "user-agent": "otelkit"}
        if self._compression != "none":
            headers["content-encoding"] = self._compression
        self._client: Client = Client(
            destination.endpoint,
            {**headers, **destination.headers},
            certificate=destination.certificate,
            client_certificate=destination.client_certificate,
            client_key=destination.client_key,
        )

    def send(self, batch: Batch, timeout: float) -> Answer:
        """Posts one request within ``timeout`` seconds."""
        body = batch.payload
        if self._compression == "gzip":
            body = gzip.compress(body, compresslevel=6)
        elif self._compression == "deflate":
            body = zlib.compress(body)
        try:
            response = self._client.post(body, timeout)
        except http.client.HTTPException:
            return Answer("retry", "the answer is not HTTP; is the port right?")
        except OSError as error:
            return Answer("retry", reason(error))
        return self._understood(response)

    def _understood(self, response: Response) -> Answer:
        if 200 <= response.status < 300:
            return self.accepted(response.body)
        error = f"answered {response.status} {self.quoted(response.reason)}".strip()
        if response.status == TOO_LARGE:
            return Answer("too_large", error)
        if response.status in RETRYABLE:
            return Answer("retry", error, _seconds(response.headers.get("retry-after")))
        return Answer("failed", error)


def _seconds(retry_after: str | None) -> float | None:
    """``Retry-After``: seconds, or a date (RFC 9110, 10.2.3)."""
    if retry_after is None:
        return None
    try:
        return float(retry_after)
    except ValueError:
        pass
    try:
        return parsedate_to_datetime(retry_after).timestamp() - time.time()
    except (TypeError, ValueError):
        return None
