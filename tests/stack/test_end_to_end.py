"""The example service under load, through the real collector, to everything that it feeds."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
import yaml

from otelkit.cli import _demo_service

from . import asking, logql, series
from .destinations import attribute_map
from .programs import COLLECTOR, get, samples, total, until
from .running import Odds, Running, running, settle
from .test_dashboards import DASHBOARDS, OTHERS, PANELS

pytestmark = pytest.mark.stack

RUNS = 12
_FAILED = 'gen_ai_client_operation_duration_seconds_count{error_type!=""}'


@pytest.fixture(scope="module")
def loaded(otelcol: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The stack after load; the service still runs, and sends only metrics."""
    sample: dict[str, Any] = json.loads(_demo_service.sample().read_text())
    failing = {**sample, "llm": {"coder": "gpt-5-mini@error=500"}}
    with running(otelcol, tmp_path_factory.mktemp("stack")) as made:
        with Odds(made.collector) as odds:
            requests = [("/generate", sample)] * RUNS + [("/generate", failing)]
            requests += [("/generate/stream", sample), ("/runs", None), ("/nope", None)]
            requests += [("/generate", {"tables": [{"name": "no columns"}]})]
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(lambda request: made.ask(*request), requests))
            # A rate needs two values: the errors of this request come after those of the first.
            until(lambda: made.total(_FAILED) > 0, what="the first errors were counted")
            made.ask("/generate", failing)
            with suppress(AssertionError):  # the tests say which panels show nothing
                until(lambda: not asking.look(made), 60)
        made.odds = odds.counts
        settle(made)
        yield made


def test_the_service_was_asked_what_was_planned(loaded: Running) -> None:
    assert Counter(loaded.answers) == {200: RUNS + 2, 502: 2, 404: 1, 422: 1}


def test_every_span_is_in_jaeger_once(loaded: Running) -> None:
    sent = loaded.collector.own("otelcol_receiver_accepted_spans")

    assert loaded.collector.own("otelcol_receiver_refused_spans") == 0
    assert sent > 100
    assert len(loaded.jaeger.ids()) == len(loaded.jaeger.spans) == sent


def test_what_a_service_says_it_has_sent_has_arrived(loaded: Running) -> None:
    sent = {signal: by_name["otlp"] for signal, by_name in loaded.odds.items()}
    lines = [labels for labels, _, _ in loaded.loki.lines if labels["service_name"] == "odds"]

    assert sent["traces"]["sent"] == loaded.jaeger.services["odds"] > 0
    assert sent["logs"]["sent"] == len(lines) > 0
    for counts in sent.values():
        assert counts["failed"] == counts["dropped"] == counts["queued"] == 0


@pytest.mark.parametrize("signal", ["traces", "logs", "metrics"])
def test_what_both_services_say_they_have_sent_is_what_has_arrived(
    loaded: Running, signal: str
) -> None:
    def arrived() -> float:
        if signal == "metrics":
            return loaded.collector.own("otelcol_receiver_accepted_metric_points", receiver="otlp")
        return len(loaded.jaeger.spans if signal == "traces" else loaded.loki.lines)

    def said(outcome: str) -> float:
        account = samples(get(f"{loaded.service_url}/metrics"))["otelkit_export_items_total"]
        here = total(account, otelkit_signal=signal, otelkit_outcome=outcome)
        return here + loaded.odds[signal]["otlp"][outcome]

    until(lambda: said("sent") == arrived() > 20, what=f"{said('sent')} {signal} are there")
    assert said("failed") == said("dropped") == 0


def test_every_log_record_is_in_loki_once(loaded: Running) -> None:
    def arrived() -> bool:
        sent = loaded.collector.own("otelcol_receiver_accepted_log_records")
        return len(loaded.loki.lines) == sent > 20

    until(arrived, what="all log records are in Loki")  # probes still log a line a second
    assert loaded.loki.refused == []
    assert loaded.collector.own("otelcol_receiver_refused_log_records") == 0


def test_every_span_is_counted_in_prometheus(loaded: Running) -> None:
    by_name = Counter(span.name for span in loaded.jaeger.spans)
    counted = loaded.query("sum by (span_name) (traces_span_metrics_calls_total)")

    assert {labels["span_name"]: value for labels, value in counted} == by_name


def test_metrics_of_spans_say_whose_they_are_as_others_do(loaded: Running) -> None:
    def owners(metric: str) -> set[tuple[str, str, str]]:
        by = ("job", "instance", "deployment_environment_name")
        found = loaded.query(f"count by ({','.join(by)}) (last_over_time({metric}[10m]))")
        return {tuple(labels.get(one, "") for one in by) for labels, _ in found}

    assert len(owners("traces_span_metrics_calls_total")) == 2
    assert owners("traces_span_metrics_calls_total") < owners("target_info")


def test_every_request_is_counted_in_prometheus(loaded: Running) -> None:
    counted = loaded.query(
        "sum by (http_response_status_code) (http_server_request_duration_seconds_count)"
    )

    assert {int(one["http_response_status_code"]): v for one, v in counted} == Counter(
        loaded.answers
    )


def test_calls_tokens_and_cost_are_those_of_the_spans(loaded: Running) -> None:
    calls = [span for span in loaded.jaeger.spans if span.name.startswith("chat ")]
    having = [attribute_map(span.attributes) for span in calls]

    def spans(attribute: str) -> float:
        return sum(float(one.get(attribute, 0)) for one in having)

    def tokens(kind: str) -> float:
        return loaded.total(f'otelkit_llm_tokens_total{{gen_ai_token_type="{kind}"}}')

    assert loaded.total("gen_ai_client_operation_duration_seconds_count") == len(calls) > 50
    assert tokens("input") == spans("gen_ai.usage.input_tokens") > 0
    assert tokens("output") == spans("gen_ai.usage.output_tokens") > 0
    assert tokens("cache_read") == spans("gen_ai.usage.cache_read.input_tokens")
    cost = loaded.total("otelkit_llm_cost_USD_total")
    assert cost == pytest.approx(spans("gen_ai.usage.cost.amount"))
    assert cost > 0


