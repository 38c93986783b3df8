"""A queue with a disk behind it: nothing is lost while the receiver is away, and all is counted."""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from otelkit import spool
from otelkit.export import delivery
from otelkit.export.account import Counts
from otelkit.export.exporter import Answer, Batch
from otelkit.export.queue import Queue
from otelkit.export.trouble import Trouble
from otelkit.spool import Spool, files
from tests.export.test_queue import FAILED, RETRY, SENT, Scripted, close, flush, total
from tests.lifecycle.peers import until


class Bytes(Scripted):
    """A scripted exporter with payloads that can be stored."""

    spoolable = True

    def prepare(self, items: Any) -> tuple[list[Batch], int]:
        batches, lost = super().prepare(items)
        return [Batch(batch.size, pickle.dumps(batch.payload)) for batch in batches], lost

    def send(self, batch: Batch, timeout: float) -> Answer:
        return super().send(Batch(batch.size, pickle.loads(batch.payload)), timeout)

    def halve(self, batch: Batch) -> list[Batch]:
        halves = super().halve(Batch(batch.size, pickle.loads(batch.payload)))
        return [Batch(half.size, pickle.dumps(half.payload)) for half in halves]


Make = Callable[..., Queue]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Queue] = []

    def factory(exporter: Scripted, **options: Any) -> Queue:
        settings = {"capacity": 1000, "batch_size": 100, "delay": 60.0, "timeout": 1.0, **options}
        spool = Spool(str(tmp_path / "spool"), 10_000_000)
        trouble = Trouble("http://receiver")
        queue = Queue("traces", "otlp", exporter, trouble=trouble, spool=spool, **settings)
        made.append(queue)
        return queue

    yield factory
    for queue in made:
        close(queue)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "PAUSE", 0.001)


def arrived(exporter: Scripted) -> list[Any]:
    return [item for batch in exporter.asked for item in batch]


def test_what_cannot_be_sent_goes_to_disk_and_arrives_when_the_receiver_is_back(
    make: Make,
) -> None:
    exporter = Bytes(lambda batch: RETRY)
    queue = make(exporter)
    for number in range(250):
        queue.put(number)
    flush(queue)
    assert (queue.counts().spooled, queue.counts().queued) == (250, 0)
    assert not queue.counts().delivered
    exporter.answer = lambda batch: SENT
    exporter.asked.clear()
    flush(queue)
    assert (queue.counts().sent, queue.counts().spooled) == (250, 0)
    assert arrived(exporter) == list(range(250))


def test_the_memory_queue_never_fills_up_while_the_disk_takes_it(make: Make) -> None:
    queue = make(Bytes(lambda batch: RETRY), capacity=100, batch_size=10, delay=0.01)
    for number in range(500):
        until(lambda: queue.counts().queued < 100)
        queue.put(number)
    until(lambda: queue.counts().spooled == 500)
    assert queue.counts().dropped == 0


def test_what_is_left_at_the_end_is_sent_by_the_next_process(make: Make) -> None:
    first = make(Bytes(lambda batch: RETRY))
    for number in range(5):
        first.put(number)
    close(first)
    assert first.counts().spooled == 5
    assert first.counts().lost == 0
    exporter = Bytes()
    second = make(exporter)
    second.begin()
    until(lambda: second.status()["recovered"] == 5)
    assert arrived(exporter) == list(range(5))
    assert total(second) == 0  # none of them ended here
    assert make(Bytes()).status()["recovered"] == 0


def test_a_batch_that_is_being_encoded_at_the_end_is_on_disk_too_and_once(make: Make) -> None:
    class Slow(Bytes):
        def prepare(self, items: Any) -> tuple[list[Batch], int]:
            if threading.current_thread() is not threading.main_thread():
                encoding.set()
                ended.wait(60)
            return super().prepare(items)

    encoding, ended = threading.Event(), threading.Event()
    queue = make(Slow())
    for number in range(300):
        queue.put(number)
    assert encoding.wait(60)
    queue.request(time.monotonic(), closing=True)()
    queue.finish()
    ended.set()
    assert queue._worker is not None
    queue._worker.join(60)
    assert queue.counts() == Counts(spooled=300)


