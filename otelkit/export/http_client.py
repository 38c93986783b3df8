"""HTTP POST with a deadline that holds whatever the peer does.

The timeouts of the common clients restart with every byte that arrives, so that a peer answering
one byte a second holds its caller for hours. Here one deadline covers connecting, sending, reading.
"""

from __future__ import annotations

import base64
import codecs
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


class Client:
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
        self._url = urlsplit(url)
        self._headers = {**_authorization("authorization", self._url), **headers}
        self._files = (certificate, client_certificate, client_key)
        self._proxy = _proxy(self._url)
        self._connection: http.client.HTTPConnection | None = None

    def close(self) -> None:
        """Ends the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def abort(self) -> None:
        """Ends a connection that another thread reads from: it then finds its end."""
        if (sock := self._socket()) is not None:
            sockets.abort(sock)

    def let_go(self) -> None:
        """Closes this process's hold on a connection that its parent goes on using."""
        sock, self._connection = self._socket(), None
        if sock is not None:
            sockets.let_go(sock)

    def _socket(self) -> socket.socket | None:
        connection = self._connection
        return connection.sock if connection is not None else None

    def post(self, body: bytes, timeout: float) -> Response:
        """Posts ``body`` and returns the answer.

        Raises:
            OSError: No connection, or no answer within ``timeout`` seconds.
            http.client.HTTPException: The answer is not HTTP.
        """
        deadline = time.monotonic() + timeout
        if self._connection is not None:
            try:
                return self._exchange(self._connection, body, deadline)
            except (ConnectionError, http.client.BadStatusLine):
                pass  # a kept connection may have been closed by the peer: once more with a new one
        self._connection = self._connect(deadline)
        return self._exchange(self._connection, body, deadline)

    def _exchange(
        self, connection: http.client.HTTPConnection, body: bytes, deadline: float
    ) -> Response:
        try:
            connection.sock.settimeout(left(deadline))
            connection.response_class = _deadlined(deadline)
            connection.request("POST", self._target(), body, self._headers)
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
        peer = self._proxy or self._url
        if self._url.scheme == "http":
            connection = http.client.HTTPConnection(peer.hostname or "", peer.port or 80)
        else:
            tls = sockets.tls_context(*self._files)
            port = peer.port or (443 if peer is self._url else 80)
            connection = http.client.HTTPSConnection(peer.hostname or "", port, context=tls)
            if self._proxy:
                headers = _authorization("proxy-authorization", self._proxy)
                connection.set_tunnel(self._url.hostname or "", self._url.port or 443, headers)
        connection.timeout = left(deadline)
        connection.connect()
        return connection


def _host(url: SplitResult) -> str:
    return url.netloc.rpartition("@")[2]


def shown(url: str) -> str:
    """``url`` without credentials, for people to read."""
    return urlsplit(url)._replace(netloc=_host(urlsplit(url)), query="").geturl()


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
