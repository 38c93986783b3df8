"""loguru: its records in OTLP and in the file, its own sinks as they were."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from loguru import logger as loguru_logger

from otelkit import logs
from otelkit.context import bind
from tests.logs.conftest import Exported, Stderr


@pytest.fixture
def sink() -> Iterator[list[str]]:
    """The application's own sink, and nothing else."""
    lines: list[str] = []
    loguru_logger.remove()
    loguru_logger.add(lambda message: lines.append(str(message)), format="mine {message}")
    yield lines
    loguru_logger.remove()
    loguru_logger.configure(extra={}, patcher=None)


def test_a_record_is_once_in_otlp_and_in_the_applications_sink(
    exported: Exported, sink: list[str]
) -> None:
    exported.install(log_format="off")
    with exported.tracer.start_as_current_span("work") as span, bind(user_id="u1"):
        loguru_logger.warning("paid {}", 7)
    (record,) = exported.records
    sent = record.log_record
    assert sent.body == "paid 7"
    assert sent.severity_text == "WARN"
    assert sent.trace_id == span.get_span_context().trace_id
    assert record.instrumentation_scope is not None
    assert record.instrumentation_scope.name == __name__
    attributes = exported.attributes()
    assert attributes["user.id"] == "u1"
    assert attributes["code.file.path"] == __file__
    assert attributes["code.function.name"].startswith("test_a_record_is_once")
    assert sink == ["mine paid 7\n"]


def test_bound_fields_are_attributes_of_their_own(exported: Exported, sink: list[str]) -> None:
    exported.install(log_format="off")
    with loguru_logger.contextualize(task="t1"):
        loguru_logger.bind(order=7, nested={"a": [1]}).info("paid {amount}", amount=1.5)
    attributes = exported.attributes()
    assert attributes["order"] == 7
    assert attributes["amount"] == 1.5
    assert attributes["task"] == "t1"
    assert attributes["nested"] == {"a": (1,)}


def test_fields_may_have_the_names_of_record_attributes(
    exported: Exported, sink: list[str]
) -> None:
    exported.install(log_format="off")
    loguru_logger.bind(message="m", name="n", args="a").info("x")
    attributes = exported.attributes()
    assert [attributes[key] for key in ("message", "name", "args")] == ["m", "n", "a"]


def test_exceptions_are_attributes(exported: Exported, sink: list[str]) -> None:
    exported.install(log_format="off")
    with loguru_logger.catch(message="failed"):
        raise LookupError("no such order")
    attributes = exported.attributes()
    assert attributes["exception.type"] == "LookupError"
    assert attributes["exception.message"] == "no such order"
    assert "test_exceptions_are_attributes" in attributes["exception.stacktrace"]


def test_loguru_levels_keep_their_names(exported: Exported, sink: list[str]) -> None:
    exported.install(log_format="off", log_level="DEBUG")
    loguru_logger.success("done")
    (record,) = exported.records
    assert record.log_record.severity_text == "SUCCESS"
    assert record.log_record.severity_number is not None
    assert record.log_record.severity_number.name == "INFO4"


def test_levels_hold_for_loguru_too(exported: Exported, sink: list[str]) -> None:
    exported.install(log_format="off", log_level="WARNING", log_levels={"tests.logs": "DEBUG"})
    loguru_logger.debug("of this module")
    loguru_logger.patch(lambda record: record.update(name="other")).info("of another")
    assert exported.bodies == ["of this module"]


def test_an_enqueued_sink_does_not_take_the_trace_away(exported: Exported) -> None:
    loguru_logger.remove()
    lines: list[str] = []
    loguru_logger.add(lambda message: lines.append(str(message)), format="{message}", enqueue=True)
    exported.install(log_format="off")
    with exported.tracer.start_as_current_span("work") as span:
        loguru_logger.info("queued")
    loguru_logger.complete()
    loguru_logger.remove()
    assert [r.log_record.trace_id for r in exported.records] == [span.get_span_context().trace_id]
    assert lines == ["queued\n"]


def test_the_application_may_configure_its_sinks_after_setup(exported: Exported) -> None:
    exported.install(log_format="off")
    lines: list[str] = []
    loguru_logger.remove()
    loguru_logger.configure(
        handlers=[{"sink": lambda message: lines.append(str(message)), "format": "{message}"}]
    )
    loguru_logger.info("after")
    assert (exported.bodies, lines) == (["after"], ["after\n"])
    loguru_logger.remove()


def test_uninstall_takes_only_our_sink_away(exported: Exported, sink: list[str]) -> None:
    before = repr(loguru_logger), type(loguru_logger).remove
    exported.install(log_format="off")
    logs.uninstall()
    assert (repr(loguru_logger), type(loguru_logger).remove) == before


def test_the_console_is_loguru_s_where_it_has_a_sink_there(
    exported: Exported, stderr: Stderr
) -> None:
    loguru_logger.remove()
    stderr.name = "<stderr>"
    loguru_logger.add(stderr, format="mine {message}", colorize=False)  # type: ignore[arg-type]
    exported.install()
    loguru_logger.info("hello")
    loguru_logger.remove()
    assert stderr.lines == ["mine hello"]


