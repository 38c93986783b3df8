"""Alerts in staged faults: from what happens to the notification that arrives.

What would need a machine for itself, or hours, is fired by promtool alone (test_rules.py): HighCPU,
HighMemory, RequestRateAboveLimit, TokenBurnRateJump.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from otelkit.cli import _demo_service

from .programs import ROOT, find, get, until
from .running import Odds, Running, running

pytestmark = pytest.mark.stack

PATIENCE = 120
TIGHT = {"limit_mib": 4, "spike_limit_mib": 1}


@pytest.fixture(scope="module")
def made(otelcol: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The stack, and the odd service from the beginning: a workflow is stuck after half an hour."""
    with running(otelcol, tmp_path_factory.mktemp("stack")) as made, Odds(made.collector):
        yield made


@pytest.fixture(scope="module")
def sample() -> dict[str, Any]:
    said: dict[str, Any] = json.loads(_demo_service.sample().read_text())
    return said


def arrives(
    made: Running, *alerts: str, status: str = "firing", since: int = 0, **labels: str
) -> None:
    """Wait for the notifications of these alerts, with these labels."""
    wanted = set(alerts)
    try:
        until(lambda: wanted <= made.webhook.names(status, since, **labels), PATIENCE)
    except AssertionError:
        so_far = made.webhook.alerts[since:]
        raise AssertionError(f"no {wanted} {labels} {status}; but {so_far}") from None


def alertmanager(made: Running) -> str:
    """Alertmanager's address, as Prometheus knows it."""
    said = json.loads(get(f"{made.prometheus_url}/api/v1/alertmanagers"))
    url: str = said["data"]["activeAlertmanagers"][0]["url"]
    return url.removesuffix("/api/v2/alerts")


def held_back_by(made: Running, name: str, job: str) -> set[str]:
    """What holds back this alert, which fires in Prometheus, as Alertmanager says."""
    if not made.query(f'ALERTS{{alertname="{name}", job="{job}", alertstate="firing"}}'):
        return set()
    alerts = json.loads(get(f"{alertmanager(made)}/api/v2/alerts"))
    names = {alert["fingerprint"]: alert["labels"]["alertname"] for alert in alerts}
    return {
        names[by]
        for alert in alerts
        if (alert["labels"]["alertname"], alert["labels"].get("job")) == (name, job)
        for by in alert["status"]["inhibitedBy"]
    }


def raise_by_hand(made: Running, name: str) -> None:
    """Tell Alertmanager of a critical alert of the job `bank`, unknown to Prometheus."""
    labels = (f"alertname={name}", "job=bank", "severity=critical")
    url = f"--alertmanager.url={alertmanager(made)}"
    subprocess.run([find("amtool"), url, "alert", "add", *labels], check=True)


@contextmanager
def stopped(what: Any) -> Iterator[None]:
    """A destination or the database is away while the block runs."""
    what.stop()
    try:
        yield
    finally:
        what.start()


@contextmanager
def straits(made: Running, name: str) -> Iterator[None]:
    """The service of apps/straits.py runs under this name while the block does."""
    env = {
        **os.environ,
        "OTEL_SERVICE_NAME": name,
        "OTEL_EXPORTER_OTLP_ENDPOINT": made.collector.http,
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9/v1/traces",
        "OTEL_BSP_MAX_QUEUE_SIZE": "1",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "1",
        "OTEL_METRIC_EXPORT_INTERVAL": "500",
        "OTELKIT_LOG_FORMAT": "off",
    }
    command = [sys.executable, "-m", "tests.stack.apps.straits", made.database.url("psycopg")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, env=env, stdin=pipe, stdout=pipe) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        try:
            yield
        finally:
            process.stdin.close()


@contextmanager
def asked(made: Running, path: str, body: Any = None) -> Iterator[None]:
    """Two clients keep asking the service while the block runs."""
    stop = threading.Event()

    def client() -> None:
        while not stop.is_set():
            with suppress(OSError):
                made.ask(path, body)

    with ThreadPoolExecutor(2) as pool:
        for _ in range(2):
            pool.submit(client)
        try:
            yield
        finally:
            stop.set()


def test_errors_of_the_model_are_errors_of_agents_and_of_requests(
    made: Running, sample: dict[str, Any]
) -> None:
    failing = {**sample, "llm": {"coder": "gpt-5-mini@error=500"}}
    with asked(made, "/generate", failing):
        arrives(made, "LLMErrors", "AgentFailures", "HighErrorRate")
    arrives(made, "LLMErrors", "AgentFailures", "HighErrorRate", status="resolved")


