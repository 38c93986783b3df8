"""Providers that keep what they are given, and real servers for the applications under test."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otelkit import integrations
from tests import postgres as pg

# These need a server; where there is none, the rest of the tests still runs.
NEEDS_POSTGRES = "test_sqlalchemy_postgres.py"
collect_ignore = [] if pg.binaries() else [NEEDS_POSTGRES]


def pytest_report_collectionfinish() -> list[str]:
    if not collect_ignore:
        return []
    return [f"without {NEEDS_POSTGRES}: PostgreSQL is not installed (Debian package postgresql)"]


class Telemetry:
    """What was recorded while the test ran."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.reader = InMemoryMetricReader()
        self.tracer_provider = TracerProvider(shutdown_on_exit=False)
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.meter_provider = MeterProvider([self.reader], shutdown_on_exit=False)
        self.tracer = self.tracer_provider.get_tracer("test")

    def spans(self, count: int | None = None) -> list[ReadableSpan]:
        """The ended spans by start; with ``count``, as soon as there are that many."""
        if count is not None:
            wait_until(lambda: len(self._exporter.get_finished_spans()) >= count)
        found = list(self._exporter.get_finished_spans())
        assert count is None or len(found) == count, [span.name for span in found]
        return sorted(found, key=lambda span: span.start_time or 0)

    def span(self) -> ReadableSpan:
        """The only span."""
        return self.spans(1)[0]

    def clear(self) -> None:
        self._exporter.clear()

    def points(self, name: str) -> list[Any]:
        """The data points of the metric ``name``, now."""
        data = self.reader.get_metrics_data()
        scopes = [
            scope
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
        ]
        found = [metric for scope in scopes for metric in scope.metrics if metric.name == name]
        assert len(found) <= 1, f"{name} is reported {len(found)} times"
        return [point for metric in found for point in metric.data.data_points]


def wait_until(condition: Callable[[], Any], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.005)


@pytest.fixture
def telemetry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Telemetry]:
    """Global providers for one test; instrumentation is undone afterwards."""
    made = Telemetry()
    # The API lets providers be set once a process; tests want their own.
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", made.tracer_provider)
    monkeypatch.setattr(metrics._internal, "_METER_PROVIDER", made.meter_provider)
    yield made
    integrations.uninstrument()


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """``app`` behind a real uvicorn on a free port; gives its address."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=2))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        wait_until(lambda: server.started)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@contextmanager
def client_of(app: Any) -> Iterator[httpx.Client]:
    with serving(app) as address, httpx.Client(base_url=address, timeout=10) as client:
        yield client
