"""Workers read each other, bury their dead, and keep to themselves."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from otelkit.prometheus import members, server, workers
from otelkit.prometheus.families import Family, Value
from otelkit.prometheus.workers import Worker
from tests.processes import ROOT

PROGRAM = """
import sys
from pathlib import Path
from opentelemetry.sdk.metrics import MeterProvider
from otelkit import _bounded
from otelkit.prometheus.families import Family
from otelkit.prometheus.workers import Worker
worker = Worker(Path(sys.argv[1]))
jobs = _bounded.counter(MeterProvider().get_meter("m"), _bounded.About("jobs"))
for line in sys.stdin:
    count, seconds, heat = map(float, line.split())
    jobs.add(count)
    worker.publish([
        Family("cpu_seconds", "counter", "CPU.", points={(): seconds}),
        Family("heat", "gauge", "Heat.", points={(("at", "core"),): heat}),
        Family("running", "updown", "Running.", points={(): heat}),
    ])
    print("ok", flush=True)
"""


class Other:
    """A worker in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(folder)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def count(self, jobs: float, cpu: float = 0, heat: float = 0) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{jobs} {cpu} {heat}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "ok\n"

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextmanager
def others(folder: Path, number: int) -> Iterator[list[Other]]:
    started = [Other(folder) for _ in range(number)]
    try:
        yield started
    finally:
        for each in started:
            each.kill()


@pytest.fixture
def folder(alone: Path) -> Path:
    return alone / "base" / "1-1"


@pytest.fixture
def worker(folder: Path) -> Iterator[Worker]:
    made = Worker(folder)
    yield made
    made.leave()


def points(worker: Worker, name: str) -> dict[object, Value]:
    found = worker.together().get(name, Family(name, "counter", ""))
    return dict(found.points)


def test_all_of_them_are_added_up(worker: Worker, folder: Path) -> None:
    with others(folder, 2) as (one, two):
        one.count(3, cpu=0.5, heat=20)
        two.count(4, cpu=0.25, heat=30)
        worker.publish([Family("heat", "gauge", "Heat.", points={(("at", "core"),): 10})])
        assert points(worker, "jobs") == {(): 7}
        assert points(worker, "cpu_seconds") == {(): 0.75}
        assert points(worker, "running") == {(): 50}
        heat = points(worker, "heat")
        assert {labels[1] for labels in heat} == {("worker", "0"), ("worker", "1"), ("worker", "2")}  # type: ignore[index]
        assert sorted(heat.values()) == [10, 20, 30]  # type: ignore[type-var]


def test_the_counters_of_the_dead_stay_and_their_gauges_go(worker: Worker, folder: Path) -> None:
    with others(folder, 2) as (one, two):
        one.count(3, cpu=0.5, heat=20)
        two.count(4, cpu=0.25, heat=30)
        one.kill()
        assert points(worker, "jobs") == {(): 7}
        assert points(worker, "cpu_seconds") == {(): 0.75}
        assert points(worker, "running") == {(): 30}
        assert list(points(worker, "heat").values()) == [30]


def test_there_are_never_more_files_than_workers(worker: Worker, folder: Path) -> None:
    for number in range(1, 5):
        with others(folder, 1) as (other,):
            other.count(10, cpu=0.1, heat=1)
            assert points(worker, "jobs") == {(): 10 * number}
            assert len(list(folder.glob("*.ledger"))) == 2
            assert {place for path in folder.glob("*.ledger")
                    for place in [path.name.partition(".")[0]]} == {"0", "1"}  # fmt: skip
    assert points(worker, "cpu_seconds") == {(): 0.4}
    assert points(worker, "jobs") == {(): 40}
    assert len(list(folder.glob("*.json"))) == 2  # the last one's, and that of all before it


def test_a_burial_that_was_cut_short_counts_nobody_twice(worker: Worker, folder: Path) -> None:
    with others(folder, 1) as (one,):
        one.count(10)
    (dead,) = [member for member in members.find(folder) if not member.lives()]
    content = dead.path.read_bytes()
    with others(folder, 1) as (two,):
        two.count(1)
        dead.path.write_bytes(content)  # as if it had been killed before this was removed
        assert points(worker, "jobs") == {(): 11}
    Worker(folder)
    assert not dead.path.exists()
    assert points(worker, "jobs") == {(): 11}


