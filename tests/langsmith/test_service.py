"""The example service, with its real client, database and server, seen in LangSmith."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otelkit.cli import _demo_service
from otelkit.cli._demo_trace import Span, Trace
from tests.examples.service import Service, running
from tests.langsmith.stand_in import Run, StandIn

RUNS = ("workflow", "stage", "agent", "tool", "llm")


@pytest.fixture(scope="module")
def langsmith() -> Iterator[StandIn]:
    with StandIn() as stand_in:
        yield stand_in


@pytest.fixture(scope="module")
def service(langsmith: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    with running(folder, **langsmith.environment()) as service:
        yield service


def sample(**models: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(Path(_demo_service.sample()).read_text("utf-8"))
    return {**schema, "llm": models}


def expected(trace: Trace) -> dict[str, Span]:
    """The spans that are runs, by the last half of their run's id."""
    spans = [span for root in trace.roots for span in root.walk()]
    return {span.id: span for span in spans if span.kind in RUNS}


def found(langsmith: StandIn, trace: Trace, count: int) -> dict[str, Run]:
    """The runs of a trace, by the ids of their spans."""
    langsmith.runs_where(lambda run: run.metadata["otel_trace_id"] == trace.id, count)
    langsmith.check()
    runs = [run for run in langsmith.runs() if run.metadata["otel_trace_id"] == trace.id]
    (root,) = [span.id for span in expected(trace).values() if span.kind == "workflow"]
    return {root if run.parent_id is None else run.id.replace("-", "")[16:]: run for run in runs}


@pytest.mark.parametrize(
    "models",
    [{}, {"coder": "gpt-5-mini@truncate"}, {"reviewer": "gpt-5-nano@error=500"}],
    ids=["success", "broken stream", "failing model"],
)
def test_every_agent_and_llm_span_is_a_run(
    service: Service, langsmith: StandIn, models: dict[str, str]
) -> None:
    trace = service.trace(service.ask("/generate", sample(**models)))
    spans = expected(trace)
    runs = found(langsmith, trace, len(spans))
    assert set(runs) == set(spans)
    assert [run.name for run in runs.values() if run.parent_id is None] == ["generate_models"]
    for span_id, run in runs.items():
        span = spans[span_id]
        assert run.run_type == {"tool": "tool", "llm": "llm"}.get(span.kind, "chain")
        assert bool(run.error) == span.failed
        above = span.parent
        while above is not None and above.kind not in RUNS:
            above = above.parent
        assert run.parent_id == (runs[above.id].id if above is not None else None)
        tokens = span.attributes.get("gen_ai.usage.input_tokens")
        assert run.usage.get("input_tokens") == tokens
        assert run.usage.get("output_tokens") == span.attributes.get("gen_ai.usage.output_tokens")
        assert run.usage.get("total_cost") == span.attributes.get("gen_ai.usage.cost.amount")
    assert bool(models) == any(run.error for run in runs.values())
    answers = [run for run in runs.values() if run.run_type == "llm" and not run.error]
    assert all((run.inputs or {})["messages"][0]["role"] == "system" for run in answers)
