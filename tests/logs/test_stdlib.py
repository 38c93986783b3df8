"""The standard library's logging: each record once in each output, whatever the configuration."""

from __future__ import annotations

import contextvars
import io
import logging
import logging.config
import logging.handlers
import os
import queue
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.instrumentation.logging.handler import LoggingHandler

from otelkit import logs
from otelkit.logs import correlation
from otelkit.settings import Settings
from tests.logs.conftest import Exported, Stderr


def state() -> dict[str, Any]:
    return {
        "methods": {
            name: getattr(logging.Logger, name)
            for name in ("callHandlers", "makeRecord", "addHandler", "setLevel")
        },
        "handlers": list(logging.root.handlers),
        "formatters": [handler.formatter for handler in logging.root.handlers],
        "levels": (logging.root.level, logging.getLogger("app.sql").level),
    }


def test_uninstall_leaves_everything_as_it_was(exported: Exported, stderr: Stderr) -> None:
    logging.root.addHandler(logging.StreamHandler(stderr))
    before = state()
    exported.install(log_format="json", log_level="DEBUG", log_levels={"app.sql": "ERROR"})
    assert state() != before
    logs.uninstall()
    assert state() == before


def test_a_second_install_changes_nothing(exported: Exported, logger: logging.Logger) -> None:
    exported.install()
    installed = state()
    assert exported.install(log_level="DEBUG") == []
    assert state() == installed
    logger.warning("once")
    assert exported.bodies == ["once"]


def test_uninstall_respects_who_wrapped_in_the_meantime(
    exported: Exported, logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported.install()
    ours = logging.Logger.callHandlers
    seen: list[str] = []

    def wrapped(self: logging.Logger, record: logging.LogRecord) -> None:
        seen.append(record.getMessage())
        ours(self, record)

    monkeypatch.setattr(logging.Logger, "callHandlers", wrapped)
    logs.uninstall()
    logger.warning("later")
    assert seen == ["later"]
    assert exported.bodies == []
    monkeypatch.setattr(logging.Logger, "callHandlers", ours.__closure__[1].cell_contents)  # type: ignore[index]


# --- The console --------------------------------------------------------------------------------


def test_a_console_handler_is_added_where_the_root_logger_has_none(
    exported: Exported, stderr: Stderr, logger: logging.Logger
) -> None:
    exported.install()
    logger.info("hello")
    assert [line["message"] for line in stderr.objects] == ["hello"]


def test_an_applications_own_console_is_left_alone(
    exported: Exported, stderr: Stderr, logger: logging.Logger
) -> None:
    logging.basicConfig(format="mine %(message)s", stream=stderr)
    exported.install()
    logger.warning("hello")
    assert stderr.lines == ["mine hello"]
    assert exported.bodies == ["hello"]


def test_format_off_leaves_the_console_alone(
    exported: Exported, stderr: Stderr, logger: logging.Logger
) -> None:
    exported.install(log_format="off")
    logger.info("hello")
    logger.warning("Python's last resort")
    assert stderr.lines == ["Python's last resort"]
    assert exported.bodies == ["hello", "Python's last resort"]


def test_a_format_that_is_given_applies_to_the_applications_console(
    exported: Exported, stderr: Stderr, logger: logging.Logger
) -> None:
    logging.basicConfig(format="mine %(message)s", stream=stderr)
    exported.install(log_format="json")
    logger.warning("hello")
    assert [line["message"] for line in stderr.objects] == ["hello"]


def test_a_format_does_not_touch_files_and_other_streams(
    exported: Exported, logger: logging.Logger, stderr: Stderr
) -> None:
    elsewhere = io.StringIO()
    logging.basicConfig(format="mine %(message)s", stream=elsewhere)
    exported.install(log_format="json")
    logger.warning("hello")
    assert elsewhere.getvalue() == "mine hello\n"
    assert [line["message"] for line in stderr.objects] == ["hello"]


def test_a_record_is_on_the_console_once_though_its_logger_has_a_handler(
    exported: Exported, stderr: Stderr, logger: logging.Logger
) -> None:
    logger.addHandler(logging.StreamHandler(stderr))
    exported.install(log_format="json")
    logger.warning("hello")
    assert [line["message"] for line in stderr.objects] == ["hello"]


def test_a_handler_added_later_takes_over_the_console(
    exported: Exported, stderr: Stderr, logger: logging.Logger
) -> None:
    exported.install()
    logging.root.addHandler(logging.StreamHandler(stderr))
    logger.warning("hello")
    assert stderr.lines == ["hello"]


def test_a_closed_or_missing_console_does_not_matter(
    exported: Exported, logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = io.StringIO()
    closed.close()
    exported.install()
    monkeypatch.setattr(sys, "stderr", closed)
    logger.warning("closed")
    monkeypatch.setattr(sys, "stderr", None)
    logger.warning("missing")
    assert [body for body in exported.bodies if "console" not in body] == ["closed", "missing"]


# --- Levels -------------------------------------------------------------------------------------


def test_the_root_level_is_set(exported: Exported, logger: logging.Logger) -> None:
    exported.install(log_level="ERROR")
    logger.warning("not this")
    logger.error("this")
    assert exported.bodies == ["this"]


def test_levels_per_logger_outlive_what_a_server_configures(
    exported: Exported, logger: logging.Logger
) -> None:
    exported.install(log_levels={"services": "DEBUG", "uvicorn.access": "WARNING"})
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "loggers": {"uvicorn.access": {"level": "INFO"}},
        }
    )
    logger.debug("fine")
    logging.getLogger("uvicorn.access").info("too much")
    assert exported.bodies == ["fine"]


