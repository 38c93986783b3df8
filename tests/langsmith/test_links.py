"""From a span to its run, and to what people think of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import trace

import otelkit
from otelkit.langsmith._project import Project
from otelkit.langsmith._runs import Place, Run
from tests.langsmith.conftest import Application, Connect
from tests.langsmith.stand_in import PROJECT, WORKSPACE, StandIn
from tests.langsmith.test_tree import http
from tests.processes import python


def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 10
    while not (found := condition()):
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.01)
    return found


def test_the_id_and_the_address_of_a_run(application: Application) -> None:
    with otelkit.traced_workflow("outer") as outer:
        outer_id = otelkit.langsmith.run_id()
        with otelkit.traced_tool("inner"), application.tracer.start_as_current_span("plain"):
            inner_id = otelkit.langsmith.run_id()  # a plain span is part of the run around it
            assert otelkit.langsmith.run_id(outer) == outer_id
    ids = {run.name: run.id for run in application.runs()}
    assert ids == {"outer": outer_id, "inner": inner_id}
    assert otelkit.langsmith.run_id(outer) == outer_id
    assert otelkit.langsmith.run_url(outer).endswith(f"/r/{outer_id}")


def test_a_call_of_a_model_is_a_span_too(application: Application) -> None:
    with otelkit.traced_llm(provider="openai", model="m") as call:
        assert otelkit.langsmith.run_id(call) == otelkit.langsmith.run_id()
    assert otelkit.langsmith.run_id(call) == application.runs()[0].id


def test_where_no_run_is_there_is_none(application: Application) -> None:
    assert otelkit.langsmith.run_id() is None
    with http(application) as span:
        assert otelkit.langsmith.run_url() is None
    assert otelkit.langsmith.run_id(span) is None
    assert otelkit.langsmith.run_id(trace.INVALID_SPAN) is None


def test_the_trace_backends_span_leads_to_the_run(application: Application) -> None:
    with otelkit.traced_workflow("outer"):
        first = otelkit.langsmith.run_url()
    assert application.span("invoke_workflow outer")["otelkit.langsmith.run_url"] == first
    assert "run_url" not in application.langsmith.received


def test_the_address_is_that_of_the_project_once_it_is_known(application: Application) -> None:
    with otelkit.traced_workflow("outer") as span:
        run_id = otelkit.langsmith.run_id()
    assert otelkit.langsmith.run_url(span) == f"http://localhost/r/{run_id}"
    application.flush()
    url = f"http://localhost/o/{WORKSPACE}/projects/p/{PROJECT}/r/{run_id}"
    until(lambda: otelkit.langsmith.run_url(span) == url)
    assert application.langsmith.requests.count(("GET", "/sessions")) == 1


def test_a_project_that_is_not_there_is_not_asked_for_again_and_again(
    application: Application,
) -> None:
    application.langsmith.has_project = False
    for _ in range(3):
        with otelkit.traced_workflow("outer") as span:
            pass
        application.flush()
    until(lambda: ("GET", "/sessions") in application.langsmith.requests)
    assert application.langsmith.requests.count(("GET", "/sessions")) == 1
    assert otelkit.langsmith.run_url(span).startswith("http://localhost/r/")


@pytest.mark.parametrize(
    ("endpoint", "site"),
    [
        ("https://api.smith.langchain.com", "https://smith.langchain.com"),
        ("https://eu.api.smith.langchain.com", "https://eu.smith.langchain.com"),
        ("https://langsmith.example.com/api/v1", "https://langsmith.example.com"),
        ("https://example.com/langsmith/api/v1/", "https://example.com/langsmith"),
        ("https://langsmith.example.com/api", "https://langsmith.example.com"),
        ("http://127.0.0.1:1984", "http://localhost"),
        ("https://user:password@langsmith.example.com/api/v1", "https://langsmith.example.com"),
    ],
)
def test_the_site_that_belongs_to_an_api(endpoint: str, site: str) -> None:
    run = Run(trace.SpanContext(1, 2, False), "name", 0, Place(None, None), None)
    assert Project(endpoint, None, None).address(run) == f"{site}/r/{run.id}"


def test_feedback_reaches_the_run(application: Application) -> None:
    with otelkit.traced_workflow("outer") as span:
        otelkit.langsmith.feedback("thumbs", 1, comment="well done")
    otelkit.langsmith.feedback("stars", 0.5, span=span)
    run_id = otelkit.langsmith.run_id(span)
    application.flush()
    until(lambda: len(application.langsmith.feedback) == 2)
    assert {
        (one["key"], one["score"], one["comment"], one["run_id"], one["trace_id"])
        for one in application.langsmith.feedback
    } == {
        ("thumbs", 1, "well done", run_id, run_id),
        ("stars", 0.5, None, run_id, run_id),
    }
    assert {one["session_id"] for one in application.langsmith.feedback} == {PROJECT}


def test_feedback_without_a_run_is_a_warning(
    application: Application, caplog: pytest.LogCaptureFixture
) -> None:
    otelkit.langsmith.feedback("thumbs", 1)
    assert "feedback 'thumbs' is lost: there is no run" in caplog.text


def test_feedback_that_is_refused_is_a_warning(
    connected: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    connected(LANGSMITH_API_KEY="lsv2_wrong")
    with otelkit.traced_workflow("outer"):
        otelkit.langsmith.feedback("thumbs", 1)
    until(lambda: "feedback 'thumbs' is lost" in caplog.text)


def test_feedback_given_last_is_not_lost_at_exit(langsmith: StandIn) -> None:
    python(
        """
        import otelkit
        otelkit.setup("app", instrument="none", log_format="off")
        with otelkit.traced_workflow("outer"):
            otelkit.langsmith.feedback("thumbs", 1)
        """,
        environ=langsmith.environment(OTEL_TRACES_EXPORTER="none", OTEL_METRICS_EXPORTER="none"),
    )
    assert [one["key"] for one in langsmith.feedback] == ["thumbs"]
    assert langsmith.runs(1)[0].id == langsmith.feedback[0]["run_id"]


def test_all_but_feedback_works_without_the_package(langsmith: StandIn) -> None:
    done = python(
        """
        import sys
        sys.modules["langsmith"] = sys.modules["xxhash"] = None
        import otelkit
        with otelkit.setup("app", instrument="none", log_format="json"):
            with otelkit.traced_workflow("outer"):
                otelkit.langsmith.feedback("thumbs", 1)
        """,
        environ=langsmith.environment(
            OTEL_TRACES_EXPORTER="none",
            OTEL_METRICS_EXPORTER="none",
            LANGSMITH_TRACING_SAMPLING_RATE="0.999999",
        ),
    )
    assert "feedback 'thumbs' is lost: install \\\"otelkit[langsmith]\\\"" in done.stderr
    assert [run.name for run in langsmith.runs(1)] == ["outer"]
