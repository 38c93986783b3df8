"""What is kept, for how long, and where."""

from __future__ import annotations

import sqlite3
import stat
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from otelkit.errors import ConfigError
from otelkit.viewer import Limits, Store, Viewer

from .client import post, span, traces

RECORD: dict[str, Any] = {
    "trace_id": "a" * 32,
    "span_id": "b" * 16,
    "parent_id": None,
    "name": "work",
    "service": "shop",
    "start_unix_nano": 1,
    "end_unix_nano": 2,
    "status": {"code": "UNSET", "message": ""},
    "attributes": {},
}


def records(*numbers: int, **values: Any) -> list[dict[str, Any]]:
    return [RECORD | {"span_id": f"{number:016x}", **values} for number in numbers]


def kept(of: Store) -> list[int]:
    return [int(record["span_id"], 16) for record in of.spans()]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    return now


def test_the_oldest_go_when_there_are_too_many() -> None:
    small = Store(limits=Limits(items=3))
    small.add("traces", records(1, 2))
    small.add("traces", records(3, 4))
    assert kept(small) == [2, 3, 4]
    assert small.stats()["spans"]["dropped"] == 1
    small.close()


def test_the_oldest_go_when_they_take_too_much() -> None:
    small = Store(limits=Limits(bytes=10_000))
    for number in range(1, 6):
        small.add("traces", records(number, name="x" * 3000))
    assert kept(small) == [4, 5]
    assert small.stats()["spans"]["bytes"] <= 10_000
    small.close()


def test_the_oldest_go_when_they_are_too_old(clock: list[float]) -> None:
    small = Store(limits=Limits(age=60.0))
    small.add("traces", records(1))
    clock[0] += 50
    small.add("traces", records(2))
    clock[0] += 50
    small.add("logs", [])
    assert kept(small) == [2]
    small.close()


def test_a_metric_series_that_is_still_written_is_not_the_oldest() -> None:
    small = Store(limits=Limits(items=2))
    point = {"service": "s", "resource": {}, "scope": {"name": ""}, "type": "gauge"}
    for name, value in (("a", 1), ("b", 1), ("a", 2), ("c", 1)):
        small.add("metrics", [point | {"name": name, "attributes": {}, "value": value}])
    assert [(p["name"], p["value"]) for p in small.metrics()] == [("a", 2), ("c", 1)]
    small.close()


def test_a_file_keeps_everything_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "telemetry.db"
    for number in (1, 2):
        with Viewer(port=0, db=str(path)) as viewer:
            post(viewer, "traces", traces(span(number)))
            files = list(tmp_path.iterdir())
            assert path in files
            assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    with Viewer(port=0, db=str(path)) as viewer:
        assert kept(viewer.store) == [1, 2]
        assert viewer.store.stats()["spans"]["received"] == 0


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not a database, and long enough to look at" * 100)
    foreign = tmp_path / "app.db"
    connection = sqlite3.connect(foreign)
    connection.execute("CREATE TABLE users (id)")
    connection.commit()
    connection.close()
    before = foreign.read_bytes()

    for path in (text, foreign, tmp_path, tmp_path / "missing" / "x.db"):
        with pytest.raises(ConfigError, match=path.name):
            Store(str(path))
    assert text.read_text().startswith("not a database")
    assert foreign.read_bytes() == before


def test_many_threads_write_and_read_at_once(viewer: Viewer) -> None:
    failures: list[BaseException] = []

    def work(first: int) -> None:
        try:
            for number in range(first, first + 20):
                assert post(viewer, "traces", traces(span(number))).status == 200
                viewer.store.traces(text="work")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(1 + 100 * index,)) for index in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(viewer.store.spans()) == 120


def test_a_database_that_fails_is_503_and_the_batch_is_not_half_there(viewer: Viewer) -> None:
    with viewer.store._changed:
        viewer.store._connection.execute(
            "CREATE TRIGGER full BEFORE INSERT ON spans WHEN NEW.name = 'last'"
            " BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
        )
    answer = post(viewer, "traces", traces(span(1), span(2, "last")))
    assert answer.status == 503
    assert "disk is full" in answer.json["message"]
    assert viewer.store.spans() == []
    assert post(viewer, "traces", traces(span(1))).status == 200
