"""HTTP POST with a deadline that holds whatever the peer does.

The timeouts of the common clients restart with every byte that arrives, so that a peer answering
one byte a second holds its caller for hours. Here one deadline covers connecting, sending, reading.
"""

from __future__ import annotations

import base64
import codecs
import contextlib
import http.client
import io
import socket
import time
import urllib.request
from typing import Any, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from otelkit.export import sockets
from otelkit.export.sockets import left

# Looking up an address needs this codec, which Python imports at its first use. To fork a process
# during that import leaves the child with an import lock that nobody will ever release.
codecs.lookup("idna")

LONGEST_ANSWER = 65_536  # bytes that are read of an answer


class Response(NamedTuple):
    """Status, reason, headers and the beginning of the body of an answer."""

    status: int
    reason: str
    headers: http.client.HTTPMessage
    body: bytes


class Client(sockets.Caller[http.client.HTTPConnection]):
    """One connection to one address, kept open between requests. For one thread at a time.

    Proxies are taken from the usual variables (``HTTP_PROXY``, ``HTTPS_PROXY``, ``NO_PROXY``),
    credentials from the address itself.

    Args:
        url: The address to post to.
        headers: Sent with every request.
        certificate: PEM file of the authorities to trust; the system's by default.
        client_certificate: PEM file of the client's certificate.
        client_key: PEM file of its key, unless it is in the same file.
    """

    def __init__(
        self,
        url: str,
        headers: dict[str, str],
        *,
        certificate: str | None = None,
        client_certificate: str | None = None,
        client_key: str | None = None,
    ) -> None:
        super().__init__()
        self._url = urlsplit(url)
        self._headers = {**_authorization("authorization", self._url), **headers}
        self._files = (certificate, client_certificate, client_key)
        self._proxy = _proxy(self._url)

    def post(self, body: bytes, timeout: float) -> Response:
        """Posts ``body`` and returns the answer.

        Raises:
            OSError: No connection, or no answer within ``timeout`` seconds.
            http.client.HTTPException: The answer is not HTTP.
        """
        deadline = time.monotonic() + timeout
        if self._connection is not None:
            try:
                return self._exchange(body, deadline)
            except (ConnectionError, http.client.BadStatusLine):
                pass  # a kept connection may have been closed by the peer: once more with a new one
        return self._exchange(body, deadline)

    def _exchange(self, body: bytes, deadline: float) -> Response:
        try:
            connection = self._connection or self._connect(deadline)
            self._connection = connection
            connection.sock.settimeout(left(deadline))
            connection.response_class = _deadlined(deadline)
            headers = {**self._headers, "content-length": str(len(body))}
            connection.request("POST", self._target(), headers=headers)
            with contextlib.suppress(ConnectionError):  # it may have answered first
                sockets.send(connection.sock, body, deadline)
            answer = connection.getresponse()
            beginning = answer.read(LONGEST_ANSWER)
            response = Response(answer.status, answer.reason, answer.headers, beginning)
            if not answer.isclosed() or answer.will_close:
                self.close()
            return response
        except BaseException:
            self.close()
            raise

    def _target(self) -> str:
        path = self._url.path or "/"
        path += f"?{self._url.query}" if self._url.query else ""
        if self._proxy and self._url.scheme == "http":
            return f"http://{_host(self._url)}{path}"
        return path

    def _connect(self, deadline: float) -> http.client.HTTPConnection:
        peer, host = self._proxy or self._url, self._url.hostname or ""
        if self._url.scheme == "http":
            connection = http.client.HTTPConnection(host, self._url.port)
            connection.sock = self._socket(peer, 80, deadline)
            return connection
        context = sockets.tls_context(*self._files)
        connection = http.client.HTTPSConnection(host, self._url.port, context=context)
        sock = self._socket(peer, 80 if self._proxy else 443, deadline)
        if self._proxy:
            self._tunnel(sock, self._proxy, deadline)
        connection.sock = sockets.secure(sock, host, context, deadline, self._watch)
        return connection

    def _socket(self, peer: SplitResult, default_port: int, deadline: float) -> socket.socket:
        port = peer.port or default_port
        return sockets.connect(peer.hostname or "", port, deadline, self._watch)

    def _tunnel(self, sock: socket.socket, proxy: SplitResult, deadline: float) -> None:
        """Has a proxy pass on what is sent."""
        target = f"{_host(self._url)}" if self._url.port else f"{_host(self._url)}:443"
        headers = {"host": target, **_authorization("proxy-authorization", proxy)}
        lines = [f"CONNECT {target} HTTP/1.1", *(": ".join(pair) for pair in headers.items())]
        sockets.send(sock, "\r\n".join([*lines, "", ""]).encode("latin-1"), deadline)
        answer = _deadlined(deadline)(sock, method="CONNECT")
        answer.begin()
        if answer.status != 200:
            raise OSError(f"the proxy answered {answer.status} {answer.reason}")


def _host(url: SplitResult) -> str:
    return url.netloc.rpartition("@")[2]


def without_credentials(url: str) -> str:
    """``url`` as people may read it; credentials may stand before its host, and in its query."""
    parts = urlsplit(url)
    return parts._replace(netloc=_host(parts), query="").geturl()


def _authorization(header: str, url: SplitResult) -> dict[str, str]:
    if url.username is None:
        return {}
    pair = f"{unquote(url.username)}:{unquote(url.password or '')}".encode()
    return {header: "Basic " + base64.b64encode(pair).decode()}


def _proxy(url: SplitResult) -> SplitResult | None:
    proxy = urllib.request.getproxies().get(url.scheme)
    if not proxy or urllib.request.proxy_bypass(url.hostname or ""):
        return None
    return urlsplit(proxy if "://" in proxy else f"http://{proxy}")


def _deadlined(deadline: float) -> Any:
    """A response class whose reads share one deadline."""

    class Response(http.client.HTTPResponse):
        def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
            super().__init__(sock, *args, **kwargs)
            self.fp = io.BufferedReader(_Reader(sock, deadline, self.fp.detach()))

    return Response


class _Reader(io.RawIOBase):
    """A socket's raw stream, read until a deadline."""

    def __init__(self, sock: Any, deadline: float, raw: Any) -> None:
        self._sock = sock
        self._deadline = deadline
        self._raw = raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(left(self._deadline))
        count: int | None = self._raw.readinto(buffer)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()
