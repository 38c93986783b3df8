"""An OTLP receiver that keeps the spans and log records it is sent."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Received:
    """What has come so far."""

    def __init__(self) -> None:
        self.address = ""
        self.spans: list[Any] = []
        self.logs: list[tuple[str, Any]] = []  # logger name, record

    def messages(self, **attributes: Any) -> list[str]:
        """The bodies of the records that have ``attributes``."""
        return [
            record.body.string_value
            for _name, record in self.logs
            if attributes.items() <= attributes_of(record).items()
        ]

    def of(self, logger: str) -> list[Any]:
        return [record for name, record in self.logs if name == logger]

    def add(self, path: str, body: bytes) -> None:
        if path == "/v1/traces":
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    self.spans += scope.spans
        elif path == "/v1/logs":
            for group in ExportLogsServiceRequest.FromString(body).resource_logs:
                for found in group.scope_logs:
                    self.logs += [(found.scope.name, record) for record in found.log_records]


def attributes_of(item: Any) -> dict[str, Any]:
    """The attributes of a span or record."""
    return {
        pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value")
        for pair in item.attributes
    }


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.02)


@contextmanager
def receiving() -> Iterator[Received]:
    """A receiver on a free port."""
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.add(self.path, self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    received.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