def test_runs_of_workflows_agents_and_tools_are_those_of_the_spans(loaded: Running) -> None:
    names = Counter(span.name.split()[0] for span in loaded.jaeger.spans)

    for kind in ("invoke_workflow", "invoke_agent", "execute_tool"):
        counted = loaded.total(f"gen_ai_{kind}_duration_seconds_count")
        assert counted == names[kind] > 0, kind


def test_every_count_of_the_service_is_the_same_in_prometheus(loaded: Running) -> None:
    """Of all its counters and histograms; some of them still grow."""
    before = series.counts(get(f"{loaded.service_url}/metrics"))
    there: dict[series.Series, float] = {}

    def arrived() -> bool:
        names = "|".join({name for name, _ in before})
        found = loaded.query(f'{{job="codegen-service", __name__=~"{names}"}}')
        there.update({series.of(labels["__name__"], labels): value for labels, value in found})
        return all(there.get(one, -1) >= value for one, value in before.items())

    until(arrived, what="what is counted has arrived")
    after = series.counts(get(f"{loaded.service_url}/metrics"))
    assert {one for one, value in there.items() if value > after.get(one, -1)} == set()
    same = {one for one, value in before.items() if after[one] == value == there[one]}
    assert len(same) > 0.9 * len(before)
    assert len({name for name, _ in same}) > 30
    assert loaded.collector.own("otelcol_receiver_refused_metric_points") == 0


def test_lines_and_spans_find_each_other(loaded: Running) -> None:
    traces = {span.trace_id.hex() for span in loaded.jaeger.spans}
    lines = {has["trace_id"] for _, _, has in loaded.loki.lines if "trace_id" in has}

    assert lines
    assert lines <= traces
    text = (COLLECTOR / "grafana/provisioning/datasources/datasources.yaml").read_text()
    jaeger = next(one for one in yaml.safe_load(text)["datasources"] if one["type"] == "jaeger")
    query = jaeger["jsonData"]["tracesToLogsV2"]["query"]
    for trace in lines:
        assert logql.select(query.replace("$${__trace.traceId}", trace), loaded.loki.lines)


def test_lines_have_few_labels(loaded: Running) -> None:
    labels = [labels for labels, _, _ in loaded.loki.lines]

    assert {frozenset(one) for one in labels} == {
        frozenset({"service_name", "deployment_environment_name"})
    }
    assert {one["service_name"] for one in labels} == {"codegen-service", "odds"}


@pytest.mark.parametrize(
    "metric",
    [
        "http_server_request_duration_seconds_bucket",
        "gen_ai_client_operation_duration_seconds_bucket",
        "gen_ai_invoke_agent_duration_seconds_bucket",
        "traces_span_metrics_duration_seconds_bucket",
    ],
)
def test_points_of_graphs_lead_to_traces(loaded: Running, metric: str) -> None:
    led = loaded.exemplars(metric)

    assert led
    assert led <= {span.trace_id.hex() for span in loaded.jaeger.spans}


def test_the_graph_of_services_has_databases_and_providers(loaded: Running) -> None:
    edges = loaded.query("sum by (client, server) (traces_service_graph_request_total)")
    found = {(labels["client"], labels["server"]) for labels, _ in edges}

    assert {("codegen-service", "openai"), ("codegen-service", "shop")} <= found


@pytest.mark.parametrize("panel", PANELS)
def test_every_panel_shows_something(loaded: Running, panel: dict[str, Any]) -> None:
    asked = [target["expr"] for target in panel["targets"]]

    assert asked
    assert [expr for expr in asked if expr not in loaded.shown] == []


@pytest.mark.parametrize("maker", OTHERS)
def test_what_others_make_has_the_name_by_which_it_is_read(loaded: Running, maker: str) -> None:
    ending = "(_total|_bytes)?" if maker.startswith("the collector itself") else ""

    for name in OTHERS[maker]:
        assert loaded.query(f'last_over_time({{__name__=~"{name}{ending}"}}[10m])'), name


def test_every_variable_has_something_to_choose_from(loaded: Running) -> None:
    variables = next(iter(DASHBOARDS.values()))["templating"]["list"]
    asked = [one["definition"] for one in variables if one["type"] == "query"]

    assert len(asked) == 3
    for definition in asked:
        found = re.fullmatch(r"label_values\((?:(.+), )?(\w+)\)", definition)
        assert found
        metric, label = found.groups()
        if metric:
            values = {has.get(label) for has, _ in loaded.query(asking.filled(metric))}
        else:
            values = {labels.get(label) for labels, _, _ in loaded.loki.lines}
        assert values - {None, ""}, definition


def test_every_rule_can_be_evaluated(loaded: Running) -> None:
    groups = loaded.rules()

    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) > 20
    assert {
        rule["name"]: rule.get("lastError", "") for rule in rules if rule["health"] != "ok"
    } == {}


def test_the_collector_warns_of_nothing_but_the_bad_destinations(loaded: Running) -> None:
    said = [line for line in loaded.collector.said().splitlines() if '"level":"warn"' in line]

    others = [line for line in said if "otlp_http/" not in line and "/bad" not in line]
    assert others == []
