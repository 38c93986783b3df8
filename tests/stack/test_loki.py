"""What becomes of a log record on its way to Loki."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from . import otlp
from .destinations import Loki
from .programs import Collector, until

pytestmark = pytest.mark.stack

TRACE = "Traceback (most recent call last): ValueError: hole"
FIELDS = KeyValueList(values=[KeyValue(key="order", value=otlp.value(7))])
BODIES = {
    "a text": otlp.value("it broke"),
    "a number": otlp.value(42),
    "fields": AnyValue(kvlist_value=FIELDS),
    "nothing": None,
}


def record(kind: str, body: AnyValue | None, trace: Any) -> LogRecord:
    has = {"kind": kind, "exception.stacktrace": trace, "exception.type": "ValueError"}
    made = otlp.record("", **has)
    made.ClearField("body")
    if body is not None:
        made.body.CopyFrom(body)
    return made


def test_a_stack_trace_moves_into_the_body_of_whatever_type_it_is(
    otelcol: str, tmp_path: Path
) -> None:
    with Loki() as loki:
        with Collector(otelcol, tmp_path, env={"LOKI_ENDPOINT": loki.url}) as collector:
            records = [record(kind, body, TRACE) for kind, body in BODIES.items()]
            records.append(record("no text either", otlp.value("it broke"), 17))
            records.append(otlp.record("nothing broke", kind="no trace"))
            assert otlp.send(collector.http, "logs", otlp.logs(records)) == 200
            until(lambda: len(loki.lines) == len(records), 60, "all arrive")
        lines = {has["kind"]: line for _, line, has in loki.lines}

    assert lines["a text"] == f"it broke\n{TRACE}"
    assert lines["a number"] == f"42\n{TRACE}"
    assert lines["nothing"] == f"\n{TRACE}"
    assert lines["no text either"] == "it broke\n17"
    assert lines["no trace"] == "nothing broke"
    assert all(word in lines["fields"] for word in ("order", "7", "exception.stacktrace", TRACE))
    assert not any("exception_stacktrace" in has for _, _, has in loki.lines)
    assert [has["kind"] for _, _, has in loki.lines if "exception_type" not in has] == ["no trace"]
    assert loki.refused == []


def test_a_line_that_has_waited_for_hours_is_taken_after_newer_ones(
    otelcol: str, tmp_path: Path
) -> None:
    late = otlp.record("late", kind="late")
    late.time_unix_nano -= 5 * 3600 * 10**9
    with Loki() as loki, Collector(otelcol, tmp_path, env={"LOKI_ENDPOINT": loki.url}) as collector:
        for one in (otlp.record("new", kind="new"), late):
            assert otlp.send(collector.http, "logs", otlp.logs([one])) == 200
            until(lambda: one.body.string_value in loki.texts(), 60, "it arrives")  # noqa: B023
        assert loki.refused == []
