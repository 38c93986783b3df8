"""The two formats, line by line."""

from __future__ import annotations

import io
import json
import logging
import re
from typing import Any

import pytest

from otelkit.context import bind
from otelkit.logs.formatters import DetailedFormatter, JsonFormatter, timestamp
from tests.logs.conftest import Exported, Stderr

KEYS = [
    "timestamp",
    "level",
    "logger",
    "message",
    "trace_id",
    "span_id",
    "request_id",
    "service",
    "environment",
    "context",
    "exception",
]


def record(message: Any = "hello", *args: Any, **attributes: Any) -> logging.LogRecord:
    made = logging.LogRecord("app.orders", logging.INFO, "/app/orders.py", 142, message, args, None)
    made.__dict__.update(attributes)
    return made


def line(made: logging.LogRecord) -> dict[str, Any]:
    text = JsonFormatter("shop", "staging").format(made)
    assert "\n" not in text
    found: dict[str, Any] = json.loads(text)
    return found


def test_a_json_line_has_always_the_same_keys() -> None:
    assert list(line(record())) == KEYS
    assert list(line(record(extra=1, exc_info=ValueError("x")))) == KEYS


def test_a_json_line_says_what_happened_when_and_where() -> None:
    found = line(record("hello %s", "world", created=1759487445.1239))
    assert found == {
        "timestamp": "2025-10-03T10:30:45.123Z",
        "level": "INFO",
        "logger": "app.orders",
        "message": "hello world",
        "trace_id": None,
        "span_id": None,
        "request_id": None,
        "service": "shop",
        "environment": "staging",
        "context": {},
        "exception": None,
    }


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1759487445.0009, "2025-10-03T10:30:45.000Z"),
        (1759487445.9999, "2025-10-03T10:30:45.999Z"),
    ],
)
def test_a_timestamp_is_in_utc_and_has_milliseconds(seconds: float, shown: str) -> None:
    assert timestamp(seconds) == shown


def test_json_names_trace_request_and_what_is_bound(exported: Exported) -> None:
    with (
        exported.tracer.start_as_current_span("work") as span,
        bind(user_id="u1", session_id="s1", request_id="r1", tags=["beta"]),
    ):
        found = line(record(order=7))
    context = span.get_span_context()
    assert found["trace_id"] == f"{context.trace_id:032x}"
    assert found["span_id"] == f"{context.span_id:016x}"
    assert found["request_id"] == "r1"
    assert found["context"] == {
        "order": 7,
        "user.id": "u1",
        "gen_ai.conversation.id": "s1",
        "otelkit.tags": ["beta"],
    }


def test_json_takes_an_exception_apart() -> None:
    try:
        raise LookupError("no such order")
    except LookupError as error:
        found = line(record("failed", exc_info=(type(error), error, error.__traceback__)))
    assert found["exception"]["type"] == "LookupError"
    assert found["exception"]["message"] == "no such order"
    assert "test_json_takes_an_exception_apart" in found["exception"]["stack"]
    assert found["message"] == "failed"


def test_json_keeps_other_alphabets_readable_but_for_streams_that_cannot_write_them() -> None:
    assert '"größer 数"' in JsonFormatter("shop", "staging").format(record("größer 数"))
    escaped = JsonFormatter("shop", "staging", ascii_only=True).format(record("größer 数"))
    assert escaped.isascii()
    assert json.loads(escaped)["message"] == "größer 数"


def test_detailed_is_a_line_and_an_indented_line_a_field() -> None:
    text = DetailedFormatter().format(record("paid", order=7, items=["a"]))
    first, *fields = text.splitlines()
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - INFO - app.orders:142 - paid", first
    )
    assert fields == ["    order: 7", "    items: ['a']"]


