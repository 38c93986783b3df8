"""Receivers over real sockets: some take everything and remember it, others misbehave."""

from __future__ import annotations

import contextlib
import gzip
import http.server
import socket
import ssl
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

KINDS: dict[str, Any] = {
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
    "logs": ExportLogsServiceRequest,
}


def until(condition: Callable[[], Any], seconds: float = 10.0, what: str = "") -> Any:
    """The first true value of ``condition``, looked at until time is up."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.01)
    raise AssertionError(f"not within {seconds} s: {what or condition}")


class Remembered:
    """The requests that have arrived, and what is in them."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, Any]] = []

    def _leaves(self, signal: str, *names: str) -> Iterator[tuple[Any, Any]]:
        outer, middle, inner = names
        for kind, message in list(self.requests):
            if kind == signal:
                for group in getattr(message, outer):
                    for scope in getattr(group, middle):
                        for leaf in getattr(scope, inner):
                            yield group.resource, leaf

    def spans(self) -> Counter[str]:
        """How often each span name arrived."""
        found = self._leaves("traces", "resource_spans", "scope_spans", "spans")
        return Counter(span.name for _, span in found)

    def span_ids(self) -> Counter[bytes]:
        found = self._leaves("traces", "resource_spans", "scope_spans", "spans")
        return Counter(span.span_id for _, span in found)

    def logs(self) -> Counter[str]:
        """How often each log text arrived."""
        found = self._leaves("logs", "resource_logs", "scope_logs", "log_records")
        return Counter(record.body.string_value for _, record in found)

    def totals(self, metric: str) -> dict[str, float]:
        """The last value of a counter, by service.instance.id."""
        found = self._leaves("metrics", "resource_metrics", "scope_metrics", "metrics")
        totals: dict[str, float] = {}
        for resource, leaf in found:
            if leaf.name == metric:
                total = sum(p.as_int + p.as_double for p in leaf.sum.data_points)
                totals[attribute(resource, "service.instance.id")] = total
        return totals

    def resources(self, signal: str) -> list[dict[str, Any]]:
        """The resources that spoke, in order."""
        outer = {"traces": "spans", "metrics": "metrics", "logs": "logs"}[signal]
        return [
            {pair.key: pair.value.string_value or pair.value.int_value for pair in r.attributes}
            for kind, message in list(self.requests)
            if kind == signal
            for r in [group.resource for group in getattr(message, f"resource_{outer}")]
        ]


