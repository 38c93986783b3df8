"""What the values of the language and its library look like."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import decimal
import enum
import fractions
import io
import pathlib
import re
import types
import uuid
import zoneinfo
from datetime import date, datetime, time, timedelta, timezone
from typing import Any, NamedTuple

import attrs
import pytest

from otelkit.capture import describe
from tests.capture.reading import read


class Color(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Name(str, enum.Enum):
    ADA = "ada"


class Point(NamedTuple):
    x: int
    password: str


@dataclasses.dataclass
class Login:
    user: str
    password: str
    tags: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    user: str
    api_key: str


@attrs.define
class AttrsSlotted:
    user: str
    token: str


@attrs.define(slots=False)
class AttrsPlain:
    user: str
    token: str


class Unknown:
    password = "hunter2"


def function() -> None: ...


SIMPLE = [
    None, True, False, 0, -1, 2**63, 10**300, 0.5, -1e300, 1e16, "", "text", "Ünï 漢 😀",
    "\x00\x1f\x7f",    'a "quoted" \\ text\n', [], {}, [[]], {"a": {"b": [1, None, 2.5, "x"]}},
    {"a" * 64: 1}, {"": 1}, 1732290000000, 1732290000000000000,
]  # fmt: skip


@pytest.mark.parametrize("value", SIMPLE)
@pytest.mark.parametrize("redact", [True, False])
def test_what_json_knows_is_kept_exactly(value: object, redact: bool) -> None:
    assert read(value, redact=redact) == value


OTHERS: list[tuple[object, Any]] = [
    ((1, (2,)), [1, [2]]),
    ({1}, [1]),
    (frozenset([1]), [1]),
    (collections.deque([1, 2]), [1, 2]),
    (collections.OrderedDict(a=1), {"a": 1}),
    (collections.Counter("aa"), {"a": 2}),
    (collections.defaultdict(list, a=[1]), {"a": [1]}),
    (float("nan"), "nan"),
    (float("inf"), "inf"),
    (float("-inf"), "-inf"),
    (1 + 2j, "(1+2j)"),
    (10**5000, "<int of 16610 bits>"),
    (b"secret bytes", "<bytes len=12>"),
    (bytearray(3), "<bytearray len=3>"),
    (memoryview(bytes(8)).cast("I"), "<memoryview len=8>"),
    ("half \ud800 character", "half ? character"),
    (decimal.Decimal("1.10"), "1.10"),
    (decimal.Decimal(10) ** 20_000 + 1, "1.000000000000000000000000000E+20000"),
    (decimal.Decimal("1" * 20_000), "<decimal.Decimal>"),
    (fractions.Fraction(1, 3), "<fractions.Fraction>"),
    (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
    (pathlib.PurePosixPath("/a/b"), "/a/b"),
    (pathlib.Path("a"), "a"),
    (Color.RED, "red"),
    (Level.HIGH, 3),
    (Name.ADA, "ada"),
    (re.RegexFlag.ASCII, 256),
    (date(2025, 3, 1), "2025-03-01"),
    (time(10, 20, tzinfo=timezone.utc), "10:20:00+00:00"),
    (datetime(2025, 3, 1, 10, 20, 30, 5), "2025-03-01T10:20:30.000005"),
    (datetime(2025, 3, 1, tzinfo=timezone.utc), "2025-03-01T00:00:00+00:00"),
    (datetime(2025, 7, 1, tzinfo=zoneinfo.ZoneInfo("UTC")), "2025-07-01T00:00:00+00:00"),
    (timedelta(days=1, seconds=30), "1 day, 0:00:30"),
    (ValueError("wrong", 5), {"type": "ValueError", "args": ["wrong", 5]}),
    (KeyError("password=hunter2"), {"type": "KeyError", "args": ["password=[redacted]"]}),
    (Login("ada", "hunter2", ["x"]), {"user": "ada", "password": "[redacted]", "tags": ["x"]}),
    (Slotted("ada", "abc"), {"user": "ada", "api_key": "[redacted]"}),
    (AttrsSlotted("ada", "abc"), {"user": "ada", "token": "[redacted]"}),
    (AttrsPlain("ada", "abc"), {"user": "ada", "token": "[redacted]"}),
    (Point(1, "hunter2"), {"x": 1, "password": "[redacted]"}),
    (Unknown(), "<tests.capture.test_values.Unknown>"),
    (Unknown, "<class tests.capture.test_values.Unknown>"),
    (int, "<class int>"),
    (function, "<function tests.capture.test_values.function>"),
    (Login("a", "b").__eq__, "<function tests.capture.test_values.Login.__eq__>"),
    (len, "<function len>"),
    (object(), "<object>"),
    (range(3), "<range>"),
    (iter([1]), "<list_iterator>"),
    (types, "<module>"),
    (types.MappingProxyType({"a": 1}), "<mappingproxy>"),
    (NotImplemented, "<NotImplementedType>"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "shown"), OTHERS, ids=lambda v: type(v).__name__)
def test_other_values_have_a_readable_form(value: object, shown: Any) -> None:
    assert read(value) == shown
    assert read([value]) == [shown]
    assert read({"a": value}) == {"a": shown}


def test_keys_that_are_no_text_become_one() -> None:
    keys = {1: "a", 2.5: "b", None: "c", (1, "x"): "e", b"raw": "f", Color.RED: "g"}
    assert read(keys) == {
        "1": "a",
        "2.5": "b",
        "null": "c",
        '[1,"x"]': "e",
        "raw": "f",
        "red": "g",
    }


def test_keys_that_are_no_text_are_sensitive_too() -> None:
    keys = {b"password": "hunter2", Name.ADA: 1, ("token",): "hunter2", Unknown: "x"}
    assert "hunter2" not in str(read(keys))


def test_generators_and_files_are_told_by_their_type_and_left_alone() -> None:
    def generate() -> Any:
        yield 1

    async def generate_async() -> Any:
        yield 1

    async def wait() -> int:
        return 1

    generator, coroutine, file = generate(), wait(), io.StringIO("line")
    lazy = map(str, [1, 2])
    values = [generator, generate_async(), coroutine, file, lazy]
    assert read(values) == [
        "<generator>", "<async_generator>", "<coroutine>", "<_io.StringIO>", "<map>"
    ]  # fmt: skip
    assert list(generator) == [1]
    assert list(lazy) == ["1", "2"]
    assert file.read() == "line"
    assert asyncio.run(coroutine) == 1


def test_a_method_tells_nothing_of_its_object() -> None:
    assert read([].append) == "<function append>"
    login = Login("ada", "hunter2")
    assert "ada" not in str(read(login.__repr__))


@pytest.mark.parametrize(
    ("value", "name", "length"),
    [
        ("abc", "str", 3), (b"ab", "bytes", 2), ([1], "list", 1), ((), "tuple", 0), ({1}, "set", 1),
        (collections.deque("ab"), "collections.deque", 2), ({"a": 1}, "dict", 1),
        (collections.OrderedDict(a=1), "collections.OrderedDict", 1), (5, "int", None),
        (None, "NoneType", None), (Name.ADA, "tests.capture.test_values.Name", 3),
        (Point(1, "x"), "tests.capture.test_values.Point", 2), (range(3), "range", None),
        (Unknown(), "tests.capture.test_values.Unknown", None),
    ],
)  # fmt: skip
def test_metadata_is_the_type_and_the_length_of_what_has_one(
    value: object, name: str, length: int | None
) -> None:
    assert describe(value) == (name, length)
