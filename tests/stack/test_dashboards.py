"""Grafana's dashboards: as built, complete, and about metrics that exist."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from otelkit import semconv
from otelkit.prometheus.names import family

from . import logql
from .programs import COLLECTOR

GRAFANA = COLLECTOR / "grafana"
PATHS = sorted((GRAFANA / "dashboards").glob("*.json"))
DASHBOARDS = {path.stem: json.loads(path.read_text()) for path in PATHS}
PANELS = [
    pytest.param(panel, id=f"{name}-{panel['title']}")
    for name, dashboard in DASHBOARDS.items()
    for panel in dashboard["panels"]
    if panel["type"] != "row"
]
RULES: dict[str, dict[str, Any]] = {
    rule["alert"]: rule
    for path in sorted((COLLECTOR / "prometheus" / "rules").glob("*.yaml"))
    for group in yaml.safe_load(path.read_text())["groups"]
    for rule in group["rules"]
}

# What is not made by otelkit, and by what it is: all names that may be read. That Prometheus has
# each of them is seen in test_end_to_end.py.
_ITEMS = ("spans", "log_records", "metric_points")
_COUNTED = ("enqueue_failed", "send_failed", "sent")
OTHERS = {
    "the collector's receiver host_metrics": {
        "system_cpu_load_average_5m",
        "system_cpu_logical_count",
        "system_cpu_time_seconds_total",
        "system_disk_io_bytes_total",
        "system_filesystem_utilization_ratio",
        "system_memory_utilization_ratio",
    },
    "the collector itself, with an ending or without": {
        *(f"otelcol_exporter_{what}_{items}" for what in _COUNTED for items in _ITEMS),
        *(
            f"otelcol_receiver_{what}_{items}"
            for what in ("accepted", "refused")
            for items in _ITEMS
        ),
        "otelcol_exporter_queue_capacity",
        "otelcol_exporter_queue_size",
        "otelcol_process_cpu_seconds",
        "otelcol_process_memory_rss",
    },
    "opentelemetry-instrumentation-system-metrics, the extra system": {
        "process_cpu_time_seconds_total",
        "process_memory_usage_bytes",
    },
    "the collector's connectors span_metrics and service_graph": {
        "traces_span_metrics_calls_total",
        "traces_span_metrics_duration_seconds_bucket",
        "traces_service_graph_request_total",
    },
    "the resource, written by the collector's exporters for Prometheus": {"target_info"},
    "Prometheus, for each of its targets": {"up"},
}
_WORDS = frozenset(
    re.findall(
        r"\w+",
        "sum min max count avg topk rate increase histogram_quantile label_replace vector "
        "last_over_time max_over_time min_over_time by on or and unless offset",
    )
)


def expressions(panel: dict[str, Any]) -> list[str]:
    targets = panel["targets"]
    return [one["expr"] for one in targets if "prometheus" in one["datasource"]["uid"]]


def metrics(expr: str) -> set[str]:
    """The metrics that a PromQL expression reads."""
    named = set(re.findall(r'__name__=~?"([^"]*?)(?:\(_\w+\)\?)?"', expr))
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\"[^\"]*\"", " ", expr)
    bare = re.sub(r"\b(by|on|group_left)\s*\([^)]*\)", " ", bare)
    return named | (set(re.findall(r"\b[A-Za-z_]\w*", bare)) - _WORDS)


def known() -> set[str]:
    """The names that Prometheus has for otelkit's own metrics."""
    found = set()
    for name, unit in semconv.UNITS.items():
        if name in semconv.BUCKETS:
            found |= {
                f"{family(name, 'histogram', unit)[0]}_{s}" for s in ("bucket", "count", "sum")
            }
        else:
            found |= {f"{family(name, 'counter', unit)[0]}_total", family(name, "gauge", unit)[0]}
    return found


def unknown(expr: str) -> set[str]:
    return metrics(expr) - known() - set().union(*OTHERS.values())


def test_what_is_committed_is_what_the_builder_writes(tmp_path: Path) -> None:
    command = [sys.executable, "-B", str(GRAFANA / "build.py"), str(tmp_path)]
    subprocess.run(command, check=True)

    built = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert {path.name: path.read_text() for path in PATHS} == built


def test_uids_are_unique() -> None:
    assert len({dashboard["uid"] for dashboard in DASHBOARDS.values()}) == len(PATHS) == 5


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_have_a_number_and_a_place_of_their_own(name: str) -> None:
    panels = DASHBOARDS[name]["panels"]

    assert len({panel["id"] for panel in panels}) == len(panels)
    titles = [panel["title"] for panel in panels if panel["type"] != "row"]
    assert len(set(titles)) == len(titles)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_has_unit_text_and_a_threshold_or_says_why_not(panel: dict[str, Any]) -> None:
    text = panel["description"]
    first, *others = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    values = [step["value"] for step in others]

    assert panel["fieldConfig"]["defaults"]["unit"]
    assert first["value"] is None
    assert values == sorted(values)
    assert bool(values) is not bool(re.search(r" No threshold: \w.+\.$", text))
    assert re.match(r"\S.+\.$", text)