def test_items_wake_nobody_while_neither_receiver_nor_disk_takes_them(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = make(Bytes(lambda batch: RETRY), batch_size=1)
    monkeypatch.setattr(Spool, "usable", lambda spool: False)
    queue.put(1)
    flush(queue)
    assert queue._delivery.stuck


def test_with_nothing_on_disk_no_thread_is_started(make: Make) -> None:
    queue = make(Bytes())
    queue.begin()
    assert queue._worker is None


def test_what_hangs_at_the_end_is_on_disk_too(make: Make) -> None:
    hang = threading.Event()

    def answer(batch: Batch) -> Answer:
        hang.wait(30)
        return RETRY

    queue = make(Bytes(answer), batch_size=2)
    for number in range(7):
        queue.put(number)
    close(queue, seconds=0.1)
    assert queue.counts().spooled == 7
    hang.set()


class HangingDisk:
    """Writes nothing before ``goes_on``; ``writing`` once somebody waits for that."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.writing, self.goes_on = threading.Event(), threading.Event()
        self._write = files.write
        monkeypatch.setattr(files, "write", self.write)

    def write(self, path: Path, body: bytes) -> None:
        self.writing.set()
        self.goes_on.wait(60)
        self._write(path, body)


def test_a_disk_that_hangs_at_the_end_holds_up_nobody_who_comes_too_late(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = HangingDisk(monkeypatch)
    queue = make(Bytes())
    queue.put(1)
    ending = threading.Thread(target=queue.finish)
    ending.start()
    assert disk.writing.wait(60)
    late = threading.Thread(target=queue.put, args=(2,))
    late.start()
    late.join(10)
    held_up = late.is_alive()
    disk.goes_on.set()
    ending.join(60)
    late.join(60)
    assert not held_up
    assert queue.counts() == Counts(dropped=1, spooled=1)


def test_a_batch_that_is_on_its_way_to_the_disk_at_the_end_is_there_once(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def write(path: Path, body: bytes) -> None:
        if threading.current_thread() is not threading.main_thread():
            writing.set()
            until(lambda: queue._closed, 60)
        real(path, body)

    real, writing = files.write, threading.Event()
    monkeypatch.setattr(files, "write", write)
    queue = make(Bytes(lambda batch: RETRY))
    queue.put(1)
    queue.request(time.monotonic())
    assert writing.wait(60)
    queue.finish()
    assert queue.counts() == Counts(spooled=1)
    close(queue, seconds=60)  # the worker comes back from the disk, and ends
    assert len(list(tmp_path.rglob("*.batch"))) == 1


def test_a_disk_that_hangs_does_not_hold_up_the_end(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    disk = HangingDisk(monkeypatch)
    monkeypatch.setattr(spool, "HANGS", 0.01)
    queue = make(Bytes(lambda batch: RETRY), batch_size=1)
    for number in range(3):
        queue.put(number)
    queue.request(time.monotonic())
    assert disk.writing.wait(60)
    queue.finish()
    assert queue.counts().lost == total(queue) == 3
    assert "cannot be used (it hangs)" in caplog.text
    disk.goes_on.set()
    close(queue, seconds=60)  # the worker comes back from the disk, and ends
    assert queue.counts().lost == total(queue) == 3


def test_what_is_refused_for_good_leaves_the_disk_and_has_failed(make: Make) -> None:
    exporter = Bytes(lambda batch: RETRY)
    queue = make(exporter)
    queue.put(1)
    flush(queue)
    exporter.answer = lambda batch: FAILED
    flush(queue)
    assert (queue.counts().spooled, queue.counts().failed) == (0, 1)


def test_a_stored_batch_that_is_too_large_is_divided(make: Make) -> None:
    exporter = Bytes(lambda batch: RETRY)
    queue = make(exporter)
    for number in range(10):
        queue.put(number)
    flush(queue)
    exporter.answer = lambda batch: SENT if batch.size <= 3 else Answer("too_large", "413")
    flush(queue)
    assert (queue.counts().sent, queue.counts().spooled) == (10, 0)
    exporter.answer = lambda batch: Answer("too_large", "413")
    queue.put(11)
    flush(queue)
    assert queue.counts().failed == 1


def too_large(batch: Batch) -> Answer:
    return SENT if batch.size <= 5 else Answer("too_large", "413")


def test_of_a_stored_batch_that_is_divided_what_the_disk_does_not_take_has_failed(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(path: Path, body: bytes) -> None:
        written.append(path)
        if len(written) > 1:
            raise OSError("full")
        real(path, body)

    real, written = files.write, list[Path]()
    exporter = Bytes(lambda batch: RETRY)
    queue = make(exporter)
    for number in range(10):
        queue.put(number)
    flush(queue)
    monkeypatch.setattr(files, "write", write)
    exporter.answer = too_large
    flush(queue)
    assert queue.counts() == Counts(sent=5, failed=5)


def test_a_stored_batch_that_makes_room_for_its_halves_is_not_counted_as_dropped(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    exporter = Bytes(lambda batch: RETRY)
    queue = make(exporter)
    for number in range(10):
        queue.put(f"{number:01000}")
    flush(queue)
    assert queue._spool is not None
    queue._spool.limit = 1000 + sum(file.stat().st_size for file in tmp_path.rglob("*.batch"))
    caplog.clear()
    exporter.answer = too_large
    flush(queue)
    assert queue.counts() == Counts(sent=10)
    assert not [message for message in caplog.messages if "of others" in message]


def test_while_a_receiver_is_away_live_items_wait_on_disk_not_for_the_next_attempt(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "FIRST_BACKOFF", 1000.0)
    monkeypatch.setattr(delivery, "LONGEST_BACKOFF", 1000.0)
    exporter = Bytes(lambda batch: RETRY)
    queue = make(exporter, delay=0.01)
    queue.put(1)
    until(lambda: queue.counts().spooled == 1)
    queue.put(2)
    until(lambda: queue.counts().spooled == 2)
    assert len(exporter.asked) == 1  # the second was not even tried


def test_live_items_do_not_wait_for_those_on_disk(make: Make) -> None:
    exporter = Bytes(lambda batch: RETRY)
    queue = make(exporter, batch_size=1)
    for number in range(20):
        queue.put(number)
    flush(queue)

    def answer(batch: Batch) -> Answer:
        if len(exporter.asked) == 1:
            queue.put("live")
        return SENT

    exporter.asked.clear()
    exporter.answer = answer
    flush(queue)
    until(lambda: queue.counts().sent == 21)
    assert arrived(exporter).index("live") < 5


def test_a_disk_that_fails_leaves_everything_in_memory(make: Make, tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("no folder")
    exporter = Bytes(lambda batch: RETRY)
    queue = make(exporter)
    queue.put(1)
    flush(queue)
    assert (queue.counts().queued, queue.counts().spooled) == (1, 0)
    exporter.answer = lambda batch: SENT
    flush(queue)
    assert queue.counts().sent == 1


def test_the_account_is_right_at_every_moment_with_a_disk_too(make: Make) -> None:
    answers = [SENT, RETRY, FAILED, RETRY, Answer("too_large", "413"), RETRY]
    calls = iter(range(10**9))
    queue = make(
        Bytes(lambda batch: answers[next(calls) % len(answers)]),
        capacity=200,
        batch_size=20,
        delay=0.001,
    )
    stop = threading.Event()
    sums: list[int] = []

    def look() -> None:
        while not stop.is_set():
            sums.append(total(queue))

    watcher = threading.Thread(target=look)
    watcher.start()
    for number in range(2000):
        queue.put(number)
        if number % 500 == 0:
            flush(queue)
    close(queue)
    stop.set()
    watcher.join()
    assert sums == sorted(sums)
    assert total(queue) == 2000


def test_a_forked_child_owns_nothing_of_what_its_parent_has_stored(make: Make) -> None:
    exporter = Bytes(lambda batch: RETRY)
    queue = make(exporter)
    queue.put(1)
    flush(queue)
    queue.reset()
    assert total(queue) == 0
    exporter.answer = lambda batch: SENT
    queue.put(2)
    flush(queue)
    assert (queue.counts().sent, queue.status()["recovered"]) == (1, 1)


def test_two_processes_deliver_everything_once_and_count_it_once(make: Make) -> None:
    gone = Bytes(lambda batch: RETRY)
    first = make(gone, batch_size=1)
    for number in range(10):
        first.put(number)
    flush(first)
    back = Bytes()
    second = make(back)
    second.begin()
    until(lambda: second.status()["recovered"] == 10)
    gone.answer = lambda batch: SENT
    gone.asked.clear()
    flush(first)
    assert first.counts().sent == 10  # by the other
    assert gone.asked == []
    assert sorted(arrived(back)) == list(range(10))
