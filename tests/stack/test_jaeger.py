"""The real Jaeger as shipped, behind the collector: what is asked of it by its page."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.parse
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.processes import python
from tests.prometheus import server as prometheus

from . import otlp
from .programs import COLLECTOR, Collector, Program, find_jaeger, free_port, get, until

pytestmark = pytest.mark.stack

CONFIGURATION = COLLECTOR / "jaeger" / "jaeger.yaml"


class Jaeger(Program):
    """The program on ports of its own, with its data in ``folder``."""

    def __init__(self, jaeger: str, folder: Path, **env: str) -> None:
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
        env["JAEGER_DATA"] = str(folder)
        super().__init__(command, folder / "jaeger.log", f"{self.url}/api/services", env)

    def spans(self, trace_id: str) -> list[dict[str, Any]]:
        try:
            answer = json.loads(get(f"{self.url}/api/traces/{trace_id}"))
        except urllib.error.HTTPError:
            return []
        spans: list[dict[str, Any]] = answer["data"][0]["spans"]
        return spans

    def monitor(self, what: str, **query: str) -> dict[str, float]:
        """What its monitor tab shows last of the service's operations: numbers above none."""
        now = str(time.time_ns() // 1_000_000)
        has = {"service": "shop", "spanKind": "server", "groupByOperation": "true", "endTs": now}
        parameters = urllib.parse.urlencode({**has, "lookback": "60000", "step": "1000", **query})
        shown = {}
        for one in json.loads(get(f"{self.url}/api/metrics/{what}?{parameters}"))["metrics"]:
            labels = {label["name"]: label["value"] for label in one["labels"]}
            value = float(one["metricPoints"][-1]["gaugeValue"]["doubleValue"])
            if value > 0:
                shown[labels["operation"]] = value
        return shown


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


def test_its_monitor_tab_shows_what_the_collector_makes_of_spans(
    jaeger: str, otelcol: str, tmp_path: Path
) -> None:
    soon = {"connectors": {"span_metrics": {"metrics_flush_interval": "1s"}}}
    server = Span.SPAN_KIND_SERVER
    with Collector(otelcol, tmp_path / "collector", changes=soon) as collector:
        page = f"127.0.0.1:{collector.ports['page']}"
        with (
            prometheus.running(tmp_path / "prometheus", page) as metrics,
            Jaeger(jaeger, tmp_path / "jaeger", PROMETHEUS_ENDPOINT=metrics.url) as running,
        ):

            def shown() -> Any:
                spans = [otlp.span("GET /", kind=server, seconds=0.3)]
                spans.append(otlp.span("POST /", kind=server, error=True))
                assert otlp.send(collector.http, "traces", otlp.traces(spans)) == 200
                parts = ("calls", "errors", "latencies")
                found = [running.monitor(part, quantile="0.95") for part in parts]
                return all("POST /" in part for part in found) and found

            calls, errors, latencies = until(shown, 60, "calls, errors and latencies are shown")

    assert set(calls) == set(latencies) == {"GET /", "POST /"}
    assert errors == {"POST /": 1.0}
    assert 0.25 < latencies["GET /"] <= 0.5  # seconds: the bucket that 0.3 is in
    assert latencies["POST /"] < 0.025


def test_what_is_shipped_for_it_names_nothing_that_it_does_not_know(jaeger: str) -> None:
    command = [jaeger, "validate", f"--config={CONFIGURATION}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "deprecat" not in done.stdout + done.stderr
