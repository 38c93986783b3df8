"""How runs get there, and what happens when they do not."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path

import pytest

import otelkit
from tests.langsmith.conftest import Application, Connect
from tests.langsmith.stand_in import StandIn
from tests.langsmith.test_tree import TREE, answer, look_up
from tests.processes import python

PROGRAM = """
import logging, otelkit
with otelkit.setup("app", instrument="none") as telemetry:
    with otelkit.traced_workflow("outer"):
        pass
    telemetry.flush(30)
    print(sorted(telemetry.status()["traces"]["destinations"]))
"""


def said(output: str, level: str) -> list[str]:
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return [line["message"] for line in lines if line["level"] == level]


def run(langsmith: StandIn, jaeger: StandIn, **variables: str) -> tuple[list[str], str]:
    """The program's warnings and what it printed, with ``setup()`` as an application calls it."""
    done = python(
        PROGRAM,
        environ=langsmith.environment(
            OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{jaeger.url}/v1/traces",
            OTEL_METRICS_EXPORTER="none",
            OTEL_LOGS_EXPORTER="none",
            OTELKIT_LOG_FORMAT="json",
            **variables,
        ),
    )
    assert [span.name for span in jaeger.spans] == ["invoke_workflow outer"]
    return said(done.stderr, "WARNING"), done.stdout.strip()


def test_setup_connects_it(langsmith: StandIn, jaeger: StandIn) -> None:
    assert run(langsmith, jaeger) == ([], "['langsmith', 'otlp']")
    assert langsmith.tree() == "chain outer"
    assert langsmith.runs()[0].project == "tests"


def test_without_tracing_nothing_is_sent(langsmith: StandIn, jaeger: StandIn) -> None:
    assert run(langsmith, jaeger, LANGSMITH_TRACING="") == ([], "['otlp']")
    assert langsmith.requests == []


def test_langchains_names_of_the_variables_count(connected: Connect, langsmith: StandIn) -> None:
    ours = langsmith.environment()
    theirs = {
        "LANGCHAIN_TRACING_V2": "true",
        "LANGCHAIN_API_KEY": ours["LANGSMITH_API_KEY"],
        "LANGCHAIN_ENDPOINT": ours["LANGSMITH_ENDPOINT"],
        "LANGCHAIN_PROJECT": "theirs",
    }
    application = connected(**dict.fromkeys(ours), **theirs)
    look_up("x")
    assert application.runs()[0].project == "theirs"


def test_a_missing_key_is_one_warning(connected: Connect) -> None:
    application = connected(LANGSMITH_API_KEY=None)
    (problem,) = application.problems
    assert "LANGSMITH_API_KEY is not set; nothing is sent to LangSmith" in problem
    answer(application)
    application.flush()
    assert len(application.jaeger.spans) == 9


def test_a_wrong_key_is_one_warning(langsmith: StandIn, jaeger: StandIn) -> None:
    (warning, last), _ = run(langsmith, jaeger, LANGSMITH_API_KEY="lsv2_wrong")
    assert last.startswith("otelkit: not delivered: ")
    assert "answered 403 Forbidden; is LANGSMITH_API_KEY right?" in warning
    assert "lsv2_wrong" not in warning + last


def test_an_odd_project_is_one_warning(connected: Connect) -> None:
    application = connected(LANGSMITH_PROJECT="prüfung\tzwei")
    (problem,) = application.problems
    assert "LANGSMITH_PROJECT='prüfung\\tzwei': no HTTP header can hold this name" in problem
    answer(application)
    assert {run.project for run in application.runs()} == {"prüfung\tzwei"}


def test_a_wrong_address_gets_nothing_and_nobody_else_does(connected: Connect) -> None:
    application = connected(LANGSMITH_ENDPOINT="ftp://example")
    assert "LANGSMITH_ENDPOINT='ftp://example'" in application.settings.problems[0]
    assert application.problems == [
        "LANGSMITH_ENDPOINT cannot be used; nothing is sent to LangSmith"
    ]
    assert application.processor.bridge is None


def test_content_that_is_withheld_is_one_line(langsmith: StandIn, jaeger: StandIn) -> None:
    environ = langsmith.environment(OTELKIT_LOG_FORMAT="json")
    told = said(python(PROGRAM, environ=environ).stderr, "INFO")
    assert ["OTELKIT_CAPTURE=redacted shows them" in line for line in told] == [False, True]


def test_content_that_is_shown_is_no_line(connected: Connect) -> None:
    assert connected(OTELKIT_CAPTURE="metadata").note
    assert connected(OTELKIT_CAPTURE="redacted").note == ""


