"""What cannot be sent is on disk, whole, bounded, for one process at a time, and never fatal."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import otelkit.spool
from otelkit.spool import Lane, Spool, files


class Account:
    """Takes what a lane says of its items."""

    def __init__(self) -> None:
        self.delivered = 0
        self.dropped = 0

    def left_disk(self, items: int, delivered: bool) -> None:
        if delivered:
            self.delivered += items
        else:
            self.dropped += items


Make = Callable[..., tuple[Lane, Account]]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def make(name: str = "traces-otlp", limit: int = 1_000_000, spool: Spool | None = None):
        account = Account()
        shared = spool or Spool(str(tmp_path / "spool"), limit)
        return shared.lane(name, account.left_disk), account

    return make


def content(lane: Lane) -> list[tuple[int, bytes]]:
    return [(taken.entry.items, taken.body) for taken in lane.take()]


def stored(tmp_path: Path) -> list[Path]:
    return sorted(path for path in tmp_path.rglob("*") if path.is_file())


def test_batches_come_back_oldest_first_with_their_numbers(make: Make) -> None:
    lane, _ = make()
    assert lane.is_empty()
    assert lane.put(3, b"first")
    assert lane.put(4, b"second")
    assert not lane.is_empty()
    assert content(lane) == [(3, b"first"), (4, b"second")]


def test_a_batch_stays_until_it_is_removed(make: Make) -> None:
    lane, account = make()
    lane.put(3, b"body")
    for taken in lane.take():
        assert lane.owns(taken.entry)
    for taken in lane.take():
        lane.remove(taken.entry)
    assert lane.is_empty()
    assert (account.delivered, account.dropped) == (0, 0)  # whoever removes it knows


def test_files_are_for_this_user_alone(make: Make, tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        lane, _ = make()
        lane.put(1, b"body")
    finally:
        os.umask(previous)
    (file,) = stored(tmp_path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for folder in (file.parent, file.parent.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_another_process_finds_what_this_one_has_left(make: Make) -> None:
    ours, _ = make()
    ours.put(3, b"body")
    theirs, account = make()
    assert content(theirs) == [(3, b"body")]
    for taken in theirs.take():
        assert not theirs.owns(taken.entry)
        theirs.remove(taken.entry)
    assert account.delivered == 0


def test_what_another_process_has_delivered_counts_as_delivered(make: Make) -> None:
    ours, account = make()
    ours.put(3, b"body")
    theirs, _ = make()
    for taken in theirs.take():
        theirs.remove(taken.entry)
    assert content(ours) == []
    assert account.delivered == 3


def test_a_batch_that_one_process_sends_no_other_does(make: Make) -> None:
    ours, _ = make()
    ours.put(1, b"first")
    ours.put(2, b"second")
    theirs, _ = make()
    taking = ours.take()
    assert next(taking).body == b"first"
    assert content(theirs) == [(2, b"second")]
    taking.close()
    assert len(content(theirs)) == 2


def test_many_at_once_take_each_batch_once(make: Make) -> None:
    writer, _ = make()
    for number in range(60):
        writer.put(1, str(number).encode())
    taken: list[bytes] = []

    def work() -> None:
        lane, _ = make()
        while not lane.is_empty():
            for batch in lane.take():
                taken.append(batch.body)
                lane.remove(batch.entry)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken, key=int) == [str(number).encode() for number in range(60)]


def test_a_killed_process_holds_nothing(make: Make) -> None:
    lane, _ = make()
    lane.put(1, b"body")
    pid = os.fork()
    if pid == 0:
        next(lane.take())
        os.kill(os.getpid(), 9)
    os.waitpid(pid, 0)
    assert content(lane) == [(1, b"body")]


def test_a_forked_child_does_not_hold_what_its_parent_was_sending(make: Make) -> None:
    lane, _ = make()
    lane.put(1, b"body")
    taking = lane.take()
    next(taking)
    ready_read, ready_write = os.pipe()
    end_read, end_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        lane.reset()
        os.write(ready_write, b"x")
        os.read(end_read, 1)
        os._exit(0)
    os.read(ready_read, 1)
    taking.close()
    other, _ = make()
    assert content(other) == [(1, b"body")]
    os.write(end_write, b"x")
    os.waitpid(pid, 0)
    for end in (ready_read, ready_write, end_read, end_write):
        os.close(end)


def test_the_oldest_are_dropped_for_room_and_counted(make: Make, tmp_path: Path) -> None:
    size = files.HEADER + 100
    lane, account = make(limit=3 * size)
    for number in range(5):
        assert lane.put(10, str(number).encode() * 100)
    assert [body[:1] for _, body in content(lane)] == [b"2", b"3", b"4"]
    assert account.dropped == 20
    assert sum(path.stat().st_size for path in stored(tmp_path)) <= 3 * size


def test_lanes_share_the_room_and_each_is_told_of_its_own(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(str(tmp_path / "spool"), 2 * (files.HEADER + 100))
    traces, of_traces = make("traces-otlp", spool=spool)
    logs, of_logs = make("logs-otlp", spool=spool)
    traces.put(1, b"x" * 100)
    logs.put(2, b"x" * 100)
    logs.put(4, b"x" * 100)
    assert (of_traces.dropped, of_logs.dropped) == (1, 0)
    others, _ = make(limit=2 * (files.HEADER + 100))
    others.put(8, b"x" * 100)
    assert "2 items of others were dropped" in caplog.text


def test_a_batch_larger_than_all_the_room_is_not_taken(make: Make) -> None:
    lane, _ = make(limit=50)
    assert not lane.put(1, b"x" * 100)
    assert lane.is_empty()


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:5],
        lambda content: content[:-1],
        lambda content: content[:-1] + b"\x00",
        lambda content: b"something else altogether",
    ],
)
def test_a_damaged_file_is_set_aside_and_said(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[bytes], bytes]
) -> None:
    lane, account = make()
    lane.put(3, b"body")
    (file,) = stored(tmp_path)
    file.write_bytes(damage(file.read_bytes()))
    lane.put(4, b"sound")
    assert content(lane) == [(4, b"sound")]
    assert "damaged file" in caplog.text
    assert account.dropped == 3
    assert f"{file.name}.damaged" in {path.name for path in stored(tmp_path)}


def test_files_set_aside_take_part_in_the_limit(make: Make, tmp_path: Path) -> None:
    size = files.HEADER + 100
    lane, _ = make(limit=2 * size)
    lane.put(1, b"x" * 100)
    (file,) = stored(tmp_path)
    file.rename(f"{file}.damaged")
    lane.put(1, b"x" * 100)
    lane.put(1, b"x" * 100)
    assert len(stored(tmp_path)) == 2


def test_what_a_killed_process_has_left_half_written_goes(make: Make, tmp_path: Path) -> None:
    lane, _ = make()
    lane.put(1, b"body")
    old, fresh = (stored(tmp_path)[0].with_name(f"{name}.part") for name in ("old", "fresh"))
    for part in (old, fresh):
        part.write_bytes(b"half of a bo")
    os.utime(old, (0, 0))
    lane.put(1, b"body")
    assert fresh.exists()
    assert not old.exists()
    assert len(content(lane)) == 2


def test_what_is_no_batch_is_left_alone(make: Make, tmp_path: Path) -> None:
    lane, _ = make()
    lane.put(1, b"body")
    stranger = stored(tmp_path)[0].with_name("notes.txt")
    stranger.write_text("hello")
    assert len(content(lane)) == 1
    assert stranger.exists()


def test_a_disk_that_cannot_be_written_is_one_warning_and_no_error(
    make: Make,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "spool").write_text("a file, not a folder")
    lane, _ = make()
    assert not lane.put(1, b"body")
    assert not lane.put(1, b"body")
    assert len(caplog.records) == 1
    assert "OTELKIT_SPOOL_DIR=" in caplog.text
    assert "using memory instead" in caplog.text
    (tmp_path / "spool").unlink()
    assert not lane.put(1, b"body")  # it rests for a while
    monkeypatch.setattr(otelkit.spool, "REST", 0.0)
    lane._spool.failed(OSError("full"))
    assert lane.put(1, b"body")


def test_a_folder_that_cannot_be_read_is_one_warning_and_loses_count_of_nothing(
    make: Make, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(folder: Path) -> None:
        raise OSError(5, "Input/output error")

    lane, account = make()
    lane.put(3, b"body")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "iterdir", fails)
        assert lane.is_empty()
        assert content(lane) == []
    assert len(caplog.records) == 1
    assert "Input/output error" in caplog.text
    assert (account.delivered, account.dropped) == (0, 0)
    assert content(lane) == [(3, b"body")]


@pytest.mark.parametrize("folder", ["{there}/new/deep", "{there}"])
def test_a_folder_that_can_be_used_is_not_made_for_that(folder: str, tmp_path: Path) -> None:
    assert files.obstacle(folder.format(there=tmp_path)) == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", ["/dev/null", "/dev/null/x", "/proc/x/y", "{there}/file"])
def test_what_stands_in_the_way_of_a_folder_is_said(folder: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be written" in files.obstacle(folder.format(there=tmp_path))


def test_a_full_disk_leaves_no_part_of_a_file(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: int) -> None:
        raise OSError(28, "No space left on device")

    lane, _ = make()
    monkeypatch.setattr(os, "fsync", full)
    assert not lane.put(1, b"body")
    assert stored(tmp_path) == []


def test_only_the_newest_of_this_process_is_kept_where_it_says_everything(make: Make) -> None:
    theirs, _ = make()
    theirs.put(1, b"of another process")
    lane, account = make()
    lane.put(5, b"old")
    lane.discard()
    lane.put(5, b"new")
    assert content(lane) == [(1, b"of another process"), (5, b"new")]
    assert account.dropped == 5
