"""An application connected to a LangSmith and to a trace backend, both over real sockets."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from otelkit import context, redaction
from otelkit.decorators import _content, _state
from otelkit.langsmith import _current, _lost
from otelkit.langsmith.connect import connect
from otelkit.providers import destinations
from otelkit.providers.processors import SpanQueues
from otelkit.settings import Settings
from tests.langsmith.stand_in import Run, StandIn


class Application:
    """What ``setup()`` makes of ``variables`` as far as traces go, for one test."""

    def __init__(self, langsmith: StandIn, jaeger: StandIn, variables: dict[str, str]) -> None:
        self.langsmith = langsmith
        self.jaeger = jaeger
        self.settings = Settings.from_env(variables)
        queue = functools.partial(destinations.trace_queue, self.settings)
        self.processor = SpanQueues()
        self.processor.queues = tuple(
            q for q in destinations.queues(self.settings) if q.signal == "traces"
        )
        self.processor.bridge, self.problems, self.note = connect(self.settings, queue)
        self.provider = TracerProvider(
            shutdown_on_exit=False, resource=Resource({"service.name": "app"})
        )
        self.provider.add_span_processor(self.processor)
        self.tracer = self.provider.get_tracer("app")

    @property
    def queue(self) -> Any:
        bridge = self.processor.bridge
        assert bridge is not None
        assert bridge.queue is not None
        return bridge.queue

    def flush(self) -> None:
        """Sends everything to both; whatever is refused for now is tried again."""
        chosen = self.processor.bridge and self.processor.bridge.queue
        queues = [*self.processor.queues, *([chosen] if chosen else [])]
        deadline = time.monotonic() + 60
        while any(q.counts().queued for q in queues) and time.monotonic() < deadline:
            for wait in [q.request(time.monotonic() + 30) for q in queues]:
                wait()

    def runs(self) -> list[Run]:
        """What LangSmith shows; every run was taken, once, and stands in its place."""
        self.flush()
        self.langsmith.check()
        return self.langsmith.runs()

    def tree(self) -> str:
        self.runs()
        return self.langsmith.tree()

    def span(self, name: str) -> dict[str, Any]:
        """The attributes of the trace backend's copy."""
        self.flush()
        (found,) = [span for span in self.jaeger.spans if span.name == name]
        return {
            one.key: getattr(one.value, str(one.value.WhichOneof("value")))
            for one in found.attributes
        }

    def close(self) -> None:
        chosen = self.processor.bridge and self.processor.bridge.queue
        for queue in [*self.processor.queues, *([chosen] if chosen else [])]:
            queue.request(time.monotonic(), closing=True)()
            queue.finish()


Connect = Callable[..., Application]


@pytest.fixture
def langsmith() -> Iterator[StandIn]:
    with StandIn() as stand_in:
        yield stand_in


@pytest.fixture
def jaeger() -> Iterator[StandIn]:
    with StandIn() as stand_in:
        yield stand_in


@pytest.fixture
def connected(
    langsmith: StandIn, jaeger: StandIn, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Connect]:
    """A function that makes an application; ``None`` as a value unsets a variable."""
    made: list[Application] = []

    def make(**variables: str | None) -> Application:
        given = langsmith.environment(
            OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{jaeger.url}/v1/traces",
            OTEL_METRICS_EXPORTER="none",
            OTEL_LOGS_EXPORTER="none",
        )
        given |= {name: value for name, value in variables.items() if value is not None}
        for name in [name for name, value in variables.items() if value is None]:
            del given[name]
        for name in ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING_V2"):
            monkeypatch.delenv(name, raising=False)  # langsmith itself stays out of it
        application = Application(langsmith, jaeger, given)
        made.append(application)
        monkeypatch.setattr(_lost, "_quiet_until", 0.0)
        monkeypatch.setattr(trace, "_TRACER_PROVIDER", application.provider)
        monkeypatch.setattr(metrics._internal, "_METER_PROVIDER", None)
        monkeypatch.setattr(_state.state, "__dict__", {})  # as in a process without telemetry
        monkeypatch.setattr(_content, "mode", application.settings.capture)
        monkeypatch.setattr(_content, "max_bytes", application.settings.capture_max_bytes)
        redaction.configure(application.settings.redact_keys, application.settings.redact_patterns)
        context.configure(application.settings)
        return application

    yield make
    assert not _state.state.warned, "telemetry failed inside; see the log"
    for application in made:
        application.close()
    _current.project = None
    redaction.configure()


@pytest.fixture
def application(connected: Connect) -> Application:
    return connected()
