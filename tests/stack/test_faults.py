"""What goes wrong around the collector: what it has taken is not lost, and others do not notice."""

from __future__ import annotations

import json
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from .destinations import Jaeger, Loki
from .load import Load, missing
from .programs import BASE, COLLECTOR, Collector, until

pytestmark = pytest.mark.stack

PATIENCE = 180  # a connection that has failed for long is tried again after up to two minutes
# Attempts a second apart; what is shipped waits up to fifteen.
SOON = {"initial_interval": "100ms", "max_interval": "1s"}


@contextmanager
def collecting(
    otelcol: str, folder: Path, queue: dict[str, Any] | None = None, **more: Any
) -> Iterator[tuple[Collector, Jaeger, Loki]]:
    """A collector as shipped between stand-ins; ``queue`` changes the queue for Jaeger."""
    changes = {
        "exporters": {
            "otlp_grpc/jaeger": {"retry_on_failure": SOON, "sending_queue": queue or {}},
            "otlp_http/loki": {"retry_on_failure": SOON},
        }
    }
    with Jaeger() as jaeger, Loki() as loki:
        env = {"JAEGER_ENDPOINT": f"127.0.0.1:{jaeger.port}", "LOKI_ENDPOINT": loki.url}
        env |= more.pop("env", {})
        with Collector(otelcol, folder, changes=changes, env=env, **more) as collector:
            yield collector, jaeger, loki


def arrived(load: Load, jaeger: Jaeger, loki: Loki) -> None:
    """Wait until all that was taken is where it belongs."""
    until(
        lambda: not missing(load.spans, jaeger.ids()) and not missing(load.lines, loki.texts()),
        PATIENCE,
        f"{missing(load.spans, jaeger.ids())} of {len(load.spans)} spans, "
        f"{missing(load.lines, loki.texts())} of {len(load.lines)} lines are missing",
    )


@pytest.mark.parametrize("seconds", [3, pytest.param(60, marks=pytest.mark.soak)])
def test_a_destination_that_was_away_gets_everything_once(
    seconds: float, otelcol: str, tmp_path: Path
) -> None:
    with collecting(otelcol, tmp_path) as (collector, jaeger, loki):
        jaeger.stop()
        with Load(collector.http) as load:
            threading.Event().wait(seconds)
            until(lambda: len(loki.lines) > 100, PATIENCE, "logs arrive all the same")
            assert jaeger.spans == []
            jaeger.start()
            until(lambda: jaeger.spans, PATIENCE, "spans arrive under load")
        arrived(load, jaeger, loki)

        assert jaeger.ids() == Counter(load.spans)
        assert loki.texts() == Counter(load.lines)
        assert load.refused == 0


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM])
def test_a_collector_that_ends_sends_what_it_had_taken_when_it_runs_again(
    ending: signal.Signals, otelcol: str, tmp_path: Path
) -> None:
    def end_under_load() -> None:
        taken = len(load.spans)
        until(lambda: len(load.spans) > taken + 200, PATIENCE, "spans are taken")
        collector.stop(ending)
        collector.start()

    with collecting(otelcol, tmp_path) as (collector, jaeger, loki):
        jaeger.stop()
        with Load(collector.http) as load:
            end_under_load()
            jaeger.start()
            for _ in range(2):
                seen = len(jaeger.spans)
                until(lambda seen=seen: len(jaeger.spans) > seen, PATIENCE, "spans arrive")
                end_under_load()
        arrived(load, jaeger, loki)

        assert load.refused


def test_a_full_queue_takes_no_more_and_loses_nothing(otelcol: str, tmp_path: Path) -> None:
    queue = {"queue_size": 3_000_000}
    with collecting(otelcol, tmp_path, queue) as (collector, jaeger, loki):
        jaeger.stop()
        with Load(collector.http, size=10_000) as load:
            until(lambda: load.refused > 3, PATIENCE, "the queue is full")
            lines, taken = len(loki.lines), len(load.spans)
            until(lambda: len(loki.lines) > lines + 100, PATIENCE, "logs arrive all the same")
            jaeger.start()
            until(lambda: len(load.spans) > taken, PATIENCE, "spans are taken again")
        arrived(load, jaeger, loki)


def test_a_full_disk_takes_no_more_and_loses_nothing(otelcol: str, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    env = {"COLLECTOR_QUEUE": str(disk)}
    queue = {"queue_size": 3_000_000}  # small beside the disk, as it should be
    with collecting(otelcol, tmp_path, queue, env=env, disk=disk) as (collector, jaeger, loki):
        jaeger.stop()
        with Load(collector.http) as load:
            until(lambda: len(load.spans) > 200, PATIENCE, "spans are taken")
            full = collector.fill_disk()
            until(lambda: load.refused > 3, PATIENCE, "the disk is full")
            jaeger.start()
            full.unlink()
            taken = len(load.spans)
            until(lambda: len(load.spans) > taken + 200, PATIENCE, "spans are taken again")
        arrived(load, jaeger, loki)


def test_optional_destinations_that_are_dead_trouble_no_others(
    otelcol: str, tmp_path: Path
) -> None:
    overlays = sorted((COLLECTOR / "overlays").glob("*.yaml"))
    url = "http://127.0.0.1:9"
    env = {"ELASTICSEARCH_ENDPOINT": url, "LANGSMITH_ENDPOINT": url, "PROMETHEUS_ENDPOINT": url}
    env["KAFKA_BROKERS"] = "127.0.0.1:9"
    dead = ("elasticsearch", "kafka", "otlp_http/langsmith")
    batch = {"min_size": 10_000, "max_size": 50_000}
    queues: dict[str, dict[str, Any]] = {name: {"queue_size": 100_000} for name in dead}
    queues["elasticsearch"]["batch"] = queues["otlp_http/langsmith"]["batch"] = batch
    small = tmp_path / "small.yaml"
    exporters = {name: {"sending_queue": queue} for name, queue in queues.items()}
    small.write_text(json.dumps({"exporters": exporters}))

    def dropped(exporter: str) -> float:
        return collector.own("otelcol_exporter_enqueue_failed_spans", exporter=exporter)

    files = [*BASE, *overlays, small]
    with collecting(otelcol, tmp_path, files=files, env=env) as (collector, jaeger, loki):
        with Load(collector.http, langsmith__span__id="1") as load:
            until(lambda: all(map(dropped, dead)), PATIENCE, "their queues are full")
            taken = len(load.spans)
            until(lambda: len(load.spans) > taken + 200, PATIENCE, "spans are taken")
        arrived(load, jaeger, loki)

        assert jaeger.ids() == Counter(load.spans)
        assert loki.texts() == Counter(load.lines)
        assert load.refused == 0
        collector.kill()  # the exporter for Elasticsearch does not let go of what it retries
