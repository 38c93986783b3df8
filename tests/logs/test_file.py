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


FORKS = """
import logging, os, sys
from otelkit.logs import file
file.KEPT = 1_000
handler = file.LogFile(sys.argv[1], max_bytes=1_000)
children = []
for name in "abcd":
    child = os.fork()
    if child == 0:
        for number in range(100):
            message = f"{name}-{number:03} " + "x" * 200
            handler.handle(logging.LogRecord("app", 20, "", 1, message, None, None))
        os._exit(handler.failed)
    children.append(child)
sys.exit(sum(os.waitpid(child, 0)[1] for child in children) > 0)
"""


def test_processes_that_were_forked_with_the_file_lose_no_line(tmp_path: Path) -> None:
    path = str(tmp_path / "app.log")
    subprocess.run([sys.executable, "-c", FORKS, path], check=True, timeout=60)
    lines = [line for content in text(tmp_path).values() for line in content.splitlines()]
    assert sorted(line[:5] for line in lines) == sorted(
        f"{name}-{number:03}" for name in "abcd" for number in range(100)
    )


def test_a_file_that_cannot_be_rotated_grows_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refused(_source: str, _target: str) -> None:
        raise PermissionError(13, "Permission denied")  # as in a folder of somebody else's

    monkeypatch.setattr("os.replace", refused)
    logging.root.addHandler(caplog.handler)
    handler = LogFile(str(tmp_path / "app.log"), max_bytes=6)
    for number in range(5):
        handler.handle(record(f"{number}"))
    handler.close()
    assert text(tmp_path) == {"app.log": "0\n1\n2\n3\n4\n"}
    assert [r.getMessage() for r in caplog.records if r.name == "otelkit"] == [
        f"otelkit: {tmp_path / 'app.log'} cannot be rotated (Permission denied); it grows on"
    ]


def test_a_line_after_a_torn_one_is_a_line_of_its_own(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")  # a disk that is full for a while
    handler = LogFile(str(tmp_path / "app.log"))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler.handle(record("first"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        handler.handle(record("torn"))
        handler.handle(record("not written"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    handler.handle(record("whole"))
    handler.close()
    assert text(tmp_path) == {"app.log": "first\ntorn\nwhole\n"}
    assert handler.failed == 2


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    script = """
import logging
from otelkit.logs.file import LogFile
handler = LogFile("/dev/stdout", max_bytes=4)
for message in ("one", "two"):
    handler.handle(logging.LogRecord("app", 20, "", 1, message, None, None))
"""
    command = [sys.executable, "-c", script]
    run = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert (run.stdout, run.stderr) == (b"one\ntwo\n", b"")
