"""From a span to its run, and to what people think of it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.error import HTTPError

import pytest
from opentelemetry import trace

import otelkit
from otelkit.langsmith import _feedback
from otelkit.langsmith._project import Project
from otelkit.langsmith._runs import Place, Run
from tests.langsmith.conftest import Application, Connect
from tests.langsmith.stand_in import KEY, PROJECT, WORKSPACE, StandIn
from tests.langsmith.test_tree import http
from tests.processes import python

ALONE = {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")}


def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 60
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
    assert otelkit.langsmith.run_id("no span") is None


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


def test_the_key_goes_nowhere_else(langsmith: StandIn) -> None:
    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("location", f"{langsmith.url}{self.path}")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        project = Project(f"http://127.0.0.1:{server.server_port}", None, KEY)
        with pytest.raises(HTTPError):
            project.id()
    assert langsmith.requests == []


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


def test_the_workspace_is_named_wherever_something_is_sent(connected: Connect) -> None:
    application = connected(LANGSMITH_WORKSPACE_ID=WORKSPACE)
    with otelkit.traced_workflow("outer"):
        otelkit.langsmith.feedback("thumbs", 1)
    assert len(application.runs()) == 1
    until(lambda: application.langsmith.feedback)
    paths = {path for _, path in application.langsmith.requests}
    assert {"/otel/v1/traces", "/sessions"} < paths
    assert application.langsmith.workspaces == {WORKSPACE}


def test_feedback_without_a_run_is_a_warning(
    application: Application, caplog: pytest.LogCaptureFixture
) -> None:
    otelkit.langsmith.feedback("thumbs", 1)
    assert "feedback 'thumbs' is lost: there is no run" in caplog.text


def test_feedback_that_is_refused_is_one_warning(langsmith: StandIn) -> None:
    done = python(
        """
        import otelkit
        otelkit.setup("app", instrument="none", log_format="off")
        for _ in range(3):
            with otelkit.traced_workflow("outer"):
                otelkit.langsmith.feedback("thumbs", 1)
        """,
        environ=langsmith.environment(
            **ALONE, LANGSMITH_API_KEY="lsv2_wrong", OTELKIT_SHUTDOWN_TIMEOUT="30"
        ),
    )
    said = [line for line in done.stderr.splitlines() if "not delivered" not in line]
    (runs,) = [line for line in said if "for traces" in line]
    (feedback,) = [line for line in said if "for traces" not in line]
    assert f"otelkit: langsmith ({langsmith.url}) for traces: answered 403" in runs
    assert "feedback 'thumbs' is lost: http://127.0.0.1" in feedback
    assert "answered 403 Forbidden; is LANGSMITH_API_KEY right?" in feedback


def test_feedback_on_a_project_to_come_is_no_warning(langsmith: StandIn) -> None:
    langsmith.has_project = False
    done = python(
        """
        import otelkit
        otelkit.setup("app", instrument="none", log_format="off")
        with otelkit.traced_workflow("outer"):
            otelkit.langsmith.feedback("thumbs", 1)
        """,
        environ=langsmith.environment(**ALONE, OTELKIT_SHUTDOWN_TIMEOUT="30"),
    )
    assert [one["key"] for one in langsmith.feedback] == ["thumbs"]
    assert "session_id" not in done.stderr


def test_an_end_is_held_up_once_by_feedback_that_cannot_be_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        done = python(
            """
            import atexit, os, threading, time, otelkit
            from otelkit.langsmith import _feedback
            _feedback._info = lambda _: {}
            began = []
            atexit.register(lambda: print(time.monotonic() - began[0]))
            otelkit.setup("app", instrument="none", log_format="off")
            with otelkit.traced_workflow("outer"):
                otelkit.langsmith.feedback("thumbs", 1)
            while not _feedback._client.cache_info().currsize:
                time.sleep(0.01)
            otelkit.shutdown(0)
            began.append(time.monotonic())
            """,
            environ={
                **ALONE,
                "LANGSMITH_TRACING": "true",
                "LANGSMITH_API_KEY": KEY,
                "LANGSMITH_ENDPOINT": f"http://127.0.0.1:{silent.getsockname()[1]}",
                "OTELKIT_SHUTDOWN_TIMEOUT": "1",
            },
        )
    assert float(done.stdout) < 20  # seconds, and not as many as the client would wait
    assert done.stderr.count("feedback is lost: 1 not sent in time") == 1


def test_feedback_on_a_trace_that_is_not_sampled_is_no_warning(
    connected: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    connected(LANGSMITH_TRACING_SAMPLING_RATE="0")
    with otelkit.traced_workflow("outer"):
        otelkit.langsmith.feedback("thumbs", 1)
    with trace.use_span(trace.NonRecordingSpan(trace.SpanContext(1, 2, False))):
        otelkit.langsmith.feedback("thumbs", 1)
    assert caplog.text == ""


def test_feedback_that_cannot_be_sent_does_not_pile_up(
    application: Application, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    go_on, client = threading.Event(), mock.Mock()
    client.create_feedback.side_effect = lambda *_, **__: go_on.wait(30)
    monkeypatch.setattr(_feedback, "_client", lambda *_: client)
    monkeypatch.setattr(_feedback, "_CAPACITY", 5)
    with otelkit.traced_workflow("outer"):
        for _ in range(7):
            otelkit.langsmith.feedback("thumbs", 1)
    threads = [one.name for one in threading.enumerate()]
    assert threads.count("otelkit-feedback") == 1
    assert caplog.text.count("feedback 'thumbs' is lost: 5 wait") == 1
    go_on.set()
    until(lambda: _feedback._worker is None)
    assert client.create_feedback.call_count == 5


def test_a_silent_langsmith_holds_up_neither_traces_nor_the_end(jaeger: StandIn) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        done = python(
            """
            import time, otelkit
            otelkit.setup("app", instrument="none", log_format="json")
            with otelkit.traced_workflow("outer"):
                otelkit.langsmith.feedback("thumbs", 1)
            while not otelkit.status()["traces"]["destinations"]["otlp"]["sent"]:
                time.sleep(0.01)
            """,
            environ={
                "OTEL_BSP_SCHEDULE_DELAY": "10",
                "LANGSMITH_TRACING": "true",
                "LANGSMITH_API_KEY": KEY,
                "LANGSMITH_ENDPOINT": f"http://127.0.0.1:{silent.getsockname()[1]}",
                "OTELKIT_SHUTDOWN_TIMEOUT": "1",
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{jaeger.url}/v1/traces",
                "OTEL_METRICS_EXPORTER": "none",
                "OTEL_LOGS_EXPORTER": "none",
            },
        )
    assert [span.name for span in jaeger.spans] == ["invoke_workflow outer"]
    assert "feedback is lost: 1 not sent in time" in done.stderr
    assert KEY not in done.stderr


SLOW_PACKAGE = """
import os, time
time.sleep(0.5)

