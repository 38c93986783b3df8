"""What an outage of the receiver costs the application: the time that its calls take meanwhile.

A call is a workflow with a stage, a log line and a count, 200 a second. A process whose receiver is
away and one with a healthy receiver run at the same time, so that both have the same machine; the
percentiles are those of the calls of all rounds. Run it as ``python benchmarks/outage.py``; it
takes about five minutes.
"""

from __future__ import annotations

import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

RATE, CALLS, WARM, ROUNDS = 200, 2000, 200, 5
TARGET = 1.3


def call(log: logging.Logger) -> float:
    """Microseconds of one call."""
    import otelkit

    begun = time.perf_counter()
    with otelkit.traced_workflow("answer"), otelkit.traced_stage("look up"):
        log.info("looked up %d", 7)
        otelkit.counter("calls").add(1)
    return (time.perf_counter() - begun) * 1e6


def application() -> None:
    """Calls at a steady rate; prints what each took."""
    import otelkit

    otelkit.setup(service_name="outage", log_format="off", shutdown_timeout=0.5)
    log = logging.getLogger("app")
    taken = []
    begun = time.monotonic()
    for number in range(CALLS):
        taken.append(call(log))
        time.sleep(max(0.0, begun + number / RATE - time.monotonic()))
    print(json.dumps(taken[WARM:]))


def outages() -> dict[str, tuple[str, bool]]:
    """By name: what the receiver does, and whether there is a disk to spool to."""
    return {
        "healthy, too": ("", False),  # how much two differ that should not
        "refuses": ("refuses", False),
        "refuses, with a spool": ("refuses", True),
        "is silent": ("is silent", False),
        "is silent, with a spool": ("is silent", True),
    }


def calls(url: str, spool: str) -> list[float]:
    """What those of one process took."""
    environ = {
        **os.environ,
        "OTEL_EXPORTER_OTLP_ENDPOINT": url,
        "OTEL_EXPORTER_OTLP_TIMEOUT": "2000",  # a silent receiver is tried several times
        "OTELKIT_SPOOL_DIR": spool,
    }
    done = subprocess.run(
        [sys.executable, __file__, "application"],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    found: list[float] = json.loads(done.stdout)
    return found


def pair(kind: str, spooled: bool) -> list[list[float]]:
    """The calls of two at the same time: with a healthy receiver, and in an outage."""
    from tests.lifecycle.peers import DEAD, answering

    with (
        answering(200) as healthy,
        DEAD[kind]() if kind else answering(200) as other,
        tempfile.TemporaryDirectory() as folder,
        ThreadPoolExecutor(2) as pool,
    ):
        return list(pool.map(calls, (healthy, other), ("", folder if spooled else "")))


def main() -> None:
    taken: dict[str, list[list[float]]] = {name: [[], []] for name in outages()}
    for _ in range(ROUNDS):
        for name, (kind, spooled) in outages().items():
            for so_far, more in zip(taken[name], pair(kind, spooled), strict=True):
                so_far.extend(more)
    print(f"{'':24}{'p50 µs':>8}{'healthy':>8}{'p99 µs':>8}{'healthy':>8}{'ratio':>7}{'target':>8}")
    for name, found in taken.items():
        healthy, away = (statistics.quantiles(each, n=100) for each in found)
        print(
            f"{name:24}{away[49]:8.0f}{healthy[49]:8.0f}{away[98]:8.0f}{healthy[98]:8.0f}"
            f"{away[98] / healthy[98]:7.2f}{TARGET:8}"
        )


if __name__ == "__main__":
    application() if sys.argv[1:] else main()
