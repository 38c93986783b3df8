"""The queue in front of an exporter: what is put in is counted once, whatever the exporter does."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from otelkit.export import delivery
from otelkit.export.account import Counts
from otelkit.export.exporter import Answer, Batch, Exporter
from otelkit.export.queue import Queue
from otelkit.export.trouble import Trouble
from tests.lifecycle.peers import until

SENT = Answer("sent")
RETRY = Answer("retry", "nobody there")
FAILED = Answer("failed", "not wanted")


class Scripted(Exporter):
    """An exporter whose answers a test decides; it remembers what it was sent."""

    endpoint = "http://receiver"

    def __init__(self, answer: Callable[[Batch], Answer] = lambda batch: SENT) -> None:
        self.answer = answer
        self.asked: list[list[Any]] = []

    def prepare(self, items: Sequence[Any]) -> tuple[list[Batch], int]:
        good = [item for item in items if item != "unencodable"]
        return ([Batch(len(good), good)] if good else []), len(items) - len(good)

    def send(self, batch: Batch, timeout: float) -> Answer:
        self.asked.append(batch.payload)
        return self.answer(batch)

    def halve(self, batch: Batch) -> list[Batch]:
        middle = batch.size // 2
        parts = [batch.payload[:middle], batch.payload[middle:]]
        return [Batch(len(part), part) for part in parts] if middle else []


@pytest.fixture
def make() -> Iterator[Callable[..., Queue]]:
    made: list[Queue] = []

    def factory(exporter: Scripted, **options: Any) -> Queue:
        settings = {"capacity": 1000, "batch_size": 100, "delay": 60.0, "timeout": 1.0, **options}
        queue = Queue("traces", "otlp", exporter, trouble=Trouble("http://receiver"), **settings)
        made.append(queue)
        return queue

    yield factory
    for queue in made:
        close(queue)


def flush(queue: Queue, seconds: float = 5.0) -> None:
    queue.request(time.monotonic() + seconds)()


def close(queue: Queue, seconds: float = 1.0) -> None:
    queue.request(time.monotonic() + seconds, closing=True)()
    queue.finish()


def total(queue: Queue) -> int:
    return sum(vars(queue.counts()).values())


def test_everything_put_is_sent_in_order_and_in_batches(make: Callable[..., Queue]) -> None:
    exporter = Scripted()
    queue = make(exporter)
    for number in range(250):
        queue.put(number)
    flush(queue)
    assert [item for batch in exporter.asked for item in batch] == list(range(250))
    assert max(map(len, exporter.asked)) <= 100
    assert queue.counts().sent == 250
    assert queue.counts().delivered


def test_a_full_batch_is_sent_at_once_and_a_part_of_one_after_the_delay(
    make: Callable[..., Queue],
) -> None:
    exporter = Scripted()
    full = make(exporter, delay=60.0)
    for number in range(100):
        full.put(number)
    until(lambda: full.counts().sent == 100)
    partly = make(exporter, delay=0.02)
    partly.put("one")
    until(lambda: partly.counts().sent == 1)


def test_what_has_no_room_is_dropped_and_counted(make: Callable[..., Queue]) -> None:
    queue = make(Scripted(lambda batch: RETRY), capacity=50, batch_size=10)
    for number in range(80):
        queue.put(number)
    counts = until(lambda: queue.counts() if queue.account.last_error else None)
    assert counts.dropped >= 20
    assert total(queue) == 80


def test_the_account_is_right_at_every_moment(make: Callable[..., Queue]) -> None:
    answers = [SENT, RETRY, FAILED, Answer("too_large", "too much"), Answer("sent", "", None, 1)]
    calls = iter(range(10**9))

    def answer(batch: Batch) -> Answer:
        return answers[next(calls) % len(answers)]

    queue = make(Scripted(answer), capacity=200, batch_size=20, delay=0.001)
    stop = threading.Event()
    sums: list[int] = []

    def look() -> None:
        while not stop.is_set():
            sums.append(total(queue))

    def work() -> None:
        for number in range(3000):
            queue.put(number if number % 7 else "unencodable")

    threads = [threading.Thread(target=work) for _ in range(3)]
    watcher = threading.Thread(target=look)
    for thread in (*threads, watcher):
        thread.start()
    for thread in threads:
        thread.join()
    close(queue)
    stop.set()
    watcher.join()
    assert sums == sorted(sums)  # nothing is ever counted twice, or forgotten for a moment
    assert total(queue) == 9000
    assert queue.counts().queued == 0


def test_a_batch_to_be_tried_again_waits_and_is_sent_when_the_receiver_is_back(
    make: Callable[..., Queue],
) -> None:
    exporter = Scripted(lambda batch: RETRY)
    queue = make(exporter)
    queue.put(1)
    flush(queue)
    assert queue.counts().queued == 1
    assert queue.account.last_error == "nobody there"
    exporter.answer = lambda batch: SENT
    flush(queue)
    assert queue.counts().sent == 1


def test_while_somebody_waits_a_short_absence_is_bridged(make: Callable[..., Queue]) -> None:
    exporter = Scripted(lambda batch: RETRY if len(exporter.asked) == 1 else SENT)
    queue = make(exporter)
    queue.put(1)
    flush(queue)
    assert queue.counts().sent == 1
    assert exporter.asked == [[1], [1]]


def test_without_being_asked_it_tries_again_later_and_later(
    make: Callable[..., Queue], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "FIRST_BACKOFF", 0.02)
    monkeypatch.setattr(delivery, "LONGEST_BACKOFF", 0.05)
    exporter = Scripted(lambda batch: RETRY if len(exporter.asked) < 4 else SENT)
    queue = make(exporter, delay=0.001)
    queue.put(1)
    until(lambda: queue.counts().sent == 1)
    assert exporter.asked == [[1]] * 4


def test_a_receiver_that_asks_for_time_gets_it_if_there_is_so_much(
    make: Callable[..., Queue],
) -> None:
    answers = [Answer("retry", "busy", retry_after=0.2), SENT]
    times: list[float] = []

    def answer(batch: Batch) -> Answer:
        times.append(time.monotonic())
        return answers[len(times) - 1]

    queue = make(Scripted(answer))
    queue.put(1)
    flush(queue)
    assert queue.counts().sent == 1
    assert times[1] - times[0] >= 0.2


def test_a_receiver_that_asks_for_more_time_than_there_is_is_left_alone(
    make: Callable[..., Queue],
) -> None:
    exporter = Scripted(lambda batch: Answer("retry", "busy", retry_after=60.0))
    queue = make(exporter)
    queue.put(1)
    flush(queue, seconds=30)
    flush(queue, seconds=30)
    assert len(exporter.asked) == 1
    assert queue.counts().queued == 1


@pytest.mark.parametrize("asked", [1e12, float("inf"), float("nan"), -5.0])
def test_no_receiver_is_left_alone_for_longer_than_an_hour(
    make: Callable[..., Queue], asked: float
) -> None:
    queue = make(Scripted(lambda batch: Answer("retry", "busy", retry_after=asked)))
    queue.put(1)
    flush(queue)
    assert 0 <= queue._delivery.pause(60.0) <= 3600


def test_what_is_refused_for_good_is_not_tried_again(make: Callable[..., Queue]) -> None:
    exporter = Scripted(lambda batch: FAILED)
    queue = make(exporter)
    queue.put(1)
    flush(queue)
    flush(queue)
    assert (queue.counts().failed, len(exporter.asked)) == (1, 1)


def test_a_batch_too_large_is_halved_until_it_fits(make: Callable[..., Queue]) -> None:
    exporter = Scripted(lambda batch: SENT if batch.size <= 3 else Answer("too_large", "413"))
    queue = make(exporter)
    for number in range(10):
        queue.put(number)
    flush(queue)
    assert queue.counts().sent == 10
    assert sorted(n for batch in exporter.asked if len(batch) <= 3 for n in batch) == [*range(10)]


def test_an_item_too_large_alone_has_failed(make: Callable[..., Queue]) -> None:
    queue = make(Scripted(lambda batch: Answer("too_large", "413")))
    queue.put(1)
    queue.put(2)
    flush(queue)
    assert queue.counts().failed == 2


def test_items_that_a_receiver_rejects_of_a_batch_it_takes_have_failed(
    make: Callable[..., Queue],
) -> None:
    queue = make(Scripted(lambda batch: Answer("sent", "refused 1: bad", None, 1)))
    for number in range(5):
        queue.put(number)
    flush(queue)
    assert (queue.counts().sent, queue.counts().failed) == (4, 1)
    assert queue.account.last_error == "refused 1: bad"


def test_an_exporter_that_raises_does_not_end_the_worker(
    make: Callable[..., Queue], caplog: pytest.LogCaptureFixture
) -> None:
    def answer(batch: Batch) -> Answer:
        if len(exporter.asked) == 1:
            raise OSError("unforeseen")
        return SENT

    exporter = Scripted(answer)
    queue = make(exporter)
    queue.put(1)
    flush(queue)
    assert "failed unexpectedly" in caplog.text
    flush(queue)
    assert queue.counts().sent == 1


def test_a_closed_queue_counts_the_unsent_and_takes_nothing_more(
    make: Callable[..., Queue],
) -> None:
    queue = make(Scripted(lambda batch: RETRY), batch_size=2)
    for number in range(5):
        queue.put(number)
    close(queue)
    queue.put(6)
    counts = queue.counts()
    assert (counts.failed, counts.dropped, counts.queued) == (2, 4, 0)


def test_what_is_sent_next_is_looked_up_while_nobody_else_can_take_it(
    make: Callable[..., Queue],
) -> None:
    class Emptied(deque[Batch]):
        """Closed by another thread right after a look at it, if that can be."""

        def __bool__(self) -> bool:
            found = len(self) > 0
            other = threading.Thread(target=self.close)
            other.start()
            other.join()
            return found

        def close(self) -> None:
            if queue.account.lock.acquire(blocking=False):
                self.clear()
                queue.account.lock.release()

    exporter = Scripted()
    queue = make(exporter)
    queue._delivery._pending = Emptied([Batch(1, [1])])
    assert queue._delivery.run()
    assert exporter.asked == [[1]]


def test_an_exporter_that_hangs_holds_nobody_longer_than_asked(
    make: Callable[..., Queue],
) -> None:
    hang = threading.Event()

    def answer(batch: Batch) -> Answer:
        hang.wait(30)
        return SENT

    queue = make(Scripted(answer))
    queue.put(1)
    begun = time.monotonic()
    flush(queue, seconds=0.1)
    assert queue.counts().queued == 1
    close(queue, seconds=0.1)
    assert time.monotonic() - begun < 10  # of the 30 that it hangs
    assert queue.counts().failed == 1
    hang.set()
    assert total(queue) == 1  # whatever the late answer is


def test_a_batch_that_is_being_encoded_at_the_end_is_dropped_and_counted_once(
    make: Callable[..., Queue],
) -> None:
    class Slow(Scripted):
        def prepare(self, items: Sequence[Any]) -> tuple[list[Batch], int]:
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
    assert queue.counts() == Counts(dropped=300)
    ended.set()
    assert queue._worker is not None
    queue._worker.join(60)
    assert queue.counts() == Counts(dropped=300)


def test_where_no_thread_can_be_started_the_asker_sends_itself(
    make: Callable[..., Queue], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    queue = make(Scripted())
    queue.put(1)
    begun = time.monotonic()
    flush(queue, seconds=60)
    assert time.monotonic() - begun < 30  # it does not wait for anybody else
    assert queue.counts().sent == 1


def test_trouble_is_one_warning_and_one_line_when_it_is_over(
    make: Callable[..., Queue], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "otelkit")
    exporter = Scripted(lambda batch: RETRY)
    queue = make(exporter)
    for _ in range(5):
        queue.put(1)
        flush(queue)
    assert caplog.messages == [
        "otelkit: http://receiver for traces: nobody there; 1 span waiting, 0 lost"
    ]
    caplog.clear()
    exporter.answer = lambda batch: SENT
    for _ in range(3):
        queue.put(1)
        flush(queue)
    assert caplog.messages == ["otelkit: http://receiver works again; nothing lost"]


def test_signals_to_one_receiver_share_one_warning(
    make: Callable[..., Queue], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "otelkit")
    trouble = Trouble("http://receiver")
    for error, lost in (("gone", 0), ("gone", 5), ("", 7)):
        trouble.report("traces", error, lost=lost, waiting=1)
        trouble.report("logs", error, lost=2 * lost, waiting=1)
    assert caplog.messages == [
        "otelkit: http://receiver for traces: gone; 1 span waiting, 0 lost",
        "otelkit: http://receiver works again; 7 spans, 14 log records lost",
    ]


def test_a_full_queue_is_one_warning_in_a_while_with_a_number_and_what_to_do(
    make: Callable[..., Queue], caplog: pytest.LogCaptureFixture
) -> None:
    answered = threading.Event()
    exporter = Scripted(lambda batch: SENT if answered.wait(30) else RETRY)
    queue = make(exporter, capacity=10, batch_size=10)
    for number in range(10):
        queue.put(number)
    until(lambda: exporter.asked)
    for number in range(15):
        queue.put(number)
    answered.set()
    flush(queue, seconds=30)
    for number in range(15):
        queue.put(number)
    flush(queue, seconds=30)
    assert caplog.messages == [
        "otelkit: the queue of traces to http://receiver is full: 5 spans dropped;"
        " OTEL_BSP_MAX_QUEUE_SIZE is its size"
    ]


def test_a_forked_child_starts_from_nothing(make: Callable[..., Queue]) -> None:
    queue = make(Scripted(lambda batch: RETRY))
    queue.put(1)
    flush(queue)
    queue.reset()
    assert total(queue) == 0
    assert queue.status()["last_error"] is None
    queue.put(2)
    assert total(queue) == 1
