"""``OTELKIT_LANGSMITH=stamp`` and the real collector with its overlay."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.langsmith.apps.expected import GRAPH
from tests.langsmith.stand_in import KEY, Run, StandIn
from tests.processes import python

from .destinations import Jaeger
from .programs import BASE, COLLECTOR, Collector, until

pytestmark = pytest.mark.stack

WORKFLOWS = """
import otelkit
from opentelemetry import trace

def work(number):
    with otelkit.traced_workflow(f"workflow {number}"), otelkit.traced_stage("plan"):
        with tracer.start_as_current_span("SELECT"), otelkit.traced_agent("writer"):
            for _ in range(20):
                with otelkit.traced_llm(provider="openai", model="gpt-5-mini"):
                    otelkit.record_usage(input_tokens=12, output_tokens=3)

with otelkit.setup("app", instrument="none"):
    tracer = trace.get_tracer("web")
    for _ in range(5):
        with tracer.start_as_current_span("POST /ask"):
            work(1)
            work(2)
"""


class Sent:
    """A LangSmith and a trace backend behind the collector, and the variables that lead to it."""

    def __init__(self, langsmith: StandIn, jaeger: Jaeger, collector: Collector) -> None:
        self.langsmith = langsmith
        self.jaeger = jaeger
        self.environ = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.http,
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            "OTELKIT_LANGSMITH": "stamp",
        }

    def runs(self, count: int) -> list[Run]:
        found = self.langsmith.runs(count)
        self.langsmith.check()
        return found


@pytest.fixture
def sent(otelcol: str, tmp_path: Path) -> Iterator[Sent]:
    with StandIn() as langsmith, Jaeger() as jaeger:
        env = {
            "JAEGER_ENDPOINT": f"127.0.0.1:{jaeger.port}",
            "LANGSMITH_ENDPOINT": langsmith.url,
            "LANGSMITH_API_KEY": KEY,
            "LANGSMITH_PROJECT": "tests",
        }
        files = (*BASE, COLLECTOR / "overlays" / "langsmith.yaml")
        with Collector(otelcol, tmp_path, files, env=env) as collector:
            yield Sent(langsmith, jaeger, collector)


def test_the_collector_sends_the_tree_and_all_to_the_trace_backend(sent: Sent) -> None:
    python(WORKFLOWS, environ=sent.environ)
    runs = sent.runs(5 * 2 * 23)
    assert len([run for run in runs if run.parent_id is None]) == 10
    assert {run.project for run in runs} == {"tests"}
    assert {run.name for run in runs} == {"workflow 1", "workflow 2", "plan", "writer",
                                          "chat gpt-5-mini"}  # fmt: skip
    calls = [run for run in runs if run.run_type == "llm"]
    assert {run.usage["total_tokens"] for run in calls} == {15}
    assert all(run.usage["total_cost"] > 0 for run in calls)
    until(lambda: len(sent.jaeger.spans) == 5 * (1 + 2 * 24), 30, "all spans arrive")


@pytest.mark.parametrize("otel_enabled", ["false", "true"])
def test_runs_that_langsmith_makes_itself_hang_on_those_of_the_collector(
    sent: Sent, otel_enabled: str
) -> None:
    scene = {**sent.environ, **sent.langsmith.environment(), "LANGSMITH_OTEL_ENABLED": otel_enabled}
    python(f"from tests.langsmith.apps.graph import main; main({scene})")
    sent.runs(10)
    assert sent.langsmith.tree() == GRAPH


def test_what_was_not_sampled_stays_away(sent: Sent) -> None:
    code = """
        import otelkit
        from opentelemetry import trace
        with otelkit.setup("app", instrument="none"), otelkit.traced_workflow("outer"):
            trace.get_tracer("app").start_span("a", attributes={"langsmith.span.kind": "llm"}).end()
    """
    python(code, environ={**sent.environ, "LANGSMITH_TRACING_SAMPLING_RATE": "0"})
    until(lambda: len(sent.jaeger.spans) == 2, 30, "both spans arrive")
    python(code, environ=sent.environ)
    assert {run.name for run in sent.runs(2)} == {"outer", "a"}
