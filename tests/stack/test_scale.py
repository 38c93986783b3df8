"""Two agents and two gateways: whole traces at one gateway, the interesting ones kept."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from . import otlp
from .destinations import Jaeger
from .load import Load, missing
from .programs import BASE, COLLECTOR, ROOT, Collector, free_port, until
from .running import ask_prometheus, start_prometheus

pytestmark = pytest.mark.stack

SCALE = COLLECTOR / "scale"
SAMPLING = "otelcol_processor_tail_sampling"
PATIENCE = 120
SOON = {"initial_interval": "100ms", "max_interval": "1s"}


@dataclass
class Scaled:
    """Agents send to gateways, each of which has a Jaeger of its own here."""

    agents: list[Collector]
    gateways: list[Collector]
    jaegers: list[Jaeger]
    prometheus_url: str

    def kept(self) -> list[dict[bytes, set[str]]]:
        """By gateway: the names of the spans of each trace."""
        found = []
        for jaeger in self.jaegers:
            traces: dict[bytes, set[str]] = {}
            for span in list(jaeger.spans):
                traces.setdefault(span.trace_id, set()).add(span.name)
            found.append(traces)
        return found

    def spans(self) -> set[bytes]:
        return {span_id for jaeger in self.jaegers for span_id in jaeger.ids()}


@contextmanager
def scaled(
    otelcol: str, folder: Path, keep_percent: int, wait: str = "2s", *over: str
) -> Iterator[Scaled]:
    """Two of each; ``over`` are files that are merged over the gateways'."""
    with ExitStack() as on:
        prometheus_url = _prometheus(on, folder, free_port())
        env = {"METRICS_ENDPOINT": f"{prometheus_url}/api/v1/write"}
        jaegers = [on.enter_context(Jaeger()) for _ in range(2)]
        gateways = []
        for number, jaeger in enumerate(jaegers):
            changes: dict[str, Any] = {
                "processors": {"tail_sampling": {"decision_wait": wait}},
                "connectors": {"service_graph": {"metrics_flush_interval": "1s"}},
                "exporters": {"otlp_grpc/jaeger": {"retry_on_failure": SOON}},
            }
            there = {
                "JAEGER_ENDPOINT": f"127.0.0.1:{jaeger.port}",
                "KEEP_PERCENT": str(keep_percent),
                "HOST_NAME": f"gateway-{number}",
            }
            files = (*BASE, SCALE / "gateway.yaml", *(SCALE / name for name in over))
            home = folder / f"gateway-{number}"
            gateways.append(Collector(otelcol, home, files, changes, {**env, **there}))
        # A resolver of names knows one port for all; these share an address instead.
        hosts = [f"127.0.0.1:{gateway.ports['grpc']}" for gateway in gateways]
        resolver = {"dns": None, "static": {"hostnames": hosts}}
        balancing = {"resolver": resolver, "retry_on_failure": SOON}
        changes = {
            "connectors": {"span_metrics": {"metrics_flush_interval": "1s"}},
            "exporters": {"load_balancing": balancing},
        }
        agents = [
            Collector(
                otelcol, folder / f"agent-{number}", (*BASE, SCALE / "agent.yaml"), changes, env
            )
            for number in range(2)
        ]
        for collector in (*gateways, *agents):
            on.enter_context(collector)
        pages = [f"127.0.0.1:{collector.ports['own']}" for collector in (*gateways, *agents)]
        (folder / "pages.yml").write_text(yaml.safe_dump([{"targets": pages}]))
        yield Scaled(agents, gateways, jaegers, prometheus_url)


def _prometheus(on: ExitStack, folder: Path, port: int) -> str:
    """With the job of README.md, whose names are a file here."""
    [job] = yaml.safe_load(_block("  - job_name: otelcol"))
    assert job.pop("dns_sd_configs")
    job |= {"scrape_interval": "1s", "file_sd_configs": [{"files": [str(folder / "pages.yml")]}]}
    (folder / "prometheus.yml").write_text(yaml.safe_dump({"scrape_configs": [job]}))
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    command = compose["services"]["prometheus"]["command"]
    [option] = [option for option in command if "remote-write" in option]
    return start_prometheus(on, folder, port, option)


def _block(beginning: str) -> str:
    """The block of README.md that begins so."""
    blocks = re.findall(r"```yaml\n(.+?)```", _readme(), re.DOTALL)
    [found] = [block for block in blocks if block.startswith(beginning)]
    return str(found)


