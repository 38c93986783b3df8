"""What a record is in OTLP."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import pytest
from opentelemetry._logs import LoggerProvider, SeverityNumber
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.instrumentation.threading import ThreadingInstrumentor
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk._logs import LogRecordProcessor, ReadWriteLogRecord

from otelkit import logs
from otelkit.context import bind
from otelkit.logs.entry import severity
from otelkit.settings import Settings
from tests.logs.conftest import Exported


def test_a_record_has_body_severity_scope_and_source(
    installed: Exported, logger: logging.Logger
) -> None:
    logger.warning("paid %d", 7)
    (record,) = installed.records
    sent = record.log_record
    assert sent.body == "paid 7"
    assert (sent.severity_number, sent.severity_text) == (SeverityNumber.WARN, "WARN")
    assert record.instrumentation_scope is not None
    assert record.instrumentation_scope.name == "services.processing"
    attributes = installed.attributes()
    assert attributes["code.file.path"] == __file__
    assert attributes["code.function.name"] == "test_a_record_has_body_severity_scope_and_source"
    assert isinstance(attributes["code.line.number"], int)


def test_attributes_have_the_names_of_the_packaged_handler(
    installed: Exported, logger: logging.Logger
) -> None:
    other = Exported()
    logger.addHandler(LoggingHandler(logger_provider=other.provider, log_code_attributes=True))
    try:
        raise ValueError("bad")
    except ValueError:
        logger.exception("failed", extra={"order": 7})
    assert set(installed.attributes()) == set(other.attributes())


@pytest.mark.parametrize(
    ("level", "name"),
    [
        (10, "DEBUG"), (12, "DEBUG3"), (15, "DEBUG4"), (20, "INFO"), (25, "INFO4"), (30, "WARN"),
        (40, "ERROR"), (50, "FATAL"), (51, "FATAL2"), (60, "FATAL4"), (1000, "FATAL4"),
    ],
)  # fmt: skip
def test_severity_numbers_are_those_of_the_packaged_handler(level: int, name: str) -> None:
    assert severity(level) is SeverityNumber[name]


def test_levels_below_debug_are_traces() -> None:
    assert severity(5) is SeverityNumber.TRACE


def test_extra_fields_keep_their_types(installed: Exported, logger: logging.Logger) -> None:
    extra = {"i": 7, "f": 0.5, "b": True, "s": "x", "l": [1, "2"], "d": {"k": [1.5]}}
    logger.info("typed", extra=extra)
    attributes = installed.attributes()
    assert {key: attributes[key] for key in ("i", "f", "b", "s")} == {
        "i": 7, "f": 0.5, "b": True, "s": "x",
    }  # fmt: skip
    assert list(attributes["l"]) == [1, "2"]
    assert attributes["d"] == {"k": (1.5,)}


def test_an_exception_is_three_attributes(installed: Exported, logger: logging.Logger) -> None:
    try:
        raise asyncio.TimeoutError("too slow")
    except asyncio.TimeoutError:
        logger.exception("failed")
    attributes = installed.attributes()
    assert attributes["exception.type"].endswith("TimeoutError")
    assert attributes["exception.message"] == "too slow"
    assert "test_an_exception_is_three_attributes" in attributes["exception.stacktrace"]


def test_exc_info_outside_of_an_exception_is_harmless(
    installed: Exported, logger: logging.Logger
) -> None:
    logger.error("nothing raised", exc_info=True)
    assert "exception.type" not in installed.attributes()


def test_stack_info_is_kept(installed: Exported, logger: logging.Logger) -> None:
    logger.info("here", stack_info=True)
    assert "test_stack_info_is_kept" in installed.attributes()["stack_info"]


def test_what_is_bound_is_on_every_record(installed: Exported, logger: logging.Logger) -> None:
    with bind(user_id="u1", request_id="r1", tags=["beta"]):
        logger.info("inside")
    attributes = installed.attributes()
    assert attributes["user.id"] == "u1"
    assert attributes["otelkit.request.id"] == "r1"
    assert attributes["otelkit.tags"] == ("beta",)


def test_secrets_are_redacted_in_message_fields_and_exception(
    installed: Exported, logger: logging.Logger
) -> None:
    secret = "hunter2hunter2"
    try:
        raise ValueError(f"password={secret}")
    except ValueError:
        logger.exception(
            "api_key=%s", secret, extra={"password": secret, "nested": {"token": secret}}
        )
    (record,) = installed.records
    body, attributes = record.log_record.body, installed.attributes()
    del attributes["exception.stacktrace"]  # shows the source line, in which the secret is no value
    assert secret not in str(body)
    assert secret not in str(attributes)


# --- The trace ------------------------------------------------------------------------------------


def trace_ids(exported: Exported) -> set[int]:
    return {record.log_record.trace_id or 0 for record in exported.records}


def test_a_record_carries_the_trace_at_the_time_of_the_call(
    installed: Exported, logger: logging.Logger
) -> None:
    with installed.tracer.start_as_current_span("work") as span:
        logger.info("inside")
    (record,) = installed.records
    assert record.log_record.trace_id == span.get_span_context().trace_id
    assert record.log_record.span_id == span.get_span_context().span_id


def test_no_trace_outside_of_spans(installed: Exported, logger: logging.Logger) -> None:
    logger.info("outside")
    assert trace_ids(installed) == {0}


def test_trace_in_exception_handlers_tasks_and_threads(
    installed: Exported, logger: logging.Logger
) -> None:
    async def child() -> None:
        logger.info("in a task")

    async def main() -> None:
        try:
            raise ValueError
        except ValueError:
            logger.exception("in a handler")
        await asyncio.gather(child(), asyncio.to_thread(logger.info, "in to_thread"))
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, logger.info, "in an executor")
        thread = threading.Thread(target=logger.info, args=("in a thread",))
        thread.start()
        thread.join()

    ThreadingInstrumentor().instrument()
    try:
        with installed.tracer.start_as_current_span("work") as span:
            asyncio.run(main())
    finally:
        ThreadingInstrumentor().uninstrument()
    assert {body for body in installed.bodies if str(body).startswith("in ")} == {
        "in a task",
        "in a handler",
        "in to_thread",
        "in an executor",
        "in a thread",
    }
    assert trace_ids(installed) == {span.get_span_context().trace_id}


# --- A guest --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["opentelemetry.sdk._logs", "urllib3.connectionpool", "requests", "hpack.hpack"]
)
def test_the_exporters_own_records_are_not_exported(installed: Exported, name: str) -> None:
    with suppress_instrumentation():  # as batch processors do
        logging.getLogger(name).error("while exporting")
    assert installed.bodies == []


def test_the_applications_own_requests_are_exported(installed: Exported) -> None:
    logging.getLogger("urllib3.connectionpool").warning("Retrying")
    assert installed.bodies == ["Retrying"]


def test_a_name_that_only_begins_alike_is_exported(installed: Exported) -> None:
    logging.getLogger("requestsink").error("mine")
    assert installed.bodies == ["mine"]


class Chatty(LogRecordProcessor):
    """Logs while it is given a record, as an SDK that complains does."""

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        logging.getLogger("chatty").warning("got one")

    def shutdown(self) -> None: ...

    def force_flush(self, timeout_millis: int = 0) -> bool:
        return True


def test_what_is_logged_while_emitting_does_not_come_back(
    installed: Exported, logger: logging.Logger
) -> None:
    installed.provider.add_log_record_processor(Chatty())
    logger.info("one")
    assert installed.bodies == ["one"]


class Broken(LoggerProvider):
    def get_logger(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("broken provider")


def test_a_failing_provider_is_one_warning_and_no_exception(
    logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    logging.root.addHandler(caplog.handler)
    logs.install(Settings.from_env({}, log_format="off"), Broken())
    try:
        logger.warning("one")
        logger.warning("two")
    finally:
        logs.uninstall()
    warnings = [r.getMessage() for r in caplog.records if r.name == "otelkit"]
    assert warnings == [
        "otelkit: a log record could not be written to OTLP (RuntimeError); "
        "further ones are only counted"
    ]


def test_more_fields_than_attributes_allowed_warn_nobody(
    exported: Exported, logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    exported.install(log_format="off", log_attribute_count_limit=10, log_attribute_length_limit=5)
    logging.root.addHandler(caplog.handler)
    logger.warning("many", extra={f"field{n}": "x" * 100 for n in range(500)})
    assert [record.getMessage() for record in caplog.records] == ["many"]
    attributes = exported.attributes()
    assert len(attributes) == 10
    assert attributes["field0"] == "xxxxx"


def test_values_as_long_as_they_may_be_warn_nobody(
    exported: Exported, logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    exported.install(log_format="off")
    logging.root.addHandler(caplog.handler)
    with bind(user_id="u" * 1_000_000, tags=["t" * 1_000_000]):
        try:
            raise ValueError("x" * 100_000)
        except ValueError:
            logger.exception("long", extra={"text": "x" * 100_000, "list": ["x" * 100_000]})
    assert [record.getMessage() for record in caplog.records] == ["long"]
    lengths = [len(str(value)) for value in exported.attributes().values()]
    assert 16_000 < max(lengths) <= 16_384 + len("['']")


def test_without_a_provider_the_console_is_still_formatted(
    logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.install(Settings.from_env({}, log_format="json"), None)
    try:
        logger.warning("hello")
    finally:
        logs.uninstall()
    assert '"message":"hello"' in capsys.readouterr().err