class Receiver(Remembered):
    """A well-behaved OTLP/HTTP receiver on a free port.

    Args:
        status: The status it answers with.
        headers: Further headers of its answers.
        largest: Bodies larger than that are answered with 413.
        port: The port to listen on; 0 for a free one.
        tls: Speaks TLS with this.
    """

    def __init__(
        self,
        status: int = 200,
        headers: dict[str, str] | None = None,
        largest: int | None = None,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__()
        self.status = status
        self.seen: list[dict[str, str]] = []
        self.arrived = threading.Event()
        self.body = b""
        self.connections = self.client_certificates = 0
        self._open: list[socket.socket] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                super().setup()
                outer._connected(self.connection)

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["content-length"]))
                answer = outer._take(self.path, raw, dict(self.headers), largest)
                self.send_response(answer)
                for key, value in (headers or {}).items():
                    self.send_header(key, value)
                self.send_header("content-length", str(len(outer.body)))
                self.end_headers()
                self.wfile.write(outer.body)

            def log_message(self, *args: Any) -> None:
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def get_request(self) -> Any:
                connection, address = super().get_request()
                return (
                    tls.wrap_socket(connection, server_side=True) if tls else connection
                ), address

            def handle_error(self, *args: Any) -> None:
                pass  # a client that was killed in the middle of a request

        self._server = Server(("127.0.0.1", port), Handler)
        self.port = self._server.server_port
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def _connected(self, connection: socket.socket) -> None:
        self.connections += 1
        self._open.append(connection)
        if isinstance(connection, ssl.SSLSocket) and connection.getpeercert():
            self.client_certificates += 1

    def drop_connections(self) -> None:
        """Ends every connection, as a server does with idle ones."""
        while self._open:
            with contextlib.suppress(OSError):
                self._open.pop().shutdown(socket.SHUT_RDWR)

    def _take(self, path: str, raw: bytes, headers: dict[str, str], largest: int | None) -> int:
        encoding = {key.lower(): value for key, value in headers.items()}.get("content-encoding")
        body = {"gzip": gzip.decompress, "deflate": zlib.decompress}.get(encoding or "", bytes)(raw)
        if largest is not None and len(body) > largest:
            return 413
        signal = path.rpartition("/")[2]
        self.seen.append(headers)
        if self.status == 200:
            self.requests.append((signal, KINDS[signal].FromString(body)))
        self.arrived.set()
        return self.status

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self.drop_connections()

    def __enter__(self) -> Receiver:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class GrpcReceiver(Remembered):
    """A well-behaved OTLP/gRPC receiver on a free port."""

    def __init__(self) -> None:
        super().__init__()
        import grpc

        class Services(grpc.GenericRpcHandler):  # type: ignore[misc]
            def service(_, call: Any) -> Any:
                signal = call.method.split(".")[3].replace("trace", "traces")
                return grpc.unary_unary_rpc_method_handler(
                    lambda body, context: self._take(signal, body)
                )

        self._server = grpc.server(ThreadPoolExecutor(4), handlers=[Services()])
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self.url = f"http://127.0.0.1:{self.port}"
        self._server.start()

    def _take(self, signal: str, body: bytes) -> bytes:
        self.requests.append((signal, KINDS[signal].FromString(body)))
        return b""

    def __enter__(self) -> GrpcReceiver:
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.stop(None)


def attribute(resource: Any, key: str) -> str:
    return next((p.value.string_value for p in resource.attributes if p.key == key), "")


@contextlib.contextmanager
def refusing() -> Iterator[str]:
    """An address that refuses connections: bound, so that nobody else takes it, not listening."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@contextlib.contextmanager
def dropping() -> Iterator[str]:
    """An address that answers no SYN: its queue of waiting connections is full."""
    with socket.socket() as server, contextlib.ExitStack() as kept:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            filler = kept.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(server.getsockname())
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@contextlib.contextmanager
def talking(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """An address where every connection is handed to ``talk``, once its first bytes are there."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(50)

        def serve(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                connection.recv(65536)
                talk(connection)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


def silence(connection: socket.socket) -> None:
    """Takes what it is sent and says nothing, until the other side is gone."""
    while connection.recv(65536):
        pass


def drip(connection: socket.socket) -> None:
    """One byte a second of an answer that never ends."""
    connection.settimeout(1.0)
    for byte in b"HTTP/1.1 200 OK\r\nserver: " + b"x" * 10_000:
        connection.sendall(bytes([byte]))
        with contextlib.suppress(TimeoutError):
            while connection.recv(65536):
                pass


def garbage(connection: socket.socket) -> None:
    """Bytes that are no HTTP."""
    connection.sendall(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00 what is this?\r\n\r\n")


@contextlib.contextmanager
def answering(status: int, headers: dict[str, str] | None = None) -> Iterator[str]:
    """A receiver that answers everything with ``status``."""
    with Receiver(status, headers) as receiver:
        yield receiver.url


DEAD: dict[str, Callable[[], contextlib.AbstractContextManager[str]]] = {
    "refuses": refusing,
    "drops SYN": dropping,
    "is silent": lambda: talking(silence),
    "one byte a second": lambda: talking(drip),
    "garbage": lambda: talking(garbage),
    "500": lambda: answering(500),
    "503": lambda: answering(503),
    "429 with Retry-After": lambda: answering(429, {"Retry-After": "30"}),
    "401": lambda: answering(401),
    "413": lambda: answering(413),
}