@pytest.mark.parametrize(("log_format", "printed"), [("off", 2), ("json", 0)])
def test_the_access_record_of_a_probe_that_went_well_is_kept_only_where_the_console_stays(
    exported: Exported, log_format: str, printed: int
) -> None:
    exported.install(log_format=log_format, log_level="INFO")
    handler = logging.handlers.BufferingHandler(10)
    server = logging.getLogger("uvicorn.access")
    server.addHandler(handler)

    def say(*, status: object) -> None:
        server.info('%s - "%s %s HTTP/%s" %s', "10.0.0.1:5", "GET", "/health", "1.1", status)

    def probe() -> None:
        correlation.leave_out({})
        say(status=200)
        say(status=307)
        say(status=503)
        say(status="?")
        server.info("words")

    contextvars.copy_context().run(probe)
    say(status=200)
    server.removeHandler(handler)
    told = ['10.0.0.1:5 - "GET /health HTTP/1.1" 503', '10.0.0.1:5 - "GET /health HTTP/1.1" ?']
    assert exported.bodies == [*told, "words", '10.0.0.1:5 - "GET /health HTTP/1.1" 200']
    assert len(handler.buffer) == len(exported.bodies) + printed


# --- Configured after setup ---------------------------------------------------------------------


def plain_config(**more: Any) -> dict[str, Any]:
    return {"version": 1, "disable_existing_loggers": False, **more}


CONSOLE = {
    "formatters": {"mine": {"format": "mine %(message)s"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "mine",
            "stream": "ext://sys.stderr",
        }
    },
    "root": {"level": "INFO", "handlers": ["console"]},
}


def test_dictconfig_without_handlers_keeps_every_output(
    exported: Exported, stderr: Stderr, logger: logging.Logger
) -> None:
    exported.install()
    logging.config.dictConfig(plain_config(root={"level": "INFO", "handlers": []}))
    logger.info("after")
    assert exported.bodies == ["after"]
    assert [line["message"] for line in stderr.objects] == ["after"]


def test_dictconfig_with_a_console_of_its_own_is_the_applications_choice(
    exported: Exported, stderr: Stderr, logger: logging.Logger
) -> None:
    exported.install()
    logging.config.dictConfig(plain_config(**CONSOLE))
    logger.info("after")
    assert exported.bodies == ["after"]
    assert stderr.lines == ["mine after"]


def test_a_given_format_outlives_dictconfig(
    exported: Exported, stderr: Stderr, logger: logging.Logger
) -> None:
    exported.install(log_format="json")
    logging.config.dictConfig(plain_config(**CONSOLE))
    logger.info("after")
    assert exported.bodies == ["after"]
    assert [line["message"] for line in stderr.objects] == ["after"]


def test_basicconfig_with_force_keeps_every_output(
    exported: Exported, stderr: Stderr, logger: logging.Logger
) -> None:
    exported.install(log_format="json")
    logging.basicConfig(force=True, level="INFO", stream=stderr)
    logger.info("after")
    assert exported.bodies == ["after"]
    assert [line["message"] for line in stderr.objects] == ["after"]