def test_detailed_shows_trace_and_traceback(exported: Exported) -> None:
    with exported.tracer.start_as_current_span("work") as span, bind(request_id="r1"):
        text = DetailedFormatter().format(record("failed", exc_info=ValueError("bad")))
    assert f"    trace_id: {span.get_span_context().trace_id:032x}" in text.splitlines()
    assert "    request_id: r1" in text.splitlines()
    assert text.splitlines()[-1] == "    ValueError: bad"


def test_detailed_colours_the_level_only_when_told() -> None:
    assert "\x1b[31mERROR\x1b[0m" in DetailedFormatter(colours=True).format(
        record(levelname="ERROR")
    )
    assert "\x1b" not in DetailedFormatter().format(record(levelname="ERROR"))


def test_a_message_cannot_forge_a_line_or_move_the_cursor() -> None:
    text = DetailedFormatter().format(record("user\n2025-10-03 - CRITICAL - x:1 - \x1b[2Jhacked\r"))
    assert "\x1b" not in text
    assert "\r" not in text
    for mark in ("\x9b2J", "\x85forged", "\u2028forged"):
        (only,) = DetailedFormatter().format(record(f"user{mark}\tsaid")).splitlines()
        assert only.endswith("\tsaid")
    assert text.splitlines()[1].startswith("    2025")


def test_detailed_writes_to_an_ascii_stream() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    stream.write(DetailedFormatter(ascii_only=True).format(record("größer")))


def test_a_terminal_gets_detailed_and_anything_else_json(
    exported: Exported, stderr: Stderr
) -> None:
    stderr.terminal = True
    exported.install()
    logging.getLogger("app").warning("hello")
    assert stderr.lines[0].endswith(" - hello")
    assert "\x1b[33mWARNING" in stderr.lines[0]


def test_a_pipe_gets_json(exported: Exported, stderr: Stderr) -> None:
    exported.install()
    logging.getLogger("app").warning("hello")
    (found,) = stderr.objects
    assert (found["message"], found["service"]) == ("hello", "shop")


def access() -> logging.LogRecord:
    arguments = ("10.0.0.1:5", "GET", "/orders/7", "1.1", 200)
    made = record('%s - "%s %s HTTP/%s" %d', *arguments)
    made.name = "uvicorn.access"
    return made


def test_on_a_terminal_an_access_record_is_one_line_and_ids_are_not_repeated(
    exported: Exported, stderr: Stderr
) -> None:
    stderr.terminal = True
    exported.install(log_level="INFO")
    with exported.tracer.start_as_current_span("request") as span, bind(request_id="r1"):
        logging.getLogger("app").info("paid", extra={"order": 7})
        logging.getLogger("uvicorn.access").handle(access())
    logging.getLogger("app").info("idle")
    trace_id = f"{span.get_span_context().trace_id:032x}"
    paid, *ids, order, access_line, idle = stderr.lines
    assert paid.endswith(" - paid")
    assert ids == [f"    trace_id: {trace_id}", "    request_id: r1"]
    assert order == "    order: 7"
    assert access_line.endswith('10.0.0.1:5 - "GET /orders/7 HTTP/1.1" 200')
    assert idle.endswith(" - idle")


def test_on_a_terminal_an_access_record_ends_with_its_duration() -> None:
    made = access()
    made.args = {"h": "10.0.0.1", "m": "GET", "U": "/", "s": "200", "D": 1500}
    made.msg, made.name = "%(h)s %(m)s %(U)s %(s)s", "gunicorn.access"
    text = DetailedFormatter(brief=True).format(made)
    assert text.endswith(" - 10.0.0.1 GET / 200 - 1.5 ms")
    assert "    duration_ms: 1.5" in DetailedFormatter().format(made).splitlines()


def test_detailed_does_not_end_a_message_with_an_empty_line() -> None:
    assert DetailedFormatter().format(record("Exception in ASGI application\n")).endswith("tion")


def test_no_color_is_obeyed(
    exported: Exported, stderr: Stderr, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stderr.terminal = True
    exported.install()
    logging.getLogger("app").warning("hello")
    assert " - WARNING - " in stderr.lines[0]
