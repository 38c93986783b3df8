"""The whole stack on one machine: what has a package really, the rest as stand-ins."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from otelkit import stack
from otelkit.cli import _demo_service
from otelkit.cli._demo_http import send
from tests import postgres

from . import faster
from .destinations import Jaeger, Loki, Refusing, Webhook
from .programs import COLLECTOR, ROOT, Collector, Program, find, free_port, get, merged, until


@dataclass
class Running:
    """What runs, and what was asked of the service."""

    collector: Collector
    jaeger: Jaeger
    loki: Loki
    webhook: Webhook
    database: postgres.Postgres
    service: Program
    service_url: str
    prometheus_url: str
    answers: list[int] = field(default_factory=list)
    shown: set[str] = field(default_factory=set)  # panels that have had data
    odds: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)  # as it has said
    _stop: threading.Event = field(default_factory=threading.Event)

    def ask(self, path: str, body: Any = None) -> tuple[int, str]:
        """Send the service a request and remember how it was answered."""
        status, text = send(self.service_url + path, body)
        self.answers.append(status)
        return status, text

    def query(self, expr: str) -> list[tuple[dict[str, str], float]]:
        """What Prometheus answers: labels and value of each series."""
        data = self._api("query", query=expr)["result"]
        if isinstance(data, list) and data and not isinstance(data[0], dict):
            return [({}, float(data[1]))]  # a scalar
        return [(one["metric"], float(one["value"][1])) for one in data]

    def value(self, expr: str) -> float:
        found = self.query(expr)
        return found[0][1] if found else 0.0

    def total(self, metric: str) -> float:
        """The sum of a counter's series, those of processes that have ended among them."""
        return self.value(f"sum(last_over_time({metric}[10m]))")

    def exemplars(self, expr: str) -> set[str]:
        """The trace ids of exemplars."""
        data = self._api("query_exemplars", query=expr, start="0", end="99999999999")
        return {one["labels"]["trace_id"] for series in data for one in series["exemplars"]}

    def _api(self, name: str, **parameters: str) -> Any:
        return ask_prometheus(self.prometheus_url, name, **parameters)

    def rules(self) -> list[dict[str, Any]]:
        groups: list[dict[str, Any]] = self._api("rules")["groups"]
        return groups

    def firing(self) -> set[str]:
        found = self.query('ALERTS{alertstate="firing"}')
        return {labels["alertname"] for labels, _ in found}


class Odds:
    """The service of apps/odds.py until the block is left; then it says what became of its data."""

    def __init__(self, collector: Collector) -> None:
        env = {
            **os.environ,
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.http,
            "OTEL_METRIC_EXPORT_INTERVAL": "500",
            "OTELKIT_ENVIRONMENT": "test",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.stack.apps.odds"],
            cwd=ROOT,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.counts: dict[str, dict[str, dict[str, int]]] = {}

    def __enter__(self) -> Odds:
        assert self._process.stdout
        assert self._process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *_: object) -> None:
        said, _none = self._process.communicate("", timeout=60)
        self.counts = json.loads(said)


@contextmanager
def running(otelcol: str, folder: Path) -> Iterator[Running]:
    """Start everything."""
    with ExitStack() as on:
        jaeger, loki, webhook, refusing = Jaeger(), Loki(), Webhook(), Refusing()
        for destination in (jaeger, loki, webhook, refusing):
            on.enter_context(destination)
        env = {"JAEGER_ENDPOINT": f"127.0.0.1:{jaeger.port}", "LOKI_ENDPOINT": loki.url}
        disk = folder / "disk"
        disk.mkdir()
        changes = merged(faster.collector(), _bad_destinations(refusing.url))
        collector = Collector(otelcol, folder / "collector", changes=changes, env=env, disk=disk)
        on.enter_context(collector)
        alertmanager_port = _alertmanager(on, folder, webhook.url)
        prometheus_url = _prometheus(on, folder, collector, alertmanager_port)
        database = on.enter_context(postgres.running())
        service, url = _service(folder, collector, database)
        on.enter_context(service)
        made = Running(collector, jaeger, loki, webhook, database, service, url, prometheus_url)
        on.callback(made._stop.set)
        _probe(made)
        yield made


def _bad_destinations(refusing_url: str) -> dict[str, Any]:
    """One that refuses everything, and one that is away and has no room to wait."""
    queue = {"sizer": "requests", "queue_size": 1, "num_consumers": 1}
    return {
        "processors": {"batch/apart": {"timeout": "0s"}},
        "exporters": {
            "otlp_http/refuses": {"endpoint": refusing_url},
            "otlp_http/away": {"endpoint": "http://127.0.0.1:9", "sending_queue": queue},
        },
        "service": {
            "pipelines": {
                f"{signal}/bad": {
                    "receivers": ["otlp"],
                    "processors": ["batch/apart"],
                    "exporters": ["otlp_http/refuses", "otlp_http/away"],
                }
                for signal in ("traces", "metrics", "logs")
            }
        },
    }