def test_the_console_is_ours_where_loguru_has_none(
    exported: Exported, stderr: Stderr, sink: list[str]
) -> None:
    exported.install()
    loguru_logger.bind(order=7).info("hello")
    (line,) = stderr.objects
    assert (line["message"], line["context"]) == ("hello", {"order": 7})


DEFAULT_SINK = """
from loguru import logger
from otelkit import logs
from otelkit.settings import Settings

logs.install(Settings.from_env({}, log_format="json"), None)
logger.info("first, token=abc123secret")
logger.remove()
logger.info("second, token=abc123secret")
"""


def test_loguru_s_default_sink_stays_until_the_application_removes_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", DEFAULT_SINK],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    first, second = done.stderr.splitlines()
    assert first.endswith(" - first, token=abc123secret")
    assert json.loads(second)["message"] == "second, token=[redacted]"


def test_the_file_has_records_of_both_libraries(
    exported: Exported, sink: list[str], tmp_path: Path, logger: logging.Logger
) -> None:
    exported.install(log_format="off", log_file=str(tmp_path / "app.log"))
    logger.warning("standard")
    loguru_logger.warning("loguru")
    lines = [json.loads(line) for line in (tmp_path / "app.log").read_text().splitlines()]
    assert [line["message"] for line in lines] == ["standard", "loguru"]
    assert lines[0].keys() == lines[1].keys()


class Intercept(logging.Handler):
    """The standard library's records to loguru, as loguru's documentation has it."""

    def emit(self, record: logging.LogRecord) -> None:
        loguru_logger.opt(depth=6, exception=record.exc_info).log(
            record.levelname, record.getMessage()
        )


def test_standard_records_that_go_on_to_loguru_are_exported_once(
    exported: Exported, sink: list[str], logger: logging.Logger
) -> None:
    logging.basicConfig(handlers=[Intercept()], level=0)
    exported.install()
    logger.warning("once %s", "only")
    loguru_logger.info("and this")
    assert exported.bodies == ["once only", "and this"]
    assert sink == ["mine once only\n", "mine and this\n"]


class Propagate(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        logging.getLogger(record.name).handle(record)


def test_loguru_records_that_go_on_to_the_standard_library_are_exported_once(
    exported: Exported,
) -> None:
    loguru_logger.remove()
    loguru_logger.add(Propagate(), format="{message}")
    exported.install(log_format="off")
    loguru_logger.bind(order=7).info("once")
    loguru_logger.remove()
    assert exported.bodies == ["once"]
    assert exported.attributes()["order"] == 7


def test_threads_lose_no_record(exported: Exported, sink: list[str]) -> None:
    exported.install(log_format="off")
    threads = [
        threading.Thread(target=lambda: [loguru_logger.info("x") for _ in range(50)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(exported.bodies) == 400


def test_the_rate_limit_holds(exported: Exported, sink: list[str]) -> None:
    exported.install(log_format="off", log_rate_limit=1)
    for _ in range(3):
        loguru_logger.info("again")
    assert exported.bodies == ["again"]


class FailingRepr:
    def __repr__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize("value", [FailingRepr(), "\udc80", b"\xff", 2**70, "x" * 10_000_000])
def test_hostile_fields_lose_no_record(
    exported: Exported, sink: list[str], tmp_path: Path, value: Any
) -> None:
    exported.install(log_format="off", log_file=str(tmp_path / "app.log"))
    loguru_logger.bind(value=value).info("here")
    (line,) = (tmp_path / "app.log").read_text().splitlines()
    assert json.loads(line)["message"] == "here"
    assert exported.bodies == ["here"]


IMPORTED_LATER = """
import sys
from otelkit import logs
from otelkit.settings import Settings
logs.install(Settings.from_env({}, log_format="off", log_file=sys.argv[1]), None)
assert "loguru" not in sys.modules
from loguru import logger
logger.info("later")
logs.uninstall()
logger.info("not this")
logs.install(Settings.from_env({}, log_format="off", log_file=sys.argv[1]), None)
logger.info("again")
"""


def test_loguru_is_served_when_it_is_imported_after_setup(tmp_path: Path) -> None:
    file = tmp_path / "app.log"
    subprocess.run([sys.executable, "-c", IMPORTED_LATER, str(file)], check=True, timeout=30)
    lines = file.read_text().splitlines()
    assert [json.loads(line)["message"] for line in lines] == ["later", "again"]


def test_a_copy_of_the_logger_is_served_too(exported: Exported, sink: list[str]) -> None:
    exported.install(log_format="off")
    loguru_logger.remove()
    copied = copy.deepcopy(loguru_logger)
    copied.add(sink.append, format="copy {message}")
    copied.info("hello")
    assert exported.bodies == ["hello"]
    assert sink == ["copy hello\n"]


def test_a_logger_goes_to_another_process_without_our_sink(
    exported: Exported, sink: list[str]
) -> None:
    exported.install(log_format="off")
    loguru_logger.remove()
    pickle.loads(pickle.dumps(loguru_logger)).info("there")
    assert exported.bodies == []