def _readme() -> str:
    return (SCALE / "README.md").read_text()


def test_the_table_of_variables_has_all_with_their_defaults() -> None:
    files = (COLLECTOR / "config.yaml", *SCALE.glob("*.yaml"))
    text = "".join(path.read_text() for path in files)
    # In this order a variable that has no default somewhere has none.
    asked = dict(sorted(re.findall(r"\$\{env:(\w+)(?::-(.*?))?\}", text), reverse=True))
    assert {"HOST_NAME", "GATEWAYS", "KEEP_PERCENT", "KAFKA_BROKERS"} < set(asked)

    rows = re.findall(r"^\| (`[A-Z].*?) \| \w+ \| (`.*?`) \|", _readme(), re.MULTILINE)
    told = {
        name: default
        for names, defaults in rows
        for name, default in zip(names.split(", "), defaults.split(", "), strict=True)
    }
    assert asked.pop("HOST_NAME") == ""  # which the table says in words
    assert told == {f"`{name}`": f"`{default}`" for name, default in asked.items()}


@pytest.mark.parametrize("role", ["agent", "gateway"])
def test_a_collector_without_a_name_for_its_machine_does_not_start(
    role: str, otelcol: str, tmp_path: Path
) -> None:
    options = [f"--config={path}" for path in (*BASE, SCALE / f"{role}.yaml")]
    done = subprocess.run(
        [otelcol, *options],
        env={"COLLECTOR_QUEUE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 1
    assert "unset environment variable" in done.stderr
    assert "HOST_NAME" in done.stderr


def request(scaled: Scaled, **callee: Any) -> bytes:
    """A request from one service to another, each of which sends to an agent of its own."""
    trace_id = os.urandom(16)
    client = otlp.span("client", trace_id=trace_id, kind=3)
    server = otlp.span("server", trace_id=trace_id, kind=2, parent=client.span_id, **callee)
    for agent, name, span in zip(scaled.agents, ("web", "shop"), (client, server), strict=True):
        resource = {**otlp.RESOURCE, "service.name": name, "service.instance.id": name}
        assert otlp.send(agent.http, "traces", otlp.traces([span], resource)) == 200
    return trace_id


def total(scaled: Scaled, expr: str) -> float:
    result = ask_prometheus(scaled.prometheus_url, "query", query=f"sum({expr})")["result"]
    return float(result[0]["value"][1]) if result else 0.0


@pytest.mark.parametrize("over", [(), ("gateway-journal.yaml",)], ids=["memory", "journal"])
def test_traces_of_two_services_are_whole_and_the_interesting_ones_are_kept(
    otelcol: str, tmp_path: Path, over: tuple[str, ...]
) -> None:
    with scaled(otelcol, tmp_path, 0, "2s", *over) as made:
        interesting = {
            request(made, **kind)
            for kind in ({"error": True}, {"seconds": 12.0}, {"gen_ai__usage__cost__amount": 0.2})
            for _ in range(10)
        }
        for _ in range(30):
            request(made)

        def decided() -> bool:
            # Every span is in the metrics of the agents, whatever became of its trace.
            graph = total(made, "traces_service_graph_request_total")
            return total(made, "traces_span_metrics_calls_total") == 120 and graph == 60

        until(lambda: len(made.spans()) >= 60, PATIENCE, "the interesting traces")
        until(decided, PATIENCE, "all spans are counted")
        until(lambda: _decided(made) == 60, PATIENCE, "all traces were decided on")
        until(lambda: total(made, 'up{job="otelcol"}') == 4, PATIENCE, "all are scraped")
        one, other = made.kept()
        warnings = [collector.warnings() for collector in (*made.agents, *made.gateways)]

    assert warnings == [[], [], [], []]
    assert set(one) | set(other) == interesting
    assert not set(one) & set(other)
    assert one
    assert other
    assert {frozenset(names) for names in (one | other).values()} == {
        frozenset({"client", "server"})
    }


def _decided(made: Scaled) -> float:
    return sum(gateway.own(f"{SAMPLING}_global_count_traces_sampled") for gateway in made.gateways)


def _undecided(gateway: Collector) -> float:
    received = gateway.own(f"{SAMPLING}_new_trace_id_received")
    return received - gateway.own(f"{SAMPLING}_global_count_traces_sampled")


def test_metrics_wait_for_a_prometheus_that_is_away(otelcol: str, tmp_path: Path) -> None:
    port = free_port()
    env = {"METRICS_ENDPOINT": f"http://127.0.0.1:{port}/api/v1/write"}
    nowhere = {"resolver": {"dns": None, "static": {"hostnames": ["127.0.0.1:9"]}}}
    changes = {"agent": {"exporters": {"load_balancing": nowhere}}, "gateway": {}}
    with ExitStack() as store, ExitStack() as on:
        made = {
            role: on.enter_context(
                Collector(otelcol, tmp_path / role, (*BASE, SCALE / f"{role}.yaml"), over, env)
            )
            for role, over in changes.items()
        }

        def sent(when: str) -> None:
            for role, collector in made.items():
                body = otlp.metrics([otlp.gauge(f"{role}_{when}")])
                assert otlp.send(collector.http, "metrics", body) == 200

        def attempts(collector: Collector) -> float:
            return collector.own("otelcol_exporter_prometheusremotewrite_sent_batches")

        sent("first")
        # One a second, so this is longer than the exporter tries by default.
        until(lambda: all(attempts(one) > 12 for one in made.values()), PATIENCE, "attempts")
        sent("second")
        url = _prometheus(store, tmp_path, port)

        def arrived() -> bool:
            found = ask_prometheus(url, "label/__name__/values")
            return {f"{role}_{when}" for role in made for when in ("first", "second")} <= set(found)

        until(arrived, PATIENCE, "all metrics arrive")
        failed = "otelcol_exporter_send_failed_metric_points"
        assert [collector.own(failed) for collector in made.values()] == [0, 0]


def test_a_gateway_that_is_stopped_loses_nothing(otelcol: str, tmp_path: Path) -> None:
    with scaled(otelcol, tmp_path, keep_percent=100) as made:
        with Load(made.agents[0].http) as load:
            until(lambda: all(made.kept()), PATIENCE, "both gateways send")
            made.gateways[0].stop()
            taken = len(load.spans)
            until(lambda: len(load.spans) > taken + 200, PATIENCE, "spans are taken")
            made.gateways[0].start()
        until(lambda: not missing(load.spans, made.spans()), PATIENCE, "all spans arrive")


def test_a_gateway_that_is_killed_loses_nothing_it_has_decided_on(
    otelcol: str, tmp_path: Path
) -> None:
    with scaled(otelcol, tmp_path, keep_percent=100) as made:
        for jaeger in made.jaegers:
            jaeger.stop()
        with Load(made.agents[0].http) as before:
            until(lambda: len(before.spans) > 200, PATIENCE, "spans are taken")
        until(lambda: _decided(made) == len(before.spans), PATIENCE, "all were decided on")
        made.gateways[0].kill()
        with Load(made.agents[0].http) as meanwhile:
            until(lambda: len(meanwhile.spans) > 200, PATIENCE, "spans are taken")
        made.gateways[0].start()
        for jaeger in made.jaegers:
            jaeger.start()
        taken = before.spans | meanwhile.spans
        until(lambda: not missing(taken, made.spans()), PATIENCE, "all spans arrive")
        assert all(made.kept())


def test_a_gateway_with_a_journal_that_is_killed_loses_nothing(
    otelcol: str, tmp_path: Path
) -> None:
    with scaled(otelcol, tmp_path, 100, "10s", "gateway-journal.yaml") as made:
        killed = made.gateways[0]
        with Load(made.agents[0].http) as load:
            until(lambda: _undecided(killed) > 200, PATIENCE, "traces are undecided")
            killed.kill()
            taken = len(load.spans)
            # A kill may cut what is being written; nobody was told that it was taken.
            journal = tmp_path / "gateway-0" / "queue" / "journal" / "traces.json"
            assert journal.parent.stat().st_mode & 0o077 == 0
            with journal.open("ab") as file:
                file.write(b'{"resourceSpans":[{"resource":{"attributes":[{"key":"serv')
            until(lambda: len(load.spans) > taken + 200, PATIENCE, "spans are taken")
            killed.start()
            until(lambda: _undecided(killed) > 400, PATIENCE, "it takes more")
        until(lambda: not missing(load.spans, made.spans()), PATIENCE, "all spans arrive")
        assert all(made.kept())
