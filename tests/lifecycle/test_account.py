"""Sent, failed, dropped, queued and spooled are what has ended, whatever the receiver does."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from tests.lifecycle.apps.ledger import KINDS
from tests.lifecycle.matrix import ROOT
from tests.lifecycle.peers import Receiver

ITEMS = 2000
SIGNALS = ("traces", "logs")


class Moody(Receiver):
    """Takes, refuses, asks for time and hangs up in turns; what it took it answers with 200."""

    def __init__(self, moods: tuple[int, ...]) -> None:
        super().__init__()
        self._moods = {signal: itertools.cycle(moods) for signal in (*SIGNALS, "metrics")}

    def _take(self, path: str, raw: bytes, headers: dict[str, str], largest: int | None) -> int:
        answer = next(self._moods[path.rpartition("/")[2]])
        if answer == 0:
            raise ConnectionError("hangs up")
        if answer != 200:
            return answer
        return super()._take(path, raw, headers, largest)


def work(
    receiver: Receiver, prefix: str, items: int, room: int, **variables: str
) -> list[dict[str, Any]]:
    """What the process said of its account, the last word last."""
    environ = {key: value for key, value in os.environ.items() if "PYTEST" not in key}
    environ |= {
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_METRICS_EXPORTER": "none",
        "OTELKIT_LOG_LEVELS": "otelkit=ERROR",  # its own words would be records, too
    }
    for kind in ("BSP", "BLRP"):
        environ[f"OTEL_{kind}_MAX_QUEUE_SIZE"] = str(room)
        environ[f"OTEL_{kind}_MAX_EXPORT_BATCH_SIZE"] = "50"
        environ[f"OTEL_{kind}_SCHEDULE_DELAY"] = "10"
    done = subprocess.run(
        [sys.executable, "-m", "tests.lifecycle.apps.ledger", prefix, str(items)],
        cwd=ROOT,
        env=environ | variables,
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def expect_balance(said: list[dict[str, Any]]) -> None:
    for moment in said:
        for signal in SIGNALS:
            account = moment["account"][signal]
            assert sum(account[kind] for kind in KINDS) == moment["ended"], (signal, moment)


def arrived(receiver: Receiver) -> dict[str, Counter[str]]:
    return {"traces": receiver.spans(), "logs": receiver.logs()}


def test_it_balances_at_every_moment_and_agrees_with_the_receiver() -> None:
    with Moody((200, 503, 413, 400, 200, 0, 429)) as receiver:
        said = work(receiver, "item", ITEMS, room=300)
        expect_balance(said)
        for signal in SIGNALS:
            account, found = said[-1]["account"][signal], arrived(receiver)[signal]
            assert account["sent"] == len(found) == found.total()
            assert account["failed"] > 0
            assert account["dropped"] > 0
            assert account["queued"] == account["spooled"] == 0


def test_with_a_disk_nothing_is_dropped_and_the_next_process_delivers_the_rest(
    tmp_path: Path,
) -> None:
    variables = {"OTELKIT_SPOOL_DIR": str(tmp_path)}
    with Moody((200, 503, 400, 0, 503)) as receiver:
        first = work(receiver, "first", ITEMS, room=ITEMS, **variables)
        expect_balance(first)
        receiver._moods = {signal: itertools.repeat(200) for signal in SIGNALS}
        second = work(receiver, "second", 1, room=ITEMS, **variables)
        expect_balance(second)
        for signal in SIGNALS:
            account, found = first[-1]["account"][signal], arrived(receiver)[signal]
            assert account["dropped"] == account["queued"] == 0
            assert account["spooled"] > 0
            assert second[-1]["account"][signal]["recovered"] == account["spooled"]
            assert len(found) == found.total() == account["sent"] + account["spooled"] + 1
