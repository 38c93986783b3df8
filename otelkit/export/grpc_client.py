"""Unary calls of gRPC over HTTP/2, with a deadline that holds whatever the peer does.

grpcio has threads and locks of its own, which break in forked processes. Here a call is made by the
thread that asks for it, over a socket like any other; a forked child opens one of its own.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import time
import zlib
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from h2.errors import ErrorCodes
from hpack import NeverIndexedHeaderTuple

from otelkit.export import sockets
from otelkit.export.http2 import Connection, Headers, Response, UnprocessedError

_CODES = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
    "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED",
    "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip
_OF_STATUS = {str(number): code for number, code in enumerate(_CODES)}

# For answers without a status of gRPC, from its documents "HTTP to gRPC Status Code Mapping" and
# "gRPC over HTTP2"; they do not have 413.
_OF_HTTP = {
    "400": "INTERNAL", "401": "UNAUTHENTICATED", "403": "PERMISSION_DENIED",
    "404": "UNIMPLEMENTED", "413": "RESOURCE_EXHAUSTED", "429": "UNAVAILABLE",
    "502": "UNAVAILABLE", "503": "UNAVAILABLE", "504": "UNAVAILABLE",
}  # fmt: skip
_OF_RESET: dict[int, str] = {
    ErrorCodes.CANCEL: "CANCELLED",
    ErrorCodes.ENHANCE_YOUR_CALM: "RESOURCE_EXHAUSTED",
    ErrorCodes.INADEQUATE_SECURITY: "PERMISSION_DENIED",
}
_COMPRESS = {"gzip": lambda message: gzip.compress(message, 6), "deflate": zlib.compress}


class Reply(NamedTuple):
    """How a call ended: the name of its code, the server's words and details, the message."""

    code: str
    text: str
    details: bytes = b""  # a ``google.rpc.Status``
    message: bytes = b""


class Client(sockets.Caller[Connection]):
    """One connection to one server, kept open between calls. For one thread at a time.

    Args:
        url: ``http://`` for plain text, ``https://`` for TLS; the port is 4317 by default.
        headers: Sent with every call; values of those that end in ``-bin`` are encoded.
        compression: ``gzip``, ``deflate`` or ``none``.
        certificate: PEM file of the authorities to trust; the system's by default.
        client_certificate: PEM file of the client's certificate.
        client_key: PEM file of its key, unless it is in the same file.
    """

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        compression: str = "none",
        certificate: str | None = None,
        client_certificate: str | None = None,
        client_key: str | None = None,
    ) -> None:
        super().__init__()
        self._url = urlsplit(url)
        self._host, self._port = self._url.hostname or "", self._url.port or 4317
        self._headers = [_metadata(name.lower(), value) for name, value in headers.items()]
        self._compression = compression
        self._files = (certificate, client_certificate, client_key)

    def call(self, method: str, message: bytes, timeout: float) -> Reply:
        """Calls ``method``, such as ``/package.Service/Method``.

        Raises:
            OSError: No connection, or no answer within ``timeout`` seconds.
            ValueError: The headers cannot be sent.
        """
        deadline = time.monotonic() + timeout
        compress = _COMPRESS.get(self._compression)
        packed = compress(message) if compress else message
        body = bytes([compress is not None]) + len(packed).to_bytes(4, "big") + packed
        try:
            return _reply(self._exchange(method, body, deadline))
        except UnprocessedError:
            return _reply(self._exchange(method, body, deadline))

    def _exchange(self, method: str, body: bytes, deadline: float) -> Response:
        try:
            if self._connection is None:
                self._connection = self._connect(deadline)
            headers = self._request(method, sockets.left(deadline))
            response = self._connection.exchange(headers, body, deadline)
        except BaseException:
            self.close()
            raise
        if not self._connection.reusable:
            self.close()
        return response

    def _request(self, method: str, seconds: float) -> Headers:
        milliseconds = min(max(int(seconds * 1000), 1), 99_999_999)  # at most eight digits
        headers: Headers = [
            (":method", "POST"),
            (":scheme", self._url.scheme),
            (":authority", _authority(self._host, self._port)),
            (":path", method),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            ("user-agent", "otelkit"),
            ("grpc-timeout", f"{milliseconds}m"),
        ]
        if self._compression != "none":
            headers.append(("grpc-encoding", self._compression))
        return headers + self._headers

    def _connect(self, deadline: float) -> Connection:
        sock = sockets.connect(self._host, self._port, deadline, self._watch)
        if self._url.scheme == "https":
            context = sockets.tls_context(*self._files)
            context.set_alpn_protocols(["h2"])
            sock = secured = sockets.secure(sock, self._host, context, deadline, self._watch)
            if secured.selected_alpn_protocol() != "h2":
                raise ConnectionError("the peer does not take HTTP/2 over TLS; is the port right?")
        return Connection(sock)


def _reply(response: Response) -> Reply:
    fields = response.fields
    if "grpc-status" in fields:
        code = _OF_STATUS.get(fields["grpc-status"], "UNKNOWN")
        text = unquote(fields.get("grpc-message", ""), errors="replace")
        details = _decoded(fields.get("grpc-status-details-bin", ""))
        return Reply(code, text, details, _message(response.body))
    if response.reset is not None:
        return Reply(_OF_RESET.get(response.reset, "INTERNAL"), "the request was reset")
    status = fields.get(":status", "")
    return Reply(_OF_HTTP.get(status, "UNKNOWN"), f"HTTP {status} without a status of gRPC")


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _metadata(name: str, value: str) -> NeverIndexedHeaderTuple:
    """A header that may be a secret: compression of headers is not to remember it."""
    if name.endswith("-bin"):
        value = base64.b64encode(value.encode()).decode().rstrip("=")
    return NeverIndexedHeaderTuple(name, value)


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode(value + "=" * (-len(value) % 4))
    except (binascii.Error, ValueError):
        return b""


def _message(body: bytes) -> bytes:
    """The message in a body; nothing of one that is compressed, for which nobody has asked."""
    if len(body) < 5 or body[0]:
        return b""
    return body[5 : 5 + int.from_bytes(body[1:5], "big")]