def test_most_panels_have_a_threshold() -> None:
    """Those without are amounts of work, parts of what another panel limits, or lines of text."""
    without = [param.id for param in PANELS if "No threshold:" in param.values[0]["description"]]

    assert len(without) < len(PANELS) / 3


@pytest.mark.parametrize("alert", RULES)
def test_panels_turn_red_where_an_alert_fires(alert: str) -> None:
    expr = re.sub(r"\"[^\"]*\"", "", RULES[alert]["expr"])
    compared = {float(n) for n in re.findall(r"(?:==|[<>]=?) *(\d+(?:\.\d+)?)", expr)}
    panels = [
        param.values[0]
        for param in PANELS
        if re.search(rf"\b{alert}\b", param.values[0]["description"])
    ]

    assert panels
    for panel in panels:
        steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        if "No threshold:" in panel["description"]:
            continue
        # Of two neighbours one is red: where it begins, or where it ends.
        red = next(
            after["value"]
            for before, after in itertools.pairwise(steps)
            if "red" in (before["color"], after["color"])
        )
        assert red in compared or (0 in compared and 0 < red < 1), panel["title"]


@pytest.mark.parametrize("alert", RULES)
def test_the_dashboard_that_an_alert_leads_to_has_a_panel_for_it(alert: str) -> None:
    name = RULES[alert]["annotations"]["dashboard"].removeprefix("otelkit-")

    assert any(
        re.search(rf"\b{alert}\b", panel.get("description", ""))
        for panel in DASHBOARDS[name]["panels"]
    )


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_asks_a_data_source_that_a_variable_names(panel: dict[str, Any]) -> None:
    sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]

    assert {source["uid"] for source in sources} <= {"${prometheus}", "${loki}"}


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_reads_metrics_that_exist(panel: dict[str, Any]) -> None:
    assert panel["targets"]
    for expr in expressions(panel):
        assert metrics(expr)
        assert unknown(expr) == set()


@pytest.mark.parametrize("alert", RULES)
def test_alerts_read_metrics_that_exist(alert: str) -> None:
    assert unknown(RULES[alert]["expr"]) == set()


def test_a_metric_that_does_not_exist_would_be_noticed() -> None:
    expr = 'sum by (otelkit_name) (rate(otelkit_llm_costs_total{job="x"}[5m])) > 1'

    assert metrics(expr) == unknown(expr) == {"otelkit_llm_costs_total"}
    for other in ("system_cpu_times", "otelcol_exporter_sent_traces", "upp", "traces_span_calls"):
        assert unknown(f"rate({other}[5m])") == {other}


def test_a_query_of_lines_that_selects_nothing_would_be_noticed() -> None:
    lines = [({"service_name": "shop"}, "sold", {"trace_id": "12", "severity_text": "INFO"})]

    assert logql.select('{service_name=~"s.+"} | trace_id!="" | severity_text="INFO"', lines)
    assert not logql.select('{service=~".+"}', lines)
    assert not logql.select('{service_name="shop"} | trace!=""', lines)
    assert not logql.select('{service_name="shop"} | severity_text=~"ERROR|INF"', lines)
    for wrong in ('{service_name=~".*"}', '{service_name="shop"} | json', "service_name"):
        with pytest.raises(ValueError, match=r"not understood|without any label"):
            logql.select(wrong, lines)


def test_data_sources_are_provisioned_under_the_names_that_are_used() -> None:
    text = (GRAFANA / "provisioning" / "datasources" / "datasources.yaml").read_text()
    sources = {one["uid"]: one for one in yaml.safe_load(text)["datasources"]}
    asked = {
        variable["current"]["value"]
        for dashboard in DASHBOARDS.values()
        for variable in dashboard["templating"]["list"]
        if variable["type"] == "datasource"
    }

    assert asked == {"prometheus", "loki"}
    assert set(sources) == {"prometheus", "loki", "jaeger"}
    leads = [
        sources["prometheus"]["jsonData"]["exemplarTraceIdDestinations"][0]["datasourceUid"],
        sources["jaeger"]["jsonData"]["tracesToLogsV2"]["datasourceUid"],
        sources["loki"]["jsonData"]["derivedFields"][0]["datasourceUid"],
    ]
    assert leads == ["jaeger", "loki", "jaeger"]
    # A single dollar would be a variable of the environment, hence empty.
    assert re.findall(r"(?<!\$)\$\{", text) == []


def test_graphs_of_durations_lead_to_traces() -> None:
    quantiles = [
        target
        for param in PANELS
        for target in param.values[0]["targets"]
        if param.values[0]["type"] == "timeseries" and "_seconds_bucket" in target["expr"]
    ]

    assert quantiles
    assert [target["expr"] for target in quantiles if not target["exemplar"]] == []