def test_basicconfig_with_force_keeps_otlp_beside_the_applications_format(
    exported: Exported, stderr: Stderr, logger: logging.Logger
) -> None:
    exported.install()
    logging.basicConfig(force=True, level="INFO", format="mine %(message)s", stream=stderr)
    logger.info("after")
    assert (exported.bodies, stderr.lines) == (["after"], ["mine after"])


def test_loggers_that_the_application_disables_stay_disabled_and_are_named(
    exported: Exported, logger: logging.Logger, stderr: Stderr
) -> None:
    exported.install()
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": True})
    disabled = logs.disabled_loggers()
    try:
        logger.error("nowhere")
        assert "services.processing" in disabled
        assert exported.bodies == []
        assert stderr.lines == []
    finally:
        for name in disabled:
            logging.getLogger(name).disabled = False


def test_a_logger_that_the_application_cut_off_stays_silent(
    exported: Exported, logger: logging.Logger
) -> None:
    exported.install()
    logger.propagate = False
    logger.addHandler(logging.NullHandler())
    logger.error("nowhere")
    assert exported.bodies == []


def test_a_logger_that_does_not_propagate_but_writes_somewhere_is_exported(
    exported: Exported, logger: logging.Logger
) -> None:
    exported.install()
    own = io.StringIO()
    logger.propagate = False
    logger.addHandler(logging.StreamHandler(own))
    logger.error("somewhere")
    assert (exported.bodies, own.getvalue()) == (["somewhere"], "somewhere\n")


# --- Once ---------------------------------------------------------------------------------------


def test_the_packaged_handler_is_replaced_while_ours_is_there(exported: Exported) -> None:
    packaged = LoggingHandler(logger_provider=exported.provider)
    logging.root.addHandler(packaged)
    exported.install()
    logging.getLogger("app").warning("once")
    assert exported.bodies == ["once"]
    logs.uninstall()
    assert logging.root.handlers == [packaged]


def test_a_record_that_a_queue_hands_on_is_exported_once_with_the_trace_of_its_call(
    exported: Exported, stderr: Stderr, logger: logging.Logger
) -> None:
    exported.install(log_format="json")
    records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    logger.addHandler(logging.handlers.QueueHandler(records))
    logger.propagate = False
    with exported.tracer.start_as_current_span("work") as span:
        logger.warning("queued")
    logging.getLogger("elsewhere").handle(records.get_nowait())
    assert exported.bodies == ["queued"]
    (line,) = stderr.objects
    assert line["trace_id"] == f"{span.get_span_context().trace_id:032x}"


def test_threads_lose_no_record(exported: Exported, logger: logging.Logger) -> None:
    exported.install(log_format="off")
    threads = [
        threading.Thread(target=lambda: [logger.info("x") for _ in range(100)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(exported.bodies) == 800


def test_a_child_forked_while_threads_log_goes_on_logging(
    logger: logging.Logger, tmp_path: Path
) -> None:
    file = tmp_path / "app.log"
    settings = {"log_format": "off", "log_file": str(file), "log_rate_limit": 10**6}
    logs.install(Settings.from_env({}, **settings), None)
    stop = threading.Event()

    def chat() -> None:
        while not stop.is_set():
            logger.info("parent")

    threads = [threading.Thread(target=chat) for _ in range(4)]
    for thread in threads:
        thread.start()
    statuses = []
    for _ in range(10):
        pid = os.fork()
        if pid == 0:  # pragma: no cover
            signal.alarm(10)
            worker = threading.Thread(target=logger.info, args=("child",))
            worker.start()
            worker.join()
            os._exit(0)
        statuses.append(os.waitpid(pid, 0)[1])
    stop.set()
    for thread in threads:
        thread.join()
    assert statuses == [0] * 10
    assert file.read_text().count('"message":"child"') == 10


def test_uvicorns_coloured_message_is_no_field(exported: Exported, logger: logging.Logger) -> None:
    exported.install()
    logger.warning("started", extra={"color_message": "\x1b[36mstarted", "port": 8000})
    attributes = exported.attributes()
    assert attributes["port"] == 8000
    assert "color_message" not in attributes
