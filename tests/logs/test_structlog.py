"""structlog: its events with their keys as fields, natively and on top of the standard library."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.typing import EventDict, WrappedLogger

from otelkit import logs
from otelkit.context import bind
from tests.logs.conftest import Exported, Stderr


@pytest.fixture(autouse=True)
def defaults() -> Iterator[None]:
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


Printed = Callable[[], str]


@pytest.fixture
def native() -> Printed:
    """structlog that prints by itself."""
    printed = io.StringIO()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(printed),
    )
    return printed.getvalue


def on_logging(*last: Any) -> None:
    """structlog that renders, and logs with the standard library."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            *last,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


CHAINS = {
    "rendered": (structlog.processors.JSONRenderer(),),
    "for a formatter": (structlog.stdlib.ProcessorFormatter.wrap_for_formatter,),
    "as keyword arguments": (structlog.stdlib.render_to_log_kwargs,),
}


@pytest.fixture(params=["native", *CHAINS])
def log(request: pytest.FixtureRequest) -> Any:
    """A logger of every kind of configuration."""
    if request.param == "native":
        request.getfixturevalue("native")
    else:
        on_logging(*CHAINS[request.param])
    return structlog.get_logger("shop.orders")


def test_an_event_is_a_record_with_its_keys_as_fields(exported: Exported, log: Any) -> None:
    exported.install(log_format="off")
    with exported.tracer.start_as_current_span("work") as span, bind(user_id="u1"):
        log.bind(order=7).warning("paid", amount=1.5, nested={"a": [1]})
    (record,) = exported.records
    sent = record.log_record
    assert sent.body == "paid"
    assert sent.severity_text == "WARN"
    assert sent.trace_id == span.get_span_context().trace_id
    attributes = exported.attributes()
    fields = {
        name: value
        for name, value in attributes.items()
        if not name.startswith("code.") and name not in ("level", "logger", "timestamp")
    }
    assert fields == {"order": 7, "amount": 1.5, "nested": {"a": (1,)}, "user.id": "u1"}
    assert attributes["code.file.path"] == __file__
    assert attributes["code.function.name"].startswith("test_an_event_is_a_record")


def test_exceptions_are_attributes(exported: Exported, log: Any) -> None:
    exported.install(log_format="off")
    try:
        raise LookupError("no such order")
    except LookupError:
        log.exception("failed")
    attributes = exported.attributes()
    if "exception" not in attributes:  # render_to_log_kwargs has only the text by then
        assert attributes["exception.type"] == "LookupError"
        assert attributes["exception.message"] == "no such order"
    assert "test_exceptions_are_attributes" in str(attributes)
    (record,) = exported.records
    assert record.log_record.severity_text == "ERROR"


def test_keys_may_have_the_names_of_record_attributes(exported: Exported, native: Printed) -> None:
    exported.install(log_format="off")
    structlog.get_logger().info("x", message="m", name="n", args="a")
    attributes = exported.attributes()
    assert [attributes[key] for key in ("message", "name", "args")] == ["m", "n", "a"]


def test_what_the_application_prints_is_as_before(exported: Exported, native: Printed) -> None:
    exported.install(log_format="json")
    structlog.get_logger().info("hello", order=7)
    printed = json.loads(native())
    assert printed.pop("timestamp")
    assert printed == {"order": 7, "event": "hello", "level": "info"}
    assert exported.bodies == ["hello"]


def test_a_native_logger_is_named_by_its_module(exported: Exported, native: Printed) -> None:
    exported.install(log_format="off")
    structlog.get_logger().info("hello")
    (record,) = exported.records
    assert record.instrumentation_scope is not None
    assert record.instrumentation_scope.name == __name__


def test_levels_hold_for_native_loggers_too(exported: Exported, native: Printed) -> None:
    exported.install(log_format="off", log_level="WARNING")
    structlog.get_logger().info("quiet")
    structlog.get_logger().error("loud")
    assert exported.bodies == ["loud"]
    assert len(native().splitlines()) == 2