def test_a_slow_model_is_slow_in_calls_and_in_requests(
    made: Running, sample: dict[str, Any]
) -> None:
    slow = {**sample, "llm": {"coder": "gpt-5-mini@delay=2"}}
    with asked(made, "/generate", slow):
        arrives(made, "LLMSlow", "SlowResponses")


def test_no_connection_left_and_what_was_lost_at_once_are_noticed(made: Running) -> None:
    with straits(made, "mill"):
        arrives(made, "DatabasePoolExhausted", "TelemetryDropped", job="mill")


def test_a_stopped_database_holds_back_what_follows_from_it_until_it_returns(made: Running) -> None:
    job, since = "codegen-service", len(made.webhook.alerts)
    with asked(made, "/runs"), stopped(made.database):
        arrives(made, "DatabaseDown", since=since, job=job)
        held = until(lambda: held_back_by(made, "HighErrorRate", job), PATIENCE, "errors held back")
        assert held == {"DatabaseDown"}
        raise_by_hand(made, "HighErrorRate")
        arrives(made, "HighErrorRate", since=since, job="bank")
        assert "HighErrorRate" not in made.webhook.names(since=since, job=job)
    arrives(made, "DatabaseDown", since=since, status="resolved")


def test_a_full_disk_is_noticed(made: Running) -> None:
    full = made.collector.fill_disk()
    arrives(made, "DiskLow", instance="machine")
    full.unlink()
    arrives(made, "DiskLow", status="resolved")


def test_a_destination_that_is_away_is_noticed_and_others_go_on(made: Running) -> None:
    before = len(made.loki.lines)
    with asked(made, "/runs"), stopped(made.jaeger):
        arrives(made, "DestinationUnreachable", exporter="otlp_grpc/jaeger")
        assert len(made.loki.lines) > before
    arrives(made, "DestinationUnreachable", status="resolved", exporter="otlp_grpc/jaeger")


def test_what_is_dropped_or_refused_is_noticed(made: Running) -> None:
    with asked(made, "/runs"):
        dropped = ("CollectorQueueFilling", "CollectorDropsTelemetry")
        arrives(made, *dropped, exporter="otlp_http/away")
        arrives(made, "DestinationRefuses", exporter="otlp_http/refuses")


def test_a_killed_service_is_noticed(made: Running) -> None:
    since = len(made.webhook.alerts)
    made.service.kill()
    arrives(made, "ServiceDown", since=since, job="codegen-service")


def test_what_else_goes_wrong_in_a_service_is_noticed(made: Running) -> None:
    wrong = ("HighLLMCost", "ComponentUnhealthy", "LogErrorBurst", "WorkflowStuck")
    arrives(made, *wrong, job="odds")


def test_a_collector_without_memory_is_noticed(made: Running) -> None:
    since = len(made.webhook.alerts)
    with made.collector.changed({"processors": {"memory_limiter": TIGHT}}):
        arrives(made, "CollectorRefuses", since=since, receiver="otlp", signal="metrics")
    until(lambda: made.query('target_info{job="odds"}'), PATIENCE, "metrics are taken again")


def test_a_stopped_collector_is_one_alert_that_holds_others_back(made: Running) -> None:
    with straits(made, "farm"):
        arrives(made, "TelemetryDropped", job="farm")
        since = len(made.webhook.alerts)
        made.collector.kill()
        arrives(made, "CollectorDown", since=since)
        held = until(lambda: held_back_by(made, "TelemetryDropped", "farm"), PATIENCE, "held")
        assert held == {"CollectorDown"}
    since = len(made.webhook.alerts)  # it may have told of another signal of the farm until then
    raise_by_hand(made, "TelemetryDropped")
    raise_by_hand(made, "AgentFailures")
    arrives(made, "AgentFailures", since=since, job="bank")
    assert "TelemetryDropped" not in made.webhook.names(since=since)
    # For longer than a service that sends nothing is waited for, which may well be there.
    away = 'count_over_time(ALERTS{alertname="CollectorDown", alertstate="firing"}[1m]) > 15'
    until(lambda: made.query(away), PATIENCE, "the collector is away for a while")
    assert made.query('ALERTS{alertname="ServiceDown", job="odds"}') == []


def test_notifications_say_what_to_do(made: Running) -> None:
    until(lambda: made.webhook.alerts, PATIENCE, "a notification")
    for alert in made.webhook.alerts:
        if alert["labels"].get("job") == "bank":
            continue  # raised by hand
        said = alert["annotations"]
        assert said["runbook"].startswith("1. ")
        assert not re.search(r"<error|<no value>|\{\{", said["summary"] + said["description"])
        assert alert["labels"]["severity"] in ("critical", "warning")
