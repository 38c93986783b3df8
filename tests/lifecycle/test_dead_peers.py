"""Whatever a receiver does: flush and exit end in time, and the account is honest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from tests.lifecycle.apps.farewell import SPANS
from tests.lifecycle.matrix import ROOT
from tests.lifecycle.peers import DEAD

DEADLINE = 1.0  # seconds
GRACE = 1.5  # seconds; 0.5 is the promise, the rest is for a machine that does other things as well

_KINDS = ("sent", "failed", "dropped", "spooled", "queued")


def _farewell(peer: str) -> list[dict[str, Any]]:
    with DEAD[peer]() as url:
        variables = {key: value for key, value in os.environ.items() if "PYTEST" not in key}
        variables |= {
            "OTEL_EXPORTER_OTLP_ENDPOINT": url,
            "OTELKIT_SHUTDOWN_TIMEOUT": str(DEADLINE),
        }
        process = subprocess.run(
            [sys.executable, "-m", "tests.lifecycle.apps.farewell"],
            cwd=ROOT,
            env=variables,
            capture_output=True,
            check=False,
            text=True,
            timeout=60,
        )
        assert process.returncode == 0, process.stderr
        return [*map(json.loads, process.stdout.splitlines()), {"stderr": process.stderr}]


@pytest.fixture(scope="module")
def farewells() -> Iterator[dict[str, Future[list[dict[str, Any]]]]]:
    with ThreadPoolExecutor(3) as pool:
        yield {peer: pool.submit(_farewell, peer) for peer in DEAD}


@pytest.mark.parametrize("peer", DEAD)
def test_flush_and_exit_end_in_time_with_an_honest_account(
    peer: str, farewells: dict[str, Future[list[dict[str, Any]]]]
) -> None:
    flush, end, said = farewells[peer].result()
    assert flush["delivered"] is False
    assert flush["flush"] <= DEADLINE + GRACE
    assert end["exit"] <= DEADLINE + GRACE
    for moment in (flush, end):
        traces = moment["account"]["traces"]
        assert traces["sent"] == 0
        assert sum(traces[kind] for kind in _KINDS) == SPANS
    assert end["account"]["traces"]["queued"] == 0
    assert end["account"]["traces"]["last_error"]
    assert f"{SPANS} traces" in said["stderr"]


@pytest.mark.parametrize("peer", DEAD)
def test_it_is_one_warning_and_the_losses_at_the_end(
    peer: str, farewells: dict[str, Future[list[dict[str, Any]]]]
) -> None:
    said = farewells[peer].result()[-1]["stderr"].splitlines()
    assert len([line for line in said if "lost" in line]) <= 1
    assert len([line for line in said if "not delivered" in line]) == 1
