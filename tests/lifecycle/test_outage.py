"""A receiver is away for a while, processes end meanwhile: what was on disk arrives, once."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lifecycle.matrix import ROOT
from tests.lifecycle.peers import Receiver, until

RATE = 200  # spans a second
STEADY = 12_000  # kilobytes that memory may grow by; the spans of a minute would be 40,000


class Producer:
    """A process that ends spans."""

    def __init__(self, prefix: str, port: int, spool: Path, spans: int) -> None:
        self.prefix = prefix
        variables = {key: value for key, value in os.environ.items() if "PYTEST" not in key}
        variables |= {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "OTELKIT_SPOOL_DIR": str(spool),
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.lifecycle.apps.producer", prefix, str(RATE), str(spans)],
            cwd=ROOT,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.memory: list[int] = []

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """What it says, as it says it."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.memory.append(self._resident())
            yield json.loads(line)

    def _resident(self) -> int:
        """Kilobytes of memory in use; 0 when it has just ended."""
        try:
            status = Path(f"/proc/{self._process.pid}/status").read_text()
        except OSError:
            return 0
        return next((int(line.split()[1]) for line in status.splitlines() if "VmRSS" in line), 0)

    def stop(self, number: int) -> None:
        self._process.send_signal(number)
        self._process.communicate()
        assert self._process.returncode == -number

    def end(self) -> dict[str, Any]:
        """Its last word."""
        words = list(self)
        self._process.communicate()
        assert self._process.returncode == 0
        return words[-1]

    def until_spooled(self, seconds: float) -> dict[str, Any]:
        """What it says after so many seconds, as soon as there is something on disk."""
        after = time.monotonic() + seconds
        for told in self:
            if time.monotonic() > after and told["account"]["spooled"] > 50:
                return told
            assert time.monotonic() < after + 30, told
        raise AssertionError("it has ended")

    def names(self, spans: int) -> set[str]:
        return {f"{self.prefix}-{number}" for number in range(spans)}


def outage(tmp_path: Path, killed: float, ended: float, back: float) -> None:
    """A receiver goes away under load. Three processes follow one another until it is back.

    Args:
        tmp_path: Where they spool.
        killed: Seconds until the first is killed.
        ended: Seconds until the second is sent SIGTERM.
        back: Seconds of the third until there is a receiver again.
    """
    with Receiver() as receiver:
        port = receiver.port
        first = Producer("first", port, tmp_path, spans=10**6)
        until(receiver.spans, 30, "spans arrive")
        receiver.status = 503
        seen = len(receiver.seen)
        # The answer to what it has taken is on its way before the next request is.
        until(lambda: len(receiver.seen) > seen + 1, 30, "it is refused")
    before = receiver.spans()
    of_first = first.until_spooled(killed)
    first.stop(signal.SIGKILL)

    second = Producer("second", port, tmp_path, spans=10**6)
    of_second = second.until_spooled(ended)
    second.stop(signal.SIGTERM)

    third = Producer("third", port, tmp_path, spans=int(RATE * (back + 2)))
    third.until_spooled(back)
    with Receiver(port=port) as receiver:
        last = third.end()
        arrived = before + receiver.spans()
    assert last["delivered"], last
    assert last["account"]["sent"] == last["ended"]
    assert max(arrived.values()) == 1
    assert third.names(last["ended"]) | second.names(of_second["ended"]) <= set(arrived)
    known = before.total() + of_first["account"]["spooled"]
    assert len([name for name in arrived if name.startswith("first")]) >= known
    for producer in (first, second, third):
        steady = producer.memory[len(producer.memory) // 4 : -1]
        assert max(steady) - steady[0] < STEADY


def test_what_was_on_disk_arrives_though_processes_have_ended_meanwhile(tmp_path: Path) -> None:
    outage(tmp_path, killed=0.5, ended=0.5, back=0.5)


@pytest.mark.soak
def test_nothing_is_lost_in_a_minute_without_a_receiver(tmp_path: Path) -> None:
    outage(tmp_path, killed=10, ended=10, back=40)


def test_a_response_that_is_lost_costs_a_second_delivery_at_most(tmp_path: Path) -> None:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        producer = Producer("span", port, tmp_path, spans=100)
        connection, _ = server.accept()
        with connection:
            connection.recv(100_000)  # the request is taken, the answer never comes
    with Receiver(port=port) as receiver:
        last = producer.end()
        assert last["delivered"]
        assert set(receiver.spans()) == producer.names(100)
        assert max(receiver.spans().values()) <= 2
