"""The log file."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from otelkit import logs
from otelkit.logs.file import LogFile
from otelkit.logs.quiet import QuietHandler
from tests.logs.conftest import Exported, Stderr


def record(message: str = "x") -> logging.LogRecord:
    return logging.LogRecord("app", logging.INFO, __file__, 1, message, None, None)


def text(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


def test_every_record_is_a_line_of_json(
    exported: Exported, logger: logging.Logger, tmp_path: Path
) -> None:
    file = tmp_path / "app.log"
    assert exported.install(log_format="off", log_file=str(file)) == []
    with exported.tracer.start_as_current_span("work") as span:
        logger.info("größer", extra={"order": 7})
    (line,) = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert (line["message"], line["context"], line["service"]) == ("größer", {"order": 7}, "shop")
    assert line["trace_id"] == f"{span.get_span_context().trace_id:032x}"


def test_a_file_is_continued(exported: Exported, logger: logging.Logger, tmp_path: Path) -> None:
    file = tmp_path / "app.log"
    file.write_text("before\n")
    exported.install(log_file=str(file))
    logger.warning("after")
    assert len(file.read_text().splitlines()) == 2


def test_a_folder_that_does_not_exist_is_a_problem_and_nothing_more(
    exported: Exported, logger: logging.Logger, stderr: Stderr
) -> None:
    (problem,) = exported.install(log_file="/nonexistent/app.log")
    logger.warning("hello")
    assert problem.startswith("OTELKIT_LOG_FILE='/nonexistent/app.log': ")
    assert "No such file" in problem
    assert len(stderr.objects) == 1


def test_a_full_file_is_rotated_and_five_are_kept(tmp_path: Path) -> None:
    handler = LogFile(str(tmp_path / "app.log"), max_bytes=6)
    for number in range(16):
        handler.handle(record(f"{number:02}"))
    handler.close()
    assert text(tmp_path) == {
        "app.log": "14\n15\n",
        "app.log.1": "12\n13\n",
        "app.log.2": "10\n11\n",
        "app.log.3": "08\n09\n",
        "app.log.4": "06\n07\n",
        "app.log.5": "04\n05\n",
    }


def test_a_line_longer_than_a_file_is_written(tmp_path: Path) -> None:
    handler = LogFile(str(tmp_path / "app.log"), max_bytes=6)
    handler.handle(record("longer than six"))
    handler.close()
    assert "longer than six\n" in text(tmp_path).values()


def test_a_second_process_follows_the_first_ones_rotation(tmp_path: Path) -> None:
    path = str(tmp_path / "app.log")
    first, second = LogFile(path, max_bytes=6), LogFile(path, max_bytes=6)
    for message in ("1", "2", "3"):
        first.handle(record(message))
    first.handle(record("4"))  # rotates
    second.handle(record("5"))  # finds its file full, and moved
    for handler in (first, second):
        handler.close()
    assert text(tmp_path) == {"app.log": "4\n5\n", "app.log.1": "1\n2\n3\n"}


def test_a_file_that_was_moved_away_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = LogFile(str(tmp_path / "app.log"))
    handler.handle(record("before"))
    (tmp_path / "app.log").rename(tmp_path / "moved.log")
    monkeypatch.setattr("time.monotonic", lambda: float("inf"))  # time to look again
    handler.handle(record("after"))
    handler.close()
    assert text(tmp_path) == {"app.log": "after\n", "moved.log": "before\n"}


WRITER = """
import logging, sys
from otelkit.logs.file import LogFile
handler = LogFile(sys.argv[1], max_bytes=20_000)
for number in range(300):
    message = f"{sys.argv[2]}-{number:03} " + "x" * 200
    handler.handle(logging.LogRecord("app", 20, "", 1, message, None, None))
"""


def test_processes_write_one_file_without_losing_or_mixing_lines(tmp_path: Path) -> None:
    path = str(tmp_path / "app.log")
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, path, name]) for name in ("a", "b")]
    assert [writer.wait(20) for writer in writers] == [0, 0]
    # 600 lines of 207 bytes would fill seven files: six are kept, each as full as it can be.
    lines = [line for content in text(tmp_path).values() for line in content.splitlines()]
    assert {len(line) for line in lines} == {206}
    assert len(set(lines)) == len(lines)
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert sorted(sizes) == ["app.log", *(f"app.log.{n}" for n in range(1, 6))]
    assert all(size > 19_500 for name, size in sizes.items() if name != "app.log")


def test_a_full_disk_is_one_warning(
    exported: Exported, logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    exported.install(log_format="off", log_file="/dev/full")
    logging.root.addHandler(caplog.handler)
    logger.warning("one")
    logger.warning("two")
    assert [r.getMessage() for r in caplog.records if r.name == "otelkit"] == [
        "otelkit: a log record could not be written to /dev/full (OSError); "
        "further ones are only counted"
    ]


def test_the_file_is_closed_with_uninstall(exported: Exported, tmp_path: Path) -> None:
    exported.install(log_file=str(tmp_path / "app.log"))
    logs.uninstall()
    assert not [h for h in logging.root.handlers if isinstance(h, QuietHandler)]
