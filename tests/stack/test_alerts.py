"""Alerts in staged faults: from what happens to the notification that arrives.

What would need a machine for itself, or hours, is fired by promtool alone (test_rules.py): HighCPU,
HighMemory, RequestRateAboveLimit, DatabasePoolExhausted, TelemetryDropped, CollectorRefuses,
TokenBurnRateJump.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from otelkit.cli import _demo_service

from .programs import until
from .running import Odds, Running, running

pytestmark = pytest.mark.stack

PATIENCE = 120


@pytest.fixture(scope="module")
def made(otelcol: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The stack, and the odd service from the beginning: a workflow is stuck after half an hour."""
    with running(otelcol, tmp_path_factory.mktemp("stack")) as made, Odds(made.collector):
        yield made


@pytest.fixture(scope="module")
def sample() -> dict[str, Any]:
    said: dict[str, Any] = json.loads(_demo_service.sample().read_text())
    return said


def arrives(made: Running, *alerts: str, status: str = "firing", **labels: str) -> None:
    """Wait for the notifications of these alerts, with these labels."""
    wanted = set(alerts)
    until(
        lambda: wanted <= made.webhook.names(status, **labels),
        PATIENCE,
        f"{wanted} {labels} {status}; so far {made.webhook.alerts}",
    )


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


def test_a_stopped_database_is_noticed_and_its_return_too(made: Running) -> None:
    made.database.stop()
    arrives(made, "DatabaseDown")
    made.database.start()
    arrives(made, "DatabaseDown", status="resolved")


def test_a_full_disk_is_noticed(made: Running) -> None:
    full = made.collector.fill_disk()
    arrives(made, "DiskLow", instance="machine")
    full.unlink()
    arrives(made, "DiskLow", status="resolved")


def test_a_destination_that_is_away_is_noticed_and_others_go_on(made: Running) -> None:
    made.jaeger.stop()
    before = len(made.loki.lines)
    with asked(made, "/runs"):
        arrives(made, "DestinationUnreachable", exporter="otlp_grpc/jaeger")
        assert len(made.loki.lines) > before
    made.jaeger.start()
    arrives(made, "DestinationUnreachable", status="resolved", exporter="otlp_grpc/jaeger")


def test_what_is_dropped_or_refused_is_noticed(made: Running) -> None:
    with asked(made, "/runs"):
        dropped = ("CollectorQueueFilling", "CollectorDropsTelemetry")
        arrives(made, *dropped, exporter="otlp_http/away")
        arrives(made, "DestinationRefuses", exporter="otlp_http/refuses")


def test_a_killed_service_is_noticed(made: Running) -> None:
    made.service.kill()
    arrives(made, "ServiceDown", job="codegen-service")


def test_what_else_goes_wrong_in_a_service_is_noticed(made: Running) -> None:
    wrong = ("HighLLMCost", "ComponentUnhealthy", "LogErrorBurst", "WorkflowStuck")
    arrives(made, *wrong, job="odds")


def test_a_stopped_collector_is_one_alert_that_holds_others_back(made: Running) -> None:
    made.collector.kill()
    arrives(made, "CollectorDown")


def test_notifications_say_what_to_do(made: Running) -> None:
    until(lambda: made.webhook.alerts, PATIENCE, "a notification")
    for alert in made.webhook.alerts:
        said = alert["annotations"]
        assert said["runbook"].startswith("1. ")
        assert not re.search(r"<error|<no value>|\{\{", said["summary"] + said["description"])
        assert alert["labels"]["severity"] in ("critical", "warning")
