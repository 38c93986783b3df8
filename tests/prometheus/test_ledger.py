"""Totals in a file: readable at any moment, whatever has become of the process."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from otelkit import _bounded, instruments, semconv
from otelkit._bounded import About
from otelkit.prometheus import ledger
from otelkit.prometheus.families import Buckets, Family
from otelkit.prometheus.ledger import CHUNK, Ledger
from tests.processes import ROOT
from tests.prometheus.conftest import Measuring


def families(path: Path) -> dict[str, Family]:
    return {totals.family.name: totals.shown() for totals in ledger.read(path.read_bytes())}


@pytest.fixture
def file(alone: Path) -> Path:
    return alone / "0.0.ledger"


def test_counters_and_histograms_are_there_at_once(file: Path, measuring: Measuring) -> None:
    counter = _bounded.counter(measuring.meter, About("jobs", "{job}", "Jobs.", user=True))
    wait = _bounded.histogram(measuring.meter, About("wait", "s"), [1.0, 2.0])
    heat = _bounded.gauge(measuring.meter, About("heat"))
    counter.add(5, {"a": 1})  # before there is a ledger: of no interest
    made = Ledger(file)
    _bounded.share(made.open)
    for _ in range(3):
        counter.add(2, {"a": 1})
    counter.add(0.5, {"a": 'x"y', "b": [1, 2]})
    counter.add(-1)
    for seconds in (0.5, 1, 1.5, 99):
        wait.record(seconds)
    heat.set(7)
    found = families(file)
    assert found["jobs"].points == {(("a", "1"),): 6, (("a", 'x"y'), ("b", "[1, 2]")): 0.5}
    assert (found["jobs"].kind, found["jobs"].help, found["jobs"].user) == (
        "counter",
        "Jobs.",
        True,
    )
    assert found["wait_seconds"].points == {(): Buckets([2, 1, 1], 102)}
    assert found["wait_seconds"].bounds == (1.0, 2.0)
    assert set(found) == {"jobs", "wait_seconds"} == made.families


def test_it_says_the_same_as_the_sdk(file: Path, measuring: Measuring) -> None:
    _bounded.share(Ledger(file).open)
    bounds = semconv.BUCKETS[semconv.AGENT_DURATION]
    wait = _bounded.histogram(measuring.meter, About("wait", "s", "Wait."), bounds)
    for number in range(1000):
        wait.record(number / 7, {"route": f"/{number % 50}"})
    found, expected = families(file)["wait_seconds"], measuring.families()["wait_seconds"]
    assert found.empty() == expected.empty()
    assert len(found.points) == 50
    for labels, value in expected.points.items():
        there = found.points[labels]
        assert isinstance(there, Buckets)
        assert isinstance(value, Buckets)
        assert there.counts == value.counts
        assert there.sum == pytest.approx(value.sum)


def test_totals_of_the_decorators(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = instruments.Totals(semconv.LLM_TOKENS)
    active = instruments.Totals(semconv.ACTIVE, monotonic=False)
    for totals in (tokens, active):
        instruments._all_totals.remove(totals)
    tokens.add((("model", "m"),), 5)
    _bounded.share(Ledger(file).open)
    tokens.add((("model", "m"),), 7)
    active.add((("kind", "agent"),), 1)
    assert {n: f.points for n, f in families(file).items()} == {
        "otelkit_llm_tokens": {(("model", "m"),): 12}
    }


def test_a_file_grows_by_chunks(file: Path, measuring: Measuring) -> None:
    counter = _bounded.counter(measuring.meter, About("jobs"))
    _bounded.share(Ledger(file).open)
    for number in range(1500):
        counter.add(number, {"name": f"{number}-{'x' * 300}"})
    counter.add(3, {"name": f"7-{'x' * 300}"})
    assert file.stat().st_size == 2 * CHUNK
    points = families(file)["jobs"].points
    assert len(points) == 1500
    assert points[(("name", f"7-{'x' * 300}"),)] == 10


def test_without_room_the_rest_goes_on(
    file: Path, measuring: Measuring, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = _bounded.counter(measuring.meter, About("jobs"))
    made = Ledger(file)
    _bounded.share(made.open)
    counter.add(1, {"n": 0})
    counter.add(1, {"n": ["x" * CHUNK]})
    assert "too long" in made.trouble

    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    for number in range(1, 1500):
        counter.add(1, {"n": f"{number}-{'x' * 300}"})
    counter.add(1, {"n": 0})
    assert "No space left" in made.trouble
    assert families(file)["jobs"].points[(("n", "0"),)] == 2
    assert len(measuring.families()["jobs"].points) == 1501


def test_a_killed_process_leaves_its_totals(file: Path) -> None:
    program = f"""
import os, signal
from pathlib import Path
from opentelemetry.sdk.metrics import MeterProvider
from otelkit import _bounded
from otelkit.prometheus.ledger import Ledger
jobs = _bounded.counter(MeterProvider().get_meter("m"), _bounded.About("jobs"))
_bounded.share(Ledger(Path({str(file)!r})).open)
for _ in range(1234):
    jobs.add(1)
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == -9
    assert families(file)["jobs"].points == {(): 1234}
