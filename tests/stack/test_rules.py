"""The alert rules, by promtool: they load, their tests pass, and the tests would notice."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from . import asking
from .programs import COLLECTOR, find
from .test_dashboards import PANELS

pytestmark = pytest.mark.stack

PROMETHEUS = COLLECTOR / "prometheus"
FILES = sorted((PROMETHEUS / "rules").glob("*.yaml"))
ALERTS = [
    pytest.param(path, rule["alert"], id=rule["alert"])
    for path in FILES
    for group in yaml.safe_load(path.read_text())["groups"]
    for rule in group["rules"]
]
# Alerts that count all of what a new counter begins with, and such a counter.
NEW = {
    "HighLLMCost": 'otelkit_llm_cost_USD_total{job="batch"}',
    "LogErrorBurst": 'otelkit_log_records_total{job="batch",otelkit_level="ERROR"}',
    "TelemetryDropped": 'otelkit_export_items_total{job="batch",otelkit_outcome="dropped"}',
    "CollectorDropsTelemetry": 'otelcol_exporter_enqueue_failed_spans{exporter="kafka"}',
    "DestinationRefuses": 'otelcol_exporter_send_failed_log_records_total{exporter="kafka"}',
}
# Labels that select, and those that keep environments and collectors apart.
_LABEL = r'(?!__name__)\b\w+(?:=~|!~|!=|=)"[^"]*"|, (?:deployment_environment_name|instance)\b'
NEVER, ALWAYS = "vector(0) > 1", "vector(1)"


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [find("promtool"), *arguments]
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}  # in order
    return subprocess.run(command, text=True, check=False, **both)


def rules(path: Path) -> list[dict[str, Any]]:
    groups = yaml.safe_load(path.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_prometheus_accepts_its_configuration() -> None:
    done = promtool("check", "config", str(PROMETHEUS / "prometheus.yml"))

    assert done.returncode == 0, done.stdout
    assert "WARNING" not in done.stdout


def changed(rule: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The rule with one change each, by what that is."""
    expr, found = rule["expr"], {}
    for never_or_always in (NEVER, ALWAYS):
        found[never_or_always] = {**rule, "expr": never_or_always, "for": "0s"}
    if "for" in rule:
        number, unit = int(rule["for"][:-1]), rule["for"][-1]
        found["for 0s"] = {**rule, "for": "0s"}
        found["for twice as long"] = {**rule, "for": f"{2 * number}{unit}"}
    for number in re.finditer(r"(?<=[<>=] )(?!0\b(?!\.))\d+(\.\d+)?", expr):
        for factor in (0.5, 2):
            text = f"{float(number[0]) * factor:g}"
            found[f"{text} at {number.start()}"] = {**rule, "expr": put(expr, number, text)}
    for label in re.finditer(_LABEL, expr):
        # After `unless`, the labels of what stands before select.
        if "unless last" not in expr[: label.start()].rpartition("\n")[2]:
            text = f"no {label[0]} at {label.start()}"
            found[text] = {**rule, "expr": put(expr, label, "").replace("{, ", "{")}
    return found


def put(text: str, at: re.Match[str], other: str) -> str:
    return text[: at.start()] + other + text[at.end() :]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_tests_of_the_rules_pass(path: Path) -> None:
    done = promtool("test", "rules", str(PROMETHEUS / "tests" / path.name))

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("path", "alert"), ALERTS)
def test_a_changed_rule_fails_its_tests(path: Path, alert: str, tmp_path: Path) -> None:
    """Every change of `changed()`, each beside the tests in which the alert is named."""
    # As text: YAML of another version reads 0x80, no change for a while, as a number.
    head, *cases = (PROMETHEUS / "tests" / path.name).read_text().split("\n  - name: ")
    tests = "\n  - name: ".join([head, *(case for case in cases if alert in case)])
    tests = tests.replace(f"[../rules/{path.name}]", "[rules.yaml]")
    named = [rule for rule in rules(path) if rule["alert"] in tests]
    rule = next(rule for rule in named if rule["alert"] == alert)
    changes = {"none": rule, **changed(rule)}
    for number, change in enumerate(changes.values()):
        folder = tmp_path / str(number)
        folder.mkdir()
        group = {"name": "one", "rules": [change if one is rule else one for one in named]}
        (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": [group]}))
        (folder / "tests.yaml").write_text(tests)
    done = promtool(
        "test", "rules", *(str(tmp_path / str(n) / "tests.yaml") for n in range(len(changes)))
    )

    assert "could not parse" not in done.stdout
    results = re.findall(r"^  (SUCCESS|FAILED)", done.stdout, re.MULTILINE)
    passed = [change for change, said in zip(changes, results, strict=True) if said == "SUCCESS"]
    assert passed == ["none"]


@pytest.mark.parametrize("alert", NEW)
def test_panels_show_what_an_alert_about_a_new_counter_fires_for(
    alert: str, tmp_path: Path
) -> None:
    """Of a counter that begins with what it has counted: rate() and increase() do not see that."""
    panel = next(p.values[0] for p in PANELS if f"{alert} fires" in p.values[0]["description"])
    sample = {"labels": "{}", "value": 80}
    case = {
        "interval": "1m",
        "input_series": [
            {"series": 'up{job="otelcol"}', "values": "1x600"},
            {"series": NEW[alert], "values": "_x400 80x200"},
        ],
        "promql_expr_test": [
            {"expr": expr, "eval_time": "404m", "exp_samples": [sample]}
            for expr in (
                f'sum(ALERTS{{alertname="{alert}", alertstate="firing"}}) * 80',
                *(f"sum({asking.filled(target['expr'])})" for target in panel["targets"]),
            )
        ],
    }
    said = {"rule_files": [str(path) for path in FILES], "tests": [case]}
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(said))
    done = promtool("test", "rules", str(tmp_path / "test.yaml"))

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("path", "alert"), ALERTS)
def test_an_alert_says_what_to_do(path: Path, alert: str) -> None:
    rule = next(rule for rule in rules(path) if rule["alert"] == alert)

    assert rule["labels"]["severity"] in ("critical", "warning")
    assert set(rule["annotations"]) == {"summary", "description", "dashboard", "runbook"}
    assert rule["annotations"]["runbook"].startswith("1. ")
    dashboards = {path.stem for path in (COLLECTOR / "grafana" / "dashboards").glob("*.json")}
    assert rule["annotations"]["dashboard"].removeprefix("otelkit-") in dashboards


def test_alertmanager_accepts_its_configuration() -> None:
    command = [find("amtool"), "check-config", str(COLLECTOR / "alertmanager" / "alertmanager.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_alerts_that_inhibit_or_are_inhibited_exist() -> None:
    said = yaml.safe_load((COLLECTOR / "alertmanager" / "alertmanager.yml").read_text())
    known = {param.values[1] for param in ALERTS}
    named = {
        name
        for rule in said["inhibit_rules"]
        for matcher in rule["source_matchers"] + rule["target_matchers"]
        if matcher.startswith("alertname")
        for name in matcher.partition("=")[2].strip('~"').split("|")
    }

    assert named
    assert named <= known


def test_what_happens_in_one_environment_says_nothing_of_another() -> None:
    said = yaml.safe_load((COLLECTOR / "alertmanager" / "alertmanager.yml").read_text())
    of_services = {"job", "deployment_environment_name"}
    equal = [set(rule["equal"]) for rule in said["inhibit_rules"] if "equal" in rule]

    assert equal == [of_services, of_services]
    assert of_services < set(said["route"]["group_by"])