def _prometheus(on: ExitStack, folder: Path, collector: Collector, alertmanager_port: int) -> str:
    port = free_port()
    said = yaml.safe_load((COLLECTOR / "prometheus" / "prometheus.yml").read_text())
    said["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    targets = {
        "applications": collector.ports["page"],
        "otelcol": collector.ports["own"],
        "prometheus": port,
        "alertmanager": alertmanager_port,
    }
    said["scrape_configs"] = [
        {**one, "static_configs": [{"targets": [f"127.0.0.1:{targets[one['job_name']]}"]}]}
        for one in said["scrape_configs"]
        if one["job_name"] in targets
    ]
    alertmanagers = {"static_configs": [{"targets": [f"127.0.0.1:{alertmanager_port}"]}]}
    said["alerting"]["alertmanagers"] = [alertmanagers]
    home = folder / "prometheus"
    (home / "rules").mkdir(parents=True)
    (home / "prometheus.yml").write_text(yaml.safe_dump(said))
    for path in (COLLECTOR / "prometheus" / "rules").glob("*.yaml"):
        (home / "rules" / path.name).write_text(yaml.safe_dump(faster.rules(path)))
    return start_prometheus(on, home, port, "--enable-feature=exemplar-storage")


def start_prometheus(on: ExitStack, home: Path, port: int, *options: str) -> str:
    """Start it with the ``prometheus.yml`` in ``home``; returns its address."""
    url = f"http://127.0.0.1:{port}"
    command = [
        find("prometheus"),
        f"--config.file={home / 'prometheus.yml'}",
        f"--storage.tsdb.path={home / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        *options,
    ]
    on.enter_context(Program(command, home / "prometheus.log", f"{url}/-/ready"))
    return url


def ask_prometheus(url: str, name: str, **parameters: str) -> Any:
    """What its API answers, for example to ``query``."""
    return json.loads(get(f"{url}/api/v1/{name}?{urllib.parse.urlencode(parameters)}"))["data"]


def _alertmanager(on: ExitStack, folder: Path, webhook_url: str) -> int:
    environ = {
        "ALERT_RECEIVER": "webhook",
        "ALERT_CRITICAL_RECEIVER": "webhook",
        "ALERT_WEBHOOK_URL": webhook_url,
    }
    stack.export(folder / "exported", environ)
    path = folder / "exported" / "collector" / "alertmanager" / "alertmanager.yml"
    path.write_text(faster.routes(path.read_text()))
    port = free_port()
    command = [
        find("alertmanager", "prometheus-alertmanager"),
        f"--config.file={path}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    ready = f"http://127.0.0.1:{port}/-/ready"
    on.enter_context(Program(command, folder / "alertmanager.log", ready))
    return port


def _service(
    folder: Path, collector: Collector, database: postgres.Postgres
) -> tuple[Program, str]:
    home = folder / "service"
    home.mkdir()
    env = _demo_service.environment(
        collector.http,
        home,
        DATABASE_URL=database.url("asyncpg").replace("+asyncpg", ""),
        OTEL_METRIC_EXPORT_INTERVAL="1000",
        OTELKIT_ENVIRONMENT="test",
    )
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    module, _ = _demo_service.locate()
    command = [sys.executable, "-m", module, "--port", str(port)]
    return Program(command, home / "service.log", f"{url}/health", env), url


def _probe(made: Running) -> None:
    """Look after the service once a second, as an orchestrator does."""

    def look() -> None:
        while not made._stop.wait(1):
            try:
                send(f"{made.service_url}/health/readiness", timeout=5)
            except OSError:
                continue

    threading.Thread(target=look, daemon=True).start()


def settle(made: Running, seconds: float = 90) -> None:
    """Wait until everything that the service has sent has arrived, and was scraped."""
    seen: list[int] = []

    def quiet() -> bool:
        seen.append(len(made.jaeger.spans))
        return len(seen) > 60 and len(set(seen[-60:])) == 1  # for three seconds

    def arrived() -> bool:
        spans = made.collector.own("otelcol_receiver_accepted_spans")
        chats = sum(span.name.startswith("chat ") for span in list(made.jaeger.spans))
        return (
            len(made.jaeger.spans) == spans == made.total("traces_span_metrics_calls_total")
            and made.total("gen_ai_client_operation_duration_seconds_count") == chats
        )

    until(quiet, seconds, "no further span comes")
    until(arrived, seconds, "all spans have arrived and were counted")
