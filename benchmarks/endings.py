"""What arrives of a process's telemetry, however it ends: with the plain SDK and with otelkit.

The rows of ``tests/lifecycle``, as real processes against a real receiver; and how long a process
takes to end when its receiver is dead. The plain SDK stands there as in its documentation: batch
processors, OTLP over HTTP, a periodic reader, a logging handler. Prints the tables of the README:
``python benchmarks/endings.py``, about four minutes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.lifecycle.matrix import ROWS, Outcome, Row, run  # noqa: E402
from tests.lifecycle.peers import DEAD  # noqa: E402

WHO = ("sdk", "otelkit")
PATIENCE = 60  # seconds for one process to end


def arrived(row: Row, outcome: Outcome) -> str:
    """Spans, log records and counts that arrived, of those that should."""
    expected = sum(row.work.values())
    parts = {
        "spans": outcome.spans.total(),
        "logs": outcome.logs.total(),
        "counts": int(outcome.counted),
    }
    if len(set(parts.values())) == 1:
        number = parts["spans"]
        return {expected: "all", 0: "nothing"}.get(number, f"{number} of {expected}")
    wrong = {name: number for name, number in parts.items() if number != expected}
    return ", ".join(f"{name} {number} of {expected}" for name, number in wrong.items())


def ending(row: Row, who: str) -> str:
    """What arrives of one row, and how it ended if otherwise than it should."""
    try:
        outcome = run(row, {"WITH": who})
    except subprocess.TimeoutExpired:
        return "does not end"
    status = "" if outcome.status == row.status else f"; exit status {outcome.status}"
    return arrived(row, outcome) + status


def endings() -> None:
    """The table of what arrives."""
    print("| How the process ends or multiplies | Plain SDK | otelkit |\n|---|---|---|")
    with ThreadPoolExecutor(2) as pool:
        cells = {(row.name, who): pool.submit(ending, row, who) for row in ROWS for who in WHO}
        for row in ROWS:
            sdk, otelkit = (cells[row.name, who].result() for who in WHO)
            print(f"| {row.name} | {sdk} | {otelkit} |", flush=True)


def exit_time(peer: str, who: str) -> str:
    """How long it takes from the last line of a script to its end, when its receiver is dead."""
    with DEAD[peer]() as url:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.lifecycle.apps.script", "end"],
            cwd=ROOT,
            env={**os.environ, "WITH": who, "OTEL_EXPORTER_OTLP_ENDPOINT": url},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout is not None
        process.stdout.readline()
        begun = time.monotonic()
        try:
            process.wait(PATIENCE)
            return f"{time.monotonic() - begun:.1f} s"
        except subprocess.TimeoutExpired:
            process.kill()
            return f"over {PATIENCE} s"
        finally:
            process.communicate()


def exits() -> None:
    """The table of how long the end takes."""
    print("\n| The receiver | Plain SDK ends in | otelkit, asked for 3 s |\n|---|---|---|")
    for peer in DEAD:
        sdk, otelkit = (exit_time(peer, who) for who in WHO)
        print(f"| {peer} | {sdk} | {otelkit} |", flush=True)


if __name__ == "__main__":
    endings()
    exits()
