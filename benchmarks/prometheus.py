"""One page of metrics, ours beside that of opentelemetry-exporter-prometheus, from one provider.

Both readers hang on the same instruments and take turns; of all rounds the median, as CPU time of
the process (ours is made in a thread of its own) and by the clock. Then what a measurement costs
that is limited in its series, beside a bare one, and one that other workers can read.

    python benchmarks/prometheus.py [--series 10000] [--rounds 5]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry, generate_latest

from otelkit import _bounded
from otelkit.prometheus.exposition import Exposition
from otelkit.prometheus.ledger import Ledger
from otelkit.prometheus.negotiation import Format
from otelkit.settings import Settings

PAGES = {
    "otelkit": Format(openmetrics=False, compressed=False),
    "otelkit, OpenMetrics, gzip": Format(openmetrics=True, compressed=True),
}


def pages(kind: str, series: int) -> dict[str, Callable[[], Any]]:
    """What makes a page with ``series`` series of one instrument."""
    registry, ours = CollectorRegistry(), InMemoryMetricReader()
    readers = [PrometheusMetricReader(registry=registry), ours]
    meter = MeterProvider(readers, shutdown_on_exit=False).get_meter("benchmark")
    record = getattr(meter, f"create_{kind}")("measured", unit="s")
    measure = record.add if kind == "counter" else record.record
    for number in range(series):
        route = f"/items/{number}"
        measure(1.5, {"http.route": route, "http.request.method": "GET", "status": 200})
    exposition = Exposition(Settings(), ours.get_metrics_data)
    made: dict[str, Callable[[], Any]] = {"stock": lambda: generate_latest(registry)}
    for name, wanted in PAGES.items():
        made[name] = lambda wanted=wanted: exposition.page(wanted).result()
    return made


def compare(made: dict[str, Callable[[], Any]], rounds: int) -> dict[str, tuple[float, float]]:
    """Milliseconds of CPU and by the clock."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in made}
    for _ in range(rounds):
        for name, make in made.items():
            cpu, clock = time.process_time(), time.perf_counter()
            make()
            now = time.process_time(), time.perf_counter()
            taken[name].append(((now[0] - cpu) * 1e3, (now[1] - clock) * 1e3))
    return {
        name: (statistics.median(c for c, _ in all_), statistics.median(c for _, c in all_))
        for name, all_ in taken.items()
    }


def measurements(folder: Path, times: int = 2000, rounds: int = 15) -> dict[str, float]:
    """Microseconds of one measurement of a histogram."""
    meter = MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False).get_meter("benchmark")
    bare = meter.create_histogram("bare", unit="s").record
    limited = _bounded.histogram(meter, _bounded.About("limited", "s"), None).record
    variants = (
        ("bare", bare, None),
        ("limited", limited, None),
        ("limited, for other workers", limited, Ledger(folder / "0.0.ledger").open),
    )
    attributes = {"http.route": "/items/{id}", "http.request.method": "GET", "status": 200}
    taken: dict[str, list[float]] = {name: [] for name, _, _ in variants}
    for _ in range(rounds):
        for name, record, open_cells in variants:
            _bounded.share(open_cells)
            started = time.thread_time()
            for _ in range(times):
                record(0.3, attributes)
            taken[name].append((time.thread_time() - started) / times * 1e6)
    return {name: statistics.median(all_) for name, all_ in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    for kind in ("counter", "histogram"):
        result = compare(pages(kind, options.series), options.rounds)
        print(f"{options.series} series of a {kind:20}{'CPU ms':>9}{'ms':>9}{'of stock':>10}")
        for name, (cpu, clock) in result.items():
            share = cpu / result["stock"][0]
            print(f"  {name:38}{cpu:9.0f}{clock:9.0f}{share:10.2f}")
    print(f"{'one measurement':40}{'µs':>9}")
    with tempfile.TemporaryDirectory() as folder:
        for name, cost in measurements(Path(folder)).items():
            print(f"  {name:38}{cost:9.1f}")


if __name__ == "__main__":
    main()
