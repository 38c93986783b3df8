"""Queries that dashboards already use, against a real Prometheus and the example service at work.

On both ways: Prometheus scrapes the alias families of the application; and Prometheus has the
plain names only, as a collector hands them on, and the rules of ``otelkit rules``.
"""

from __future__ import annotations

import contextlib
import json
import math
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from prometheus_client.parser import text_string_to_metric_families

from otelkit.cli import _demo_service, _demo_trace
from otelkit.prometheus import aliases, names
from otelkit.prometheus.families import Family, Kind, sample_names
from tests.examples.service import Service, running
from tests.integrations.conftest import wait_until
from tests.processes import ROOT
from tests.prometheus import server
from tests.prometheus.documented import metrics
from tests.prometheus.server import Prometheus

QUERIES = [
    "rate(backbone_http_requests_total[5m])",
    "histogram_quantile(0.95, rate(backbone_http_request_duration_seconds_bucket[5m]))",
    "rate(backbone_agent_executions_total[5m])",
    "histogram_quantile(0.99, rate(backbone_agent_execution_duration_seconds_bucket[5m]))",
    "rate(backbone_agent_errors_total[5m])",
    'rate(backbone_workflow_executions_total{status="completed"}[5m])'
    " / rate(backbone_workflow_executions_total[5m])",
    "max(backbone_workflow_stages_duration_seconds_sum"
    " / backbone_workflow_stages_duration_seconds_count) by (stage)",
    'sum(increase(backbone_llm_tokens_used_total{type="prompt"}[5m])) by (provider, model) * 2.5e-7'
    ' + sum(increase(backbone_llm_tokens_used_total{type="completion"}[5m]))'
    " by (provider, model) * 2e-6",
    "sum(rate(backbone_llm_cost_usd_total[5m])) by (model)",
    "rate(backbone_llm_errors_total[5m])",
    "backbone_active_workflows",
    "backbone_system_info",
    "rate(backbone_code_files_generated_total[5m])",
    "rate(backbone_code_lines_generated_total[5m])",
    "rate(backbone_code_models_generated_total[5m])",
    'sum by (path, status) (rate(http_requests_total{method="POST"}[5m]))',
    "histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))",
    "http_requests_inprogress",
]
CODE = [f"backbone_code_{what}_generated_total" for what in ("files", "lines", "models")]
NAMES = [
    *(
        sample
        for name, alias in aliases.chosen("backbone", ["instrumentator"])
        for sample in sample_names(Family(name, aliases.kind(alias), ""))
    ),
    *CODE,
]


@dataclass
class Setting:
    """The service, and Prometheus on both ways."""

    service: Service
    direct: Prometheus
    ruled: Prometheus


class Work:
    """Requests without end, one in four of which fails."""

    def __init__(self, service: Service, sample: dict[str, Any]) -> None:
        self._service, self._sample = service, sample
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        number = 0
        while not self._stop.wait(0.05):
            number += 1
            failing = {"llm": {"coder": "gpt-5-mini@error=500"}} if number % 4 == 0 else {}
            self._service.ask("/generate", {**self._sample, **failing})


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory, sample: dict[str, Any]) -> Iterator[Setting]:
    folder = tmp_path_factory.mktemp("queries")
    with ExitStack() as stack:
        patience = stack.enter_context(pytest.MonkeyPatch.context())
        patience.setattr(_demo_service, "_START_SECONDS", 180)
        service = stack.enter_context(
            running(
                folder,
                OTELKIT_METRICS_NAMESPACE="backbone",
                OTELKIT_METRICS_ALIASES="instrumentator",
            )
        )
        target = service.url.removeprefix("http://")
        enter = stack.enter_context
        direct = enter(server.running(folder / "direct", target))
        drop = "backbone_.*|http_requests_.*|http_request_duration_.*"
        ruled = enter(server.running(folder / "ruled", target, rules(), drop))
        work = Work(service, sample)
        stack.callback(work.stop)
        made = Setting(service, direct, ruled)
        for query in QUERIES:
            wait_until(lambda: answers(made, query), 120)  # noqa: B023
        work.stop()
        yield made


def answers(setting: Setting, query: str) -> bool:
    return answered(setting.direct, query) and answered(setting.ruled, query)


def answered(prometheus: Prometheus, query: str) -> bool:
    return any(math.isfinite(value) for value in prometheus.query(query).values())


def rules() -> str:
    """What the command writes for the example service."""
    command = [
        *(sys.executable, "-m", "otelkit", "rules", "--namespace", "backbone"),
        *("--aliases", "instrumentator", "examples.codegen_service.workflow"),
    ]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def sample() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(_demo_service.sample().read_text())
    return schema


@pytest.mark.parametrize("query", QUERIES)
def test_every_query_returns_data_on_both_ways(setting: Setting, query: str) -> None:
    assert answers(setting, query)


def test_both_ways_say_the_same(setting: Setting) -> None:
    """Once nothing happens any more."""

    def differing() -> dict[str, Any]:
        both = {name: (setting.direct.query(name), setting.ruled.query(name)) for name in NAMES}
        return {n: (a, b) for n, (a, b) in both.items() if not a or a != pytest.approx(b)}

    with contextlib.suppress(AssertionError):
        wait_until(lambda: not differing(), 120)  # a scrape may fail: Prometheus gives it a second
    assert differing() == {}


def test_the_labels_are_those_that_queries_name(setting: Setting) -> None:
    for prometheus in (setting.direct, setting.ruled):

        def labels(query: str) -> set[str]:
            return {label for key in prometheus.query(query) for label, _ in key} - {"__name__"}  # noqa: B023

        assert labels("backbone_http_requests_total") == {"method", "endpoint", "status"}
        assert labels("backbone_llm_tokens_used_total") == {"provider", "model", "type"}
        assert labels("backbone_agent_errors_total") == {"agent_name", "error_type"}
        assert labels("http_requests_total") == {"method", "path", "status"}
        assert labels("backbone_system_info") == {"environment"}


def test_exemplars_lead_to_traces(setting: Setting) -> None:
    window = {"start": 0, "end": 1e11}
    found = setting.direct.ask(
        "query_exemplars", query="backbone_http_request_duration_seconds_bucket", **window
    )
    traces = {e["labels"]["trace_id"] for series in found for e in series["exemplars"]}
    assert traces
    for trace in list(traces)[:3]:
        spans = _demo_trace.ask(f"{setting.service.viewer_url}/api/traces/{trace}")["spans"]
        assert "POST /generate" in [span["name"] for span in spans]


def test_kinds_and_labels_are_those_that_readme_names(setting: Setting) -> None:
    page = setting.service.ask("/metrics").text
    shown = {family.name: family for family in text_string_to_metric_families(page)}
    differing, seen = {}, set()
    for metric, row in metrics().items():
        name = names.family(metric, cast("Kind", row.kind), row.unit)[0]
        if name in shown:
            seen.add(metric)
            family = shown[name]
            kind = "updown" if row.kind == "updown" and family.type == "gauge" else family.type
            labels = {label for sample in family.samples for label in sample.labels} - {"le"}
            if kind not in (row.kind, "unknown") or labels - set(map(names.label, row.attributes)):
                differing[metric] = (kind, labels)
    assert differing == {}
    assert len(seen) > 15


def test_the_page_is_clean(setting: Setting, tmp_path: Path) -> None:
    page = setting.service.ask("/metrics").text
    assert page.count("# TYPE") > 50
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=page, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