def test_a_given_format_applies_to_what_structlog_prints_on_the_console(
    exported: Exported, stderr: Stderr
) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(stderr))
    exported.install(log_format="json")
    with exported.tracer.start_as_current_span("work") as span:
        structlog.get_logger().info("hello", order=7)
    (line,) = stderr.objects
    assert (line["message"], line["context"]) == ("hello", {"order": 7})
    assert line["trace_id"] == f"{span.get_span_context().trace_id:032x}"


def test_without_a_format_structlog_prints_as_it_does(exported: Exported, stderr: Stderr) -> None:
    structlog.configure(
        processors=[structlog.processors.LogfmtRenderer()],
        logger_factory=structlog.PrintLoggerFactory(stderr),
    )
    exported.install()
    structlog.get_logger().info("hello", order=7)
    assert stderr.lines == ["order=7 event=hello"]


UNCONFIGURED = """
import sys
import structlog
from otelkit import logs
from otelkit.settings import Settings

logs.install(Settings.from_env({}, log_format=sys.argv[1] or None), None)
structlog.get_logger("shop").info("hello", order=7, password="hunter2")
"""


@pytest.mark.parametrize("format_given", ["", "json"])
def test_what_nobody_has_configured_prints_the_same_with_a_format_and_without(
    format_given: str,
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", UNCONFIGURED, format_given],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    line = json.loads(done.stdout)
    assert line["message"] == "hello"
    assert line["context"] == {"order": 7, "password": "[redacted]"}


def test_without_a_format_a_chain_of_its_own_prints_as_it_does(
    exported: Exported, stderr: Stderr
) -> None:
    exported.install()
    log = structlog.wrap_logger(
        structlog.PrintLogger(stderr), processors=[structlog.processors.LogfmtRenderer()]
    )
    log.info("hello", order=7)
    assert stderr.lines == ["order=7 event=hello"]


@pytest.mark.parametrize("chain", CHAINS)
def test_on_logging_each_output_has_the_event_once_in_the_same_format(
    exported: Exported, stderr: Stderr, tmp_path: Path, chain: str
) -> None:
    on_logging(*CHAINS[chain])
    exported.install(log_format="json", log_file=str(tmp_path / "app.log"))
    structlog.get_logger("shop.orders").info("paid", order=7)
    (line,) = stderr.objects
    assert (line["message"], line["logger"]) == ("paid", "shop.orders")
    assert line["context"]["order"] == 7
    assert json.loads((tmp_path / "app.log").read_text()) == line
    assert exported.bodies == ["paid"]


def test_an_event_whose_level_is_off_leaves_nothing_behind(exported: Exported) -> None:
    on_logging(structlog.processors.JSONRenderer())
    processors = structlog.get_config()["processors"]
    processors.remove(structlog.stdlib.filter_by_level)
    exported.install(log_format="off", log_level="WARNING")
    structlog.get_logger("shop").info("off", order=7)
    logging.getLogger("bank").warning("other")
    assert exported.bodies == ["other"]
    assert "order" not in exported.attributes()


def test_configurations_and_loggers_of_before_and_after_are_served(exported: Exported) -> None:
    printed = io.StringIO()
    structlog.configure(
        processors=[structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(printed),
        cache_logger_on_first_use=True,
    )
    cached = structlog.get_logger()
    cached.info("before")
    exported.install(log_format="off")
    cached.info("cached")
    structlog.configure(processors=(structlog.processors.KeyValueRenderer(),))
    structlog.get_logger().info("configured after")
    structlog.wrap_logger(
        structlog.PrintLogger(printed), processors=[structlog.processors.JSONRenderer()]
    ).info("with a chain of its own")
    assert exported.bodies == ["cached", "configured after", "with a chain of its own"]


def test_uninstall_gives_the_chains_back(exported: Exported, native: Printed) -> None:
    processors = list(structlog.get_config()["processors"])
    method = structlog.BoundLoggerBase._process_event
    exported.install(log_format="off")
    structlog.get_logger().info("x")
    assert structlog.get_config()["processors"] != processors
    logs.uninstall()
    assert structlog.get_config()["processors"] == processors
    assert structlog.BoundLoggerBase._process_event is method


def test_a_cached_logger_is_served_again_after_another_install(exported: Exported) -> None:
    structlog.configure(
        processors=[structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(io.StringIO()),
        cache_logger_on_first_use=True,
    )
    log = structlog.get_logger()
    exported.install(log_format="off")
    log.info("first")
    structlog.configure(processors=[structlog.processors.JSONRenderer()])
    logs.uninstall()
    log.info("nobody listens")
    exported.install(log_format="off")
    log.info("second")
    assert exported.bodies == ["first", "second"]


def test_structlogs_testing_still_captures(exported: Exported, native: Printed) -> None:
    exported.install(log_format="off")
    log = structlog.get_logger()
    log.info("x")
    with structlog.testing.capture_logs() as captured:
        log.info("captured", order=7)
    log.info("y")
    assert captured == [{"event": "captured", "order": 7, "log_level": "info"}]
    assert exported.bodies == ["x", "y"]


def test_a_dropped_event_stays_dropped(exported: Exported, native: Printed) -> None:
    def drop(logger: WrappedLogger, name: str, event: EventDict) -> EventDict:
        raise structlog.DropEvent

    exported.install(log_format="off")
    structlog.get_config()["processors"].insert(0, drop)
    structlog.get_logger().info("x")
    assert exported.bodies == []


def test_the_rate_limit_holds(exported: Exported, native: Printed) -> None:
    exported.install(log_format="off", log_rate_limit=1)
    for _ in range(3):
        structlog.get_logger().info("again")
    assert exported.bodies == ["again"]
    assert len(native().splitlines()) == 1


def test_asynchronous_calls_are_named_by_the_module_of_their_caller(
    exported: Exported, native: Printed
) -> None:
    exported.install(log_format="off")

    async def main() -> None:
        await structlog.get_logger().awarning("from main")

    asyncio.run(main())
    (record,) = [r for r in exported.records if r.log_record.body == "from main"]
    assert record.instrumentation_scope is not None
    assert record.instrumentation_scope.name == __name__
    assert (record.log_record.attributes or {})["code.function.name"] == "main"


def test_asynchronous_calls_have_the_trace_of_their_caller(exported: Exported) -> None:
    on_logging(structlog.processors.JSONRenderer())
    exported.install(log_format="off")

    async def main() -> None:
        await structlog.get_logger("shop").ainfo("from a thread")

    with exported.tracer.start_as_current_span("work") as span:
        asyncio.run(main())
    found = {r.log_record.body: r.log_record.trace_id for r in exported.records}
    assert found["from a thread"] == span.get_span_context().trace_id


class FailingRepr:
    def __repr__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize("value", ["\udc80", b"\xff", 2**70, "x" * 10_000_000, [[]] * 1000])
def test_hostile_values_lose_no_event(
    exported: Exported, native: Printed, tmp_path: Path, value: Any
) -> None:
    exported.install(log_format="off", log_file=str(tmp_path / "app.log"))
    structlog.get_logger().info("here", value=value)
    assert json.loads((tmp_path / "app.log").read_text())["message"] == "here"
    assert exported.bodies == ["here"]


def test_a_hostile_event_is_a_record(exported: Exported, native: Printed) -> None:
    processors = structlog.get_config()["processors"]
    processors[-1] = lambda logger, name, event: "rendered"
    exported.install(log_format="off")
    structlog.get_logger().info(FailingRepr())
    assert exported.bodies == ["<FailingRepr without text: RuntimeError>"]


IMPORTED_LATER = """
import sys
from otelkit import logs
from otelkit.settings import Settings
logs.install(Settings.from_env({}, log_format="off", log_file=sys.argv[1]), None)
assert "structlog" not in sys.modules
import structlog
structlog.get_logger().info("later")
"""


def test_structlog_is_served_when_it_is_imported_after_setup(tmp_path: Path) -> None:
    file = tmp_path / "app.log"
    subprocess.run([sys.executable, "-c", IMPORTED_LATER, str(file)], check=True, timeout=30)
    (line,) = file.read_text().splitlines()
    assert json.loads(line)["message"] == "later"
