"""Whatever is logged: nothing raises, and the line is there, in every output."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from otelkit import logs
from tests.logs.conftest import Exported, Stderr


class FailingRepr:
    def __repr__(self) -> str:
        raise RuntimeError("no text")


class FailingStr(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class Recursive:
    def __repr__(self) -> str:
        return repr(self)


def cyclic() -> dict[str, Any]:
    made: dict[str, Any] = {}
    made["self"] = made
    return made


def deep() -> list[Any]:
    made: list[Any] = []
    for _ in range(10_000):
        made = [made]
    return made


CALLS: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "10 MB": (("x" * 10_000_000,), {}),
    "10 MB of another alphabet": (("数" * 3_000_000,), {}),
    "broken arguments": (("bad %d", "x"), {}),
    "too many arguments": (("bad", 1, 2), {}),
    "too few arguments": (("%s %s", 1), {}),
    "mapping arguments": (("%(name)s %(gone)s", {"name": 1}), {}),
    "failing repr as argument": (("%s", FailingRepr()), {}),
    "failing repr as message": ((FailingRepr(),), {}),
    "endless repr": (("%s", Recursive()), {}),
    "bytes as message": ((b"\xff\x00raw",), {}),
    "lone surrogate": (("half a pair \ud83d",), {}),
    "lone surrogate in arguments": (("half %s", "\udc80"), {}),
    "NUL": (("a\x00b",), {}),
    "cyclic extra": (("x",), {"extra": {"cyclic": cyclic()}}),
    "deep extra": (("x",), {"extra": {"deep": deep()}}),
    "failing extra": (("x",), {"extra": {"failing": FailingRepr()}}),
    "surrogate in extra": (("x",), {"extra": {"\udc80": "\udc80"}}),
    "numbers": (("x",), {"extra": {"nan": float("nan"), "inf": float("inf"), "huge": 2**70}}),
    "odd keys": (("x",), {"extra": {1: "one", "": "empty", ("a", "b"): "tuple"}}),
    "reserved extra": (
        ("x",),
        {"extra": {"message": "m", "name": "n", "args": "a", "exc_info": 1}},
    ),
    "failing exception": (("x",), {"exc_info": FailingStr()}),
    "exception of a surrogate": (("x",), {"exc_info": ValueError("\udc80")}),
    "10,000 extras": (("x",), {"extra": {f"key{n}": n for n in range(10_000)}}),
    "10 MB extra": (("x",), {"extra": {"long": "x" * 10_000_000}}),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("format", ["json", "detailed"])
def test_a_hostile_record_is_one_line_everywhere(
    exported: Exported,
    stderr: Stderr,
    logger: logging.Logger,
    tmp_path: Path,
    name: str,
    format: str,
) -> None:
    file = tmp_path / "app.log"
    exported.install(log_format=format, log_file=str(file))
    args, kwargs = CALLS[name]
    logger.error(*args, **kwargs)
    logs.uninstall()
    (written,) = file.read_bytes().splitlines()
    line = json.loads(written)
    assert line["logger"] == "services.processing"
    assert len(line["message"].encode()) < 66_000
    assert len(written) < 1_000_000
    (record,) = exported.records
    str(record.log_record.body).encode()
    assert record.log_record.body == line["message"]
    if format == "json":
        assert [found["message"] for found in stderr.objects] == [line["message"]]
    else:
        assert sum(" - ERROR - services.processing:" in found for found in stderr.lines) == 1


def message(exported: Exported, logger: logging.Logger, *args: Any) -> str:
    exported.install(log_format="off")
    logger.error(*args)
    (body,) = exported.bodies
    return str(body)


def test_a_long_message_is_cut_with_a_mark(exported: Exported, logger: logging.Logger) -> None:
    body = message(exported, logger, "x" * 10_000_000)
    assert body.startswith("x" * 60_000)
    assert body.endswith("… [cut, 10000000 characters]")


@pytest.mark.parametrize("text", ["x" * 65_536, "数" * 21_845])
def test_64_kib_are_not_cut(exported: Exported, logger: logging.Logger, text: str) -> None:
    assert message(exported, logger, text) == text


@pytest.mark.parametrize("text", ["x" * 65_537, "数" * 21_846, "é" * 40_000])
def test_more_than_64_kib_are_cut(exported: Exported, logger: logging.Logger, text: str) -> None:
    body = message(exported, logger, text)
    assert body.endswith(f"… [cut, {len(text)} characters]")
    assert len(body.encode()) <= 65_536 + 40


def test_broken_arguments_are_shown(exported: Exported, logger: logging.Logger) -> None:
    body = message(exported, logger, "paid %d to %s", "seven", "eve")
    assert body == "paid %d to %s ('seven', 'eve') [not formatted: TypeError]"


def test_a_secret_at_the_cut_is_not_shown_in_part(
    exported: Exported, logger: logging.Logger
) -> None:
    body = message(exported, logger, "x" * 65_500 + " password=" + "hunter2" * 100 + "y" * 99_999)
    assert "hunter2" not in body


def test_reserved_names_keep_their_values(exported: Exported, logger: logging.Logger) -> None:
    exported.install(log_format="off")
    logger.error("x", extra={"message": "m", "name": "n", "args": "a", "fine": 1})
    attributes = exported.attributes()
    assert [attributes[key] for key in ("message", "name", "args", "fine")] == ["m", "n", "a", 1]


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"name": None},
        {"name": ["app"]},
        {"levelno": None, "levelname": None},
        {"levelno": 20.5},
        {"levelno": 10**30},
        {"levelname": "\ud800"},
        {"created": None},
        {"created": float("nan")},
        {"created": 1e300},
        {"created": -1e10},
        {"pathname": None, "lineno": None, "funcName": None},
        {"pathname": "/app/\udcff.py"},
        {"exc_info": "no exception"},
    ],
)
def test_a_record_made_by_hand_is_written_whatever_it_lacks(
    exported: Exported, logger: logging.Logger, tmp_path: Path, attributes: dict[str, Any]
) -> None:
    exported.install(log_format="off", log_file=str(tmp_path / "app.log"))
    logger.handle(logging.makeLogRecord({"msg": "by hand", "levelno": 30, **attributes}))
    assert exported.bodies == ["by hand"]
    json.dumps(dict(exported.records[0].log_record.attributes or {}), ensure_ascii=False).encode()
    (line,) = (tmp_path / "app.log").read_text().splitlines()
    assert json.loads(line)["message"] == "by hand"


class FailingMapping(dict[str, int]):
    def __iter__(self) -> Any:
        raise RuntimeError("no keys")


@pytest.mark.parametrize("extra", [[1], 7, "text", FailingMapping(a=1)])
def test_extra_fields_that_are_no_dict_lose_no_record(
    installed: Exported, logger: logging.Logger, extra: Any
) -> None:
    logger.warning("still here", extra=extra)
    assert installed.bodies == ["still here"]
