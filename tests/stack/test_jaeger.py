"""The real Jaeger as shipped, behind the collector: what is asked of it by its page."""

from __future__ import annotations

import json
import subprocess
import urllib.error
from pathlib import Path
from typing import Any

import pytest

from tests.processes import python

from .programs import COLLECTOR, Collector, Program, find_jaeger, free_port, get, until

pytestmark = pytest.mark.stack

CONFIGURATION = COLLECTOR / "jaeger" / "jaeger.yaml"


class Jaeger(Program):
    """The program on ports of its own, with its data in ``folder``."""

    def __init__(self, jaeger: str, folder: Path) -> None:
        folder.mkdir()
        names = ("otlp", "query", "grpc", "own")
        at = {name: f"127.0.0.1:{free_port()}" for name in names}
        self.otlp, self.url = at["otlp"], f"http://{at['query']}"
        host, port = at["own"].split(":")
        pull = {"exporter": {"prometheus": {"host": host, "port": int(port)}}}
        query = {"http": {"endpoint": at["query"]}, "grpc": {"endpoint": at["grpc"]}}
        moved = folder / "ports.yaml"
        moved.write_text(
            json.dumps(
                {
                    "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": self.otlp}}}},
                    "extensions": {"jaeger_query": query},
                    "service": {"telemetry": {"metrics": {"readers": [{"pull": pull}]}}},
                }
            )
        )
        command = [jaeger, f"--config={CONFIGURATION}", f"--config={moved}"]
        env = {"JAEGER_DATA": str(folder)}
        super().__init__(command, folder / "jaeger.log", f"{self.url}/api/services", env)

    def spans(self, trace_id: str) -> list[dict[str, Any]]:
        try:
            answer = json.loads(get(f"{self.url}/api/traces/{trace_id}"))
        except urllib.error.HTTPError:
            return []
        spans: list[dict[str, Any]] = answer["data"][0]["spans"]
        return spans


@pytest.fixture(scope="module")
def jaeger() -> str:
    found = find_jaeger()
    if found is None:
        pytest.skip("no Jaeger: `make jaeger` finds or builds one (OTELKIT_JAEGER names one)")
    return found


def test_it_shows_a_trace_of_an_application_and_keeps_it(
    jaeger: str, otelcol: str, tmp_path: Path
) -> None:
    code = """
        import otelkit
        from opentelemetry import trace
        with otelkit.setup("shop"), otelkit.traced_workflow("order") as workflow:
            print("trace", format(trace.get_current_span().get_span_context().trace_id, "032x"))
            with otelkit.traced_agent("clerk"), otelkit.traced_tool("count") as tool:
                pass
    """
    with Jaeger(jaeger, tmp_path / "jaeger") as running:
        env = {"JAEGER_ENDPOINT": running.otlp}
        with Collector(otelcol, tmp_path / "collector", env=env) as collector:
            said = python(code, environ={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.http}).stdout
            trace_id = said.split("trace ")[1].split()[0]
            until(lambda: len(running.spans(trace_id)) == 3, 60, "the trace is shown")
        assert json.loads(get(f"{running.url}/api/services"))["data"] == ["shop"]
        running.stop()
        running.start()

        spans = {span["operationName"]: span for span in running.spans(trace_id)}
    assert set(spans) == {"invoke_workflow order", "invoke_agent clerk", "execute_tool count"}
    parents = [one["spanID"] for one in spans["execute_tool count"]["references"]]
    assert parents == [spans["invoke_agent clerk"]["spanID"]]


def test_what_is_shipped_for_it_names_nothing_that_it_does_not_know(jaeger: str) -> None:
    command = [jaeger, "validate", f"--config={CONFIGURATION}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "deprecat" not in done.stdout + done.stderr
