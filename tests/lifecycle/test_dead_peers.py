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
GRACE = 0.5  # seconds
LOADED = 4.0  # seconds of grace on a machine that does other things as well
AT_ONCE = 5  # processes; most of their time they wait

Peer = tuple[str, str]  # protocol and kind
PEERS = [("http/protobuf", kind) for kind in DEAD] + [
    ("grpc", kind) for kind in ("drops SYN", "is silent", "one byte a second", "garbage")
]
each_peer = pytest.mark.parametrize("peer", PEERS, ids=" ".join)

_KINDS = ("sent", "failed", "dropped", "spooled", "queued")


def _farewell(peer: Peer) -> list[dict[str, Any]]:
    protocol, kind = peer
    with DEAD[kind]() as url:
        variables = {key: value for key, value in os.environ.items() if "PYTEST" not in key}
        variables |= {
            "OTEL_EXPORTER_OTLP_ENDPOINT": url,
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
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
def farewells() -> Iterator[dict[Peer, Future[list[dict[str, Any]]]]]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {peer: pool.submit(_farewell, peer) for peer in PEERS}


@each_peer
def test_flush_and_exit_end_in_time_with_an_honest_account(
    peer: Peer, farewells: dict[Peer, Future[list[dict[str, Any]]]]
) -> None:
    flush, end, said = farewells[peer].result()
    assert flush["delivered"] is False
    assert flush["flush"] <= DEADLINE + LOADED
    assert end["exit"] <= DEADLINE + LOADED
    for moment in (flush, end):
        traces = moment["account"]["traces"]
        assert traces["sent"] == 0
        assert sum(traces[kind] for kind in _KINDS) == SPANS
    assert end["account"]["traces"]["queued"] == 0
    assert end["account"]["traces"]["last_error"]
    assert f"{SPANS} spans" in said["stderr"]


@each_peer
def test_it_is_one_warning_and_the_losses_at_the_end(
    peer: Peer, farewells: dict[Peer, Future[list[dict[str, Any]]]]
) -> None:
    said = farewells[peer].result()[-1]["stderr"].splitlines()
    assert len([line for line in said if "lost" in line]) <= 1
    assert len([line for line in said if "not delivered" in line]) == 1


def _in_time(peer: Peer) -> bool:
    flush, end, _ = _farewell(peer)
    return max(flush["flush"], end["exit"]) <= DEADLINE + GRACE


@pytest.mark.soak
@each_peer
def test_nobody_waits_much_longer_than_asked(peer: Peer) -> None:
    assert any(_in_time(peer) for _ in range(3))