@pytest.mark.parametrize(
    ("variable", "what"), [("LANGSMITH_API_KEY", "key"), ("LANGSMITH_WORKSPACE_ID", "id")]
)
def test_a_key_that_no_header_can_hold(connected: Connect, variable: str, what: str) -> None:
    application = connected(**{variable: "schlüssel"})
    assert application.problems == [
        f"{variable} holds characters that no {what} has; nothing is sent to LangSmith"
    ]
    assert application.processor.bridge is None


def test_requests_are_small_and_compressed(application: Application) -> None:
    for _ in range(50):
        answer(application)
    application.runs()
    assert max(application.langsmith.sizes) <= 100
    assert application.queue.exporter.endpoint == f"{application.langsmith.url}/otel/v1/traces"
    assert application.langsmith.encodings == {"gzip"}


def test_what_is_too_large_is_divided(application: Application) -> None:
    application.langsmith.largest = 7
    for _ in range(4):
        answer(application)
    assert len(application.runs()) == 20
    assert max(application.langsmith.sizes) <= 7
    assert application.queue.counts().sent == 20


@pytest.mark.parametrize("status", [429, 500, 502, 503, 408])
def test_what_was_refused_for_now_is_sent_again(application: Application, status: int) -> None:
    application.langsmith.refuse.append(status)
    answer(application)
    assert application.tree() == TREE
    assert application.queue.counts().sent == 5
    assert application.queue.counts().lost == 0


def test_a_request_that_the_server_always_fails_on_makes_room(
    application: Application, caplog: pytest.LogCaptureFixture
) -> None:
    application.langsmith.refuse.extend([500] * 8)
    look_up("poison")
    for _ in range(8):
        application.queue.request(time.monotonic() + 5)()
    look_up("cure")
    application.flush()
    assert [run.name for run in application.langsmith.runs()] == ["look_up"]
    assert (application.queue.counts().failed, application.queue.counts().sent) == (1, 1)
    warnings = [one for one in caplog.records if one.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "answered 500" in warnings[0].getMessage()


def test_a_wrong_key_leaves_the_other_destination_alone(connected: Connect) -> None:
    application = connected(LANGSMITH_API_KEY="lsv2_wrong")
    answer(application)
    application.flush()
    assert len(application.jaeger.spans) == 9
    assert application.queue.counts().failed == 5
    assert application.langsmith.taken == []


def test_a_queue_of_its_own_that_overflows_is_counted(connected: Connect) -> None:
    application = connected(OTEL_BSP_MAX_QUEUE_SIZE="20", OTEL_BSP_MAX_EXPORT_BATCH_SIZE="20")
    application.langsmith.refuse.extend([503] * 100)
    for _ in range(60):
        look_up("x")
    counts = application.queue.counts()
    assert counts.dropped >= 60 - 20 - 20
    assert counts.queued + counts.dropped == 60
    application.langsmith.refuse.clear()


def test_links_lead_nowhere_when_nothing_is_sent(connected: Connect) -> None:
    connected(LANGSMITH_TRACING=None)
    with otelkit.traced_workflow("outer"):
        assert otelkit.langsmith.run_url() is None
        otelkit.langsmith.feedback("thumbs", 1)


def test_a_forked_child_takes_no_ones_place(langsmith: StandIn) -> None:
    python(
        """
        import os, otelkit
        from opentelemetry import trace
        telemetry = otelkit.setup("app", instrument="none", log_format="off")
        with trace.get_tracer("web").start_as_current_span("request"):
            child = os.fork()
            with otelkit.traced_workflow("child" if child == 0 else "parent"):
                pass
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        telemetry.shutdown()
        """,
        environ=langsmith.environment(OTEL_TRACES_EXPORTER="none", OTEL_METRICS_EXPORTER="none"),
    )
    langsmith.check()
    assert sorted(run.name for run in langsmith.runs(2)) == ["child", "parent"]


def test_runs_that_could_not_be_sent_are_sent_by_the_next_process(
    langsmith: StandIn, jaeger: StandIn, tmp_path: Path
) -> None:
    langsmith.refuse.extend([503] * 100)
    run(langsmith, jaeger, OTELKIT_SPOOL_DIR=str(tmp_path))
    assert langsmith.runs() == []
    langsmith.refuse.clear()
    jaeger.spans.clear()
    run(langsmith, jaeger, OTELKIT_SPOOL_DIR=str(tmp_path))
    assert [one.name for one in langsmith.runs(2)] == ["outer", "outer"]
