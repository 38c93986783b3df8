"""The page of metrics on a port of its own."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import TYPE_CHECKING, Any

from otelkit.prometheus import negotiation

if TYPE_CHECKING:
    from otelkit.prometheus.exposition import Exposition

_log = logging.getLogger("otelkit")

_AT_ONCE = 32  # connections; then the oldest make room, and with twice as many nobody is let in


class Listener:
    """Answers on a port until it is closed.

    Args:
        host: Address to listen on.
        port: 0 takes a free one.
        exposition: Makes the pages.

    Raises:
        OSError: The port is taken, or not allowed.
    """

    def __init__(self, host: str, port: int, exposition: Exposition) -> None:
        self._server = _Server(host, port, exposition)
        self.port: int = self._server.server_address[1]
        threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.1},
            name="otelkit-metrics-port",
            daemon=True,
        ).start()

    def close(self) -> None:
        """Ends listening."""
        self._server.shutdown()
        self._server.server_close()

    def forked(self) -> None:
        """In a forked child: the port is somebody else's."""
        self._server.socket.close()


class _Server(ThreadingTCPServer):  # HTTPServer would look its own name up, which can take long
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128  # with the default of 5, who comes at once with others waits a second

    def __init__(self, host: str, port: int, exposition: Exposition) -> None:
        self.exposition = exposition
        self._lock = threading.Lock()
        self._open: dict[socket.socket, None] = {}  # the oldest first
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            refused = len(self._open) >= 2 * _AT_ONCE
            self._open[request] = None
            for oldest in list(self._open)[:-_AT_ONCE]:
                with contextlib.suppress(OSError):  # for its thread the client has left
                    oldest.shutdown(socket.SHUT_RDWR)
        if refused:
            self.shutdown_request(request)
        else:
            super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        _log.debug("a scrape from %s failed", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10.0  # seconds that a client may stay silent

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path != self.server.exposition.path:
            self._answer(404, {"content-length": "0"}, b"")
            return
        wanted = negotiation.wanted(
            self.headers.get("accept", ""), self.headers.get("accept-encoding", "")
        )
        try:
            page = self.server.exposition.page(wanted).result(negotiation.PATIENCE)
        except Exception as error:
            self._answer(*negotiation.failure(error))
        else:
            self._answer(200, page.headers, page.body)

    do_HEAD = do_GET

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
