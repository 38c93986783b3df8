"""What a log call costs: as a JSON line beside the plain standard handler with the same output, and
in OTLP beside OpenTelemetry's own handler and batch processor.

Thread CPU time of ``logger.info("paid order %d", …, extra=…)`` inside a span; the exporting threads
send to a process that takes everything. The variants take turns in one process, so that the
machine's moods hit all of them; of all rounds the median. Run it as ``python benchmarks/logs.py``.
"""

from __future__ import annotations

import datetime
import itertools
import json
import logging
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from otelkit import logs, providers
from otelkit.settings import Settings

ROUNDS, CALLS, PAUSE = 60, 200, 0.02
TARGETS = {"JSON line": 1.6, "OTLP": 1.0}
SINK = """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Sink(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *args): ...
server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
print(server.server_port, flush=True)
server.serve_forever()
"""

logger = logging.getLogger("shop.orders")
extras = itertools.cycle({"order": n, "customer": f"c-{n % 50}"} for n in range(100_000))
Variant = Callable[[], AbstractContextManager[None]]


class PlainFormatter(logging.Formatter):
    """The line that otelkit writes, written as one would at first."""

    def format(self, record: logging.LogRecord) -> str:
        span = trace.get_current_span().get_span_context()
        moment = datetime.datetime.fromtimestamp(record.created, datetime.timezone.utc)
        line = {
            "timestamp": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "trace_id": f"{span.trace_id:032x}",
            "span_id": f"{span.span_id:016x}",
            "request_id": None,
            "service": "shop",
            "environment": "development",
            "context": {name: getattr(record, name) for name in ("order", "customer")},
            "exception": None,
        }
        return json.dumps(line, ensure_ascii=False)


@contextmanager
def root_handler(handler: logging.Handler) -> Iterator[None]:
    logging.root.handlers = [handler]
    logging.root.setLevel(logging.INFO)
    yield
    logging.root.handlers = []


@contextmanager
def otelkit_logs(provider: Any, **settings: Any) -> Iterator[None]:
    logs.install(Settings.from_env({}, service_name="shop", **settings), provider)
    yield
    logs.uninstall()


def variants(endpoint: str) -> dict[str, dict[str, Variant]]:
    line = logging.StreamHandler()
    line.setFormatter(PlainFormatter())
    theirs = LoggerProvider(Resource({"service.name": "shop"}), shutdown_on_exit=False)
    exporter = OTLPLogExporter(f"{endpoint}/v1/logs")
    theirs.add_log_record_processor(BatchLogRecordProcessor(exporter))
    packaged = LoggingHandler(logger_provider=theirs, log_code_attributes=True)
    none = {"traces_exporter": "none", "metrics_exporter": "none"}
    ours = providers.build(Settings.from_env({}, endpoint=endpoint, **none)).logger_provider
    return {
        "JSON line": {
            "plain": lambda: root_handler(line),
            "otelkit": lambda: otelkit_logs(None, log_format="json"),
        },
        "OTLP": {
            "plain": lambda: root_handler(packaged),
            "otelkit": lambda: otelkit_logs(ours, log_format="off"),
        },
    }


def measure(variant: Variant) -> float:
    """Microseconds of one call."""
    with variant():
        for extra in itertools.islice(extras, 50):
            logger.info("paid order %d", extra["order"], extra=extra)
        given = list(itertools.islice(extras, CALLS))
        begun = time.thread_time_ns()
        for extra in given:
            logger.info("paid order %d", extra["order"], extra=extra)
        spent = time.thread_time_ns() - begun
    time.sleep(PAUSE)  # for the exporters, or their queues would be full and take nothing
    return spent / CALLS / 1000


def main() -> None:
    sink = subprocess.Popen([sys.executable, "-c", SINK], stdout=subprocess.PIPE, text=True)
    assert sink.stdout is not None
    endpoint = f"http://127.0.0.1:{sink.stdout.readline().strip()}"
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("benchmark")
    console = sys.stdout
    with open(os.devnull, "w") as sys.stderr, tracer.start_as_current_span("request"):
        for name, row in variants(endpoint).items():
            rounds = [{kind: measure(row[kind]) for kind in row} for _ in range(ROUNDS)]
            cost = {kind: statistics.median(r[kind] for r in rounds) for kind in row}
            ratio = statistics.median(r["otelkit"] / r["plain"] for r in rounds)
            print(
                f"{name:10}{cost['otelkit']:6.1f} µs beside{cost['plain']:6.1f} µs:"
                f"{ratio:6.2f} (target {TARGETS[name]})",
                file=console,
            )
    sink.kill()


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # without waiting for exporters
