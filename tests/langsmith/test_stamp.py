"""``OTELKIT_LANGSMITH=stamp``: a collector sends what is marked."""

from __future__ import annotations

import urllib.request
from typing import Any

import pytest
from opentelemetry.propagate import extract
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import otelkit
from tests.langsmith.conftest import Application, Connect
from tests.langsmith.stand_in import KEY
from tests.langsmith.test_tree import TREE, UPSTREAM, answer, http


@pytest.fixture
def application(connected: Connect) -> Application:
    return connected(OTELKIT_LANGSMITH="stamp", LANGSMITH_TRACING=None, LANGSMITH_API_KEY=None)


def collect(application: Application) -> None:
    """What the overlay of a collector does: filter, add headers, send."""
    application.flush()
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for span in application.jaeger.spans:
        if any(one.key == "langsmith.span.id" for one in span.attributes):
            scope.spans.append(span)
    headers = {"x-api-key": KEY, "langsmith-project": "collected"}
    url = f"{application.langsmith.url}/otel/v1/traces"
    urllib.request.urlopen(urllib.request.Request(url, request.SerializeToString(), headers))


def test_nothing_is_sent_from_here(application: Application) -> None:
    answer(application)
    application.flush()
    assert application.problems == []
    assert application.langsmith.requests == []
    assert len(application.jaeger.spans) == 9


def test_a_collector_can_send_the_same_tree(application: Application) -> None:
    with http(application, context=extract(UPSTREAM)):
        answer(application)
        answer(application)
    collect(application)
    application.langsmith.check()
    assert application.langsmith.tree() == f"{TREE}\n{TREE}"
    runs = application.langsmith.runs()
    assert {run.project for run in runs} == {"collected"}
    assert {run.metadata["otel_trace_id"] for run in runs} == {UPSTREAM["traceparent"][3:35]}


def test_runs_have_tokens_cost_and_errors(application: Application) -> None:
    with pytest.raises(ValueError), otelkit.traced_workflow("outer"):
        with otelkit.traced_llm(provider="openai", model="gpt-5-mini"):
            otelkit.record_usage(input_tokens=12, output_tokens=3)
        raise ValueError("no")
    collect(application)
    assert application.langsmith.run("outer").error == "no"
    usage = application.langsmith.run("chat gpt-5-mini").usage
    there = application.span("chat gpt-5-mini")
    assert usage["total_tokens"] == 15
    assert usage["total_cost"] == there["gen_ai.usage.cost.amount"]


def test_spans_stay_where_they_are_in_the_trace_backend(application: Application) -> None:
    with http(application, context=extract(UPSTREAM)):
        answer(application)
    application.flush()
    names: dict[Any, str] = {span.span_id: span.name for span in application.jaeger.spans}
    parents = {span.name: names.get(span.parent_span_id) for span in application.jaeger.spans}
    assert parents["invoke_workflow answer"] == "POST /ask"
    assert parents["execute_tool look_up"] == "plain"
    traces = {span.trace_id.hex() for span in application.jaeger.spans}
    assert traces == {UPSTREAM["traceparent"][3:35]}
