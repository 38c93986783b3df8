from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otelkit import _recorder, instruments
from otelkit.decorators import _content, _state


class Seen:
    """What the decorators have made: finished spans and collected points."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader], shutdown_on_exit=False)

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.spans]

    def span(self, name: str) -> ReadableSpan:
        (found,) = [span for span in self.spans if span.name == name]
        return found

    def attributes(self, name: str) -> dict[str, Any]:
        return dict(self.span(name).attributes or {})

    def parent(self, name: str) -> str | None:
        parent = self.span(name).parent
        if parent is None:
            return None
        (found,) = [s.name for s in self.spans if s.context.span_id == parent.span_id]
        return found

    def events(self, name: str) -> list[dict[str, Any]]:
        return [dict(event.attributes or {}) for event in self.span(name).events]

    def points(self, metric: str) -> list[Any]:
        data = self.reader.get_metrics_data()
        return [
            point
            for resource in (data.resource_metrics if data else [])
            for scope in resource.scope_metrics
            for one in scope.metrics
            if one.name == metric
            for point in one.data.data_points
        ]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Seen]:
    seen = Seen()
    for totals in (instruments.tokens, instruments.cost, instruments.active):
        monkeypatch.setattr(totals, "_totals", {})
    state = _state.state
    monkeypatch.setattr(state, "__dict__", {})  # as in a process that has not set anything up
    state.live = True
    state.tracer = seen.tracers.get_tracer("otelkit")
    state.instruments = instruments.Instruments(seen.meters.get_meter("otelkit"))
    monkeypatch.setattr(_content, "mode", "metadata")
    monkeypatch.setattr(_content, "max_bytes", 8192)
    yield seen
    _recorder.drain()
    assert not state.warned, "telemetry failed inside; see the log"


@pytest.fixture
def capturing(monkeypatch: pytest.MonkeyPatch) -> Any:
    def set_mode(mode: str) -> None:
        monkeypatch.setattr(_content, "mode", mode)

    return set_mode