def test_a_folder_that_was_cleaned_up_is_made_anew(worker: Worker, folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    worker.publish([Family("cpu_seconds", "counter", "CPU.", points={(): 2})])
    assert points(worker, "cpu_seconds") == {(): 2}


def test_a_folder_that_cannot_be_made_anew_costs_nobody_a_descriptor(
    worker: Worker, folder: Path
) -> None:
    """A descriptor that is closed twice is somebody else's the second time."""
    shutil.rmtree(folder.parent)
    folder.parent.write_text("in the way")
    before = set(os.listdir("/proc/self/fd"))
    for _ in range(2):
        with pytest.raises(OSError, match="not a private folder"):
            worker.publish([])
        assert set(os.listdir("/proc/self/fd")) == before
    folder.parent.unlink()
    worker.publish([Family("cpu_seconds", "counter", "CPU.", points={(): 2})])
    assert points(worker, "cpu_seconds") == {(): 2}


def test_without_room_for_a_ledger_nothing_stays_open(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "no room")

    monkeypatch.setattr(os, "posix_fallocate", full)
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="no room"):
        Worker(folder)
    assert set(os.listdir("/proc/self/fd")) == before


def test_files_that_are_broken_spoil_no_page(worker: Worker, folder: Path) -> None:
    contents = [b"", b"[[", b"\xff" * 64, b"7", b"\0" * 300_000]

    def scatter() -> None:
        for place, content in enumerate(contents, start=7):
            for suffix in ("ledger", "json"):
                (folder / f"{place}.1-{place}.{suffix}").write_bytes(content)

    with others(folder, 1) as (other,):
        other.count(3, cpu=1)
        scatter()
        for content in contents:
            (folder / "ended.json").write_bytes(content)
            assert points(worker, "jobs") == {(): 3}
    with others(folder, 1) as (other,):  # buries that one, and the broken
        other.count(4)
        assert points(worker, "jobs") == {(): 7}
    assert len(list(folder.glob("*.ledger"))) == 2


def test_a_label_of_the_applications_own_gives_way(worker: Worker) -> None:
    heat = Family("heat", "gauge", "Heat.", points={(("at", "core"), ("worker", "bee")): 1})
    worker.publish([heat])
    (labels,) = points(worker, "heat")
    assert labels == (("at", "core"), ("exported_worker", "bee"), ("worker", "0"))


def test_a_folder_of_somebody_else_is_not_used(alone: Path) -> None:
    for name, make in {
        "open": lambda path: path.mkdir(0o755),
        "file": lambda path: path.write_text(""),
        "link": lambda path: path.symlink_to("/tmp"),
    }.items():
        make(alone / name)
        with pytest.raises(OSError, match="not a private folder"):
            Worker(alone / name / "1-1")


def test_folders_of_servers_that_have_ended_are_removed(
    alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    base = alone / f"otelkit-{os.geteuid()}"
    base.mkdir(0o700)
    dead, orphaned, running = (base / name for name in (
        f"{gone.pid}-1", f"{gone.pid}-2", server._name(os.getppid())
    ))  # fmt: skip
    monkeypatch.setattr(server, "supervisor", os.getpid)
    with others(orphaned, 1) as (other,):
        other.count(1)
        for folder in (dead, running):
            Worker(folder).leave()
        joined = workers.join("shop")
        assert joined is not None
        assert sorted(base.iterdir()) == sorted((orphaned, running, joined._folder))
        other.process.send_signal(signal.SIGTERM)
        other.process.wait()
        assert workers.join("shop") is not None
        assert not orphaned.exists()


def test_a_lock_that_nobody_gives_back_costs_that_scrape_only(
    worker: Worker, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers._locked, "__kwdefaults__", {"exclusive": False, "patience": 0.1})
    holder = f"""
import fcntl, sys
file = open({str(folder / "lock")!r}, "ab")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(BlockingIOError):
            worker.together()
        process.communicate()
    worker.together()


def test_services_of_one_supervisor_are_apart(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "supervisor", os.getpid)
    shop, mail = workers.join("shop"), workers.join("mail")
    again = workers.join("shop")
    assert shop
    assert mail
    assert again
    assert shop._folder == again._folder != mail._folder
    assert not server.has_ended(shop._folder)
    shop.publish([Family("cpu_seconds", "counter", "CPU.", points={(): 2})])
    assert points(again, "cpu_seconds") == {(): 2}
    assert points(mail, "cpu_seconds") == {}
    for each in (shop, mail, again):
        each.leave()


def test_a_process_alone_is_no_worker() -> None:
    assert workers.join("shop") is None


def test_the_child_of_multiprocessing_is_a_worker_of_its_parent(alone: Path) -> None:
    program = textwrap.dedent(
        """
        import multiprocessing, os
        from otelkit.prometheus import server

        def work():
            print(server.supervisor() == os.getppid(), flush=True)

        if __name__ == "__main__":
            process = multiprocessing.get_context("spawn").Process(target=work)
            process.start()
            process.join()
        """
    )
    script = alone / "program.py"
    script.write_text(program)
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, script], env=environ, capture_output=True, check=True)
    assert done.stdout == b"True\n"


def test_nothing_is_readable_for_others(worker: Worker, folder: Path) -> None:
    worker.publish([Family("cpu_seconds", "counter", "CPU.", points={(): 2})])
    assert folder.stat().st_mode & 0o777 == 0o700
    assert json.loads(next(folder.glob("*.json")).read_bytes())