class Client:
    info = None
    def __init__(self, **_): pass
    def create_feedback(self, run_id, key, **_): os.write(1, f"{key}\\n".encode())
    def flush(self, _): pass
"""


def test_a_fork_in_the_middle_of_an_import_harms_no_feedback(
    langsmith: StandIn, tmp_path: Path
) -> None:
    (tmp_path / "langsmith.py").write_text(SLOW_PACKAGE)
    done = python(
        """
        import os, sys, time, otelkit
        otelkit.setup("app", instrument="none", log_format="json")
        with otelkit.traced_workflow("outer"):
            otelkit.langsmith.feedback("parent", 1)
            while "langsmith" not in sys.modules:
                time.sleep(0.001)
            child = os.fork()
            if child == 0:
                otelkit.langsmith.feedback("child", 1)
                sys.exit(0)
        assert os.waitpid(child, 0)[1] == 0
        """,
        environ=langsmith.environment(
            **ALONE, PYTHONPATH=str(tmp_path), OTELKIT_SHUTDOWN_TIMEOUT="30"
        ),
    )
    assert sorted(done.stdout.split()) == ["child", "parent"]
    assert "feedback" not in done.stderr


def test_feedback_given_last_is_not_lost_at_exit(langsmith: StandIn) -> None:
    python(
        """
        import otelkit
        otelkit.setup("app", instrument="none", log_format="off")
        with otelkit.traced_workflow("outer"):
            otelkit.langsmith.feedback("thumbs", 1)
        """,
        environ=langsmith.environment(**ALONE, OTELKIT_SHUTDOWN_TIMEOUT="30"),
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
                otelkit.langsmith.feedback("stars", 1)
        """,
        environ=langsmith.environment(**ALONE, LANGSMITH_TRACING_SAMPLING_RATE="0.999999"),
    )
    # As JSON, or by itself where telemetry has ended before.
    said = done.stderr.replace("\\", "")
    assert "feedback 'thumbs' is lost: install \"otelkit[langsmith]\"" in said
    assert said.count("is lost") == 1
    assert [run.name for run in langsmith.runs(1)] == ["outer"]
