"""The viewer: receives OTLP over HTTP, keeps it, and serves the page that shows it."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from otelkit.errors import ConfigError
from otelkit.viewer.handler import Handler
from otelkit.viewer.store import Limits, Store

_logger = logging.getLogger(__name__)

_MAX_CONNECTIONS = 128
_CLOSE_SECONDS = 2.0


class Server(socketserver.ThreadingTCPServer):
    """A thread for each connection, a bounded number of connections, and an end to all of them.

    Args:
        host: Host name or address to listen on.
        port: 0 takes a free one.
        store: Where what arrives is kept.

    Raises:
        OSError: The address cannot be listened on.
    """

    # elsewhere than on POSIX this would let a second viewer take the same port
    allow_reuse_address = os.name == "posix"
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, host: str, port: int, store: Store) -> None:
        self.bound = host
        self.store = store
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._connections: set[socket.socket] = set()
        self._changed = threading.Condition()
        super().__init__((host, port), Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Starts the thread of a connection."""
        with self._changed:
            self._connections.add(request)
        super().process_request(request, client_address)

    def verify_request(self, *_: Any) -> bool:
        """Tells whether there is room for one more connection; if not, it is closed."""
        return len(self._connections) < _MAX_CONNECTIONS

    def shutdown_request(self, request: Any) -> None:
        """Ends a connection."""
        super().shutdown_request(request)
        with self._changed:
            self._connections.discard(request)
            self._changed.notify_all()

    def handle_error(self, *_: Any) -> None:
        """Logs what a handler did not expect; that a client went away is expected."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            _logger.exception("a request failed")

    def end_connections(self) -> None:
        """Lets requests in progress finish, for a moment, and ends idle connections at once."""
        deadline = time.monotonic() + _CLOSE_SECONDS
        for how, until in ((socket.SHUT_RD, deadline), (socket.SHUT_RDWR, deadline + 0.5)):
            with self._changed:
                for connection in self._connections:
                    with contextlib.suppress(OSError):
                        connection.shutdown(how)
                self._changed.wait_for(lambda: not self._connections, until - time.monotonic())


class Viewer:
    """Receives OTLP over HTTP (traces, metrics, logs), keeps it, and serves the page that shows it.

    It listens as soon as it is made; `start()`, or entering it as a context manager, serves it on
    a thread:

        with Viewer(port=0) as viewer:
            print(viewer.url)

    Args:
        host: Host name or address to listen on. Whoever reaches it reads everything received.
        port: 0 takes a free one.
        db: SQLite file that keeps what arrives; `None` keeps it in memory.
        limits: When the oldest data are dropped.

    Attributes:
        store: What was received: `spans()`, `logs()`, `metrics()`, `traces()`, `stats()`.
        port: The port it listens on.

    Raises:
        ConfigError: The address cannot be listened on, or the file cannot be used.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 4318,
        *,
        db: str | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.store = Store(db, limits)
        try:
            self._server = Server(host, port, self.store)
        except OSError as error:
            self.store.close()
            raise ConfigError(
                f"cannot listen on {host}:{port}: {error.strerror}; stop what listens there "
                "(another viewer, a collector) or choose another port with --port"
            ) from error
        self.host = host
        self.port: int = self._server.server_address[1]
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The address of the page, and the endpoint for OTLP exporters."""
        name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104
        return f"http://[{name}]:{self.port}" if ":" in name else f"http://{name}:{self.port}"

    def start(self) -> None:
        """Serves on a thread, until `close()`."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="otelkit-view", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stops serving, ends all connections within some seconds, and closes the store."""
        if self._thread is not None:
            # wakes the serving thread, where the system allows it; otherwise it polls
            with contextlib.suppress(OSError):
                self._server.socket.shutdown(socket.SHUT_RDWR)
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.server_close()
        self._server.end_connections()
        self.store.close()

    def wait_for(self, predicate: Callable[[Store], Any], timeout: float = 5.0) -> Any:
        """Waits until the predicate is true of the store, without sleeping.

        Args:
            predicate: Asked at once, and again after each batch that arrived.
            timeout: Seconds.

        Returns:
            What the predicate returned.

        Raises:
            TimeoutError: It was still false after `timeout` seconds; the text says what arrived.
        """
        found = self.store.wait_for(predicate, timeout)
        if not found:
            counts = ", ".join(
                f"{count['received']} {name}" for name, count in self.store.stats().items()
            )
            raise TimeoutError(f"not seen within {timeout:g} s; received so far: {counts}")
        return found

    def __enter__(self) -> Viewer:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
