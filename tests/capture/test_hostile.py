"""No code of a value is run, and nothing that a value is makes encoding fail."""

from __future__ import annotations

import dataclasses
import decimal
import pathlib
import sys
import threading
import uuid
from collections import deque
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any

import pydantic
import pytest

from otelkit.capture import describe, encode, encode_call, encode_messages
from tests.capture import hostile
from tests.capture.reading import checked, read

H = hostile

VALUES: list[tuple[Any, Any]] = [
    (H.HostileObject(), "<hostile.Hostileobject>"),
    (H.with_hostile_class(), "<hostile.Hostileobject>"),
    (H.HostileDict(a=1, token="x"), {"a": 1, "token": "[redacted]"}),
    (H.HostileList([1, H.HostileList([2])]), [1, [2]]),
    (H.HostileTuple((1, 2)), [1, 2]),
    (H.HostileSet([1]), [1]),
    (H.HostileFrozenset([1]), [1]),
    (H.HostileDeque([1, 2]), [1, 2]),
    (H.HostileStr("text"), "text"),
    (H.HostileInt(7), 7),
    (H.HostileInt(4111111111111111), "[redacted]"),
    (H.HostileFloat(0.5), 0.5),
    (H.HostileBytes(b"ab"), "<hostile.Hostilebytes len=2>"),
    (H.HostileError("wrong"), {"type": "hostile.HostileValueError", "args": ["wrong"]}),
]


@pytest.mark.parametrize(("value", "shown"), VALUES, ids=range(len(VALUES)))
def test_no_method_of_a_hostile_value_is_called(value: Any, shown: Any) -> None:
    assert read([value]) == [shown]
    assert read({"a": value}) == {"a": shown}
    assert checked(encode(value, redact=False), 8192) is not None
    describe(value)
    encode_messages(value)
    encode_messages([value, value])
    encode_messages([{"role": value, "content": value, "tool_calls": value, "type": value}])
    encode_messages([{"role": "user", "content": [{"type": value, "text": value}, value]}])
    encode_call(("a",), (value, value), {"b": value})


def test_hostile_values_serve_as_keys() -> None:
    keys = {H.HostileStr("password"): "hunter2", H.HostileInt(3): 1, H.HostileObject: 2}
    assert read(keys) == {
        "password": "[redacted]", "3": 1, "<class hostile.Hostileobject>": 2
    }  # fmt: skip


def test_hostile_values_in_the_fields_of_models_and_dataclasses() -> None:
    @dataclasses.dataclass
    class Data:
        value: Any
        __getattribute__ = hostile.bang

    class Model(pydantic.BaseModel):
        value: Any

    data = object.__new__(Data)
    object.__setattr__(data, "value", H.HostileObject())
    assert read(data) == {"value": "<hostile.Hostileobject>"}
    assert read(Model(value=H.HostileObject())) == {"value": "<hostile.Hostileobject>"}


def test_a_dict_property_is_not_asked() -> None:
    @dataclasses.dataclass
    class Data:
        value: int = 1
        __dict__ = property(hostile.bang)  # type: ignore[assignment]

    assert read(object.__new__(Data)) == {"value": 1} or read(object.__new__(Data)) == {}


def test_subclasses_of_library_values_run_no_code() -> None:
    class Zone(tzinfo):
        utcoffset = tzname = dst = hostile.bang  # type: ignore[assignment]

    body = {**H.METHODS, "__str__": hostile.bang, "__hash__": None, "__module__": "app"}

    def sub(base: type) -> Any:
        methods = {**body, "__hash__": base.__hash__, "year": 1, "tzinfo": None}
        return type(base.__name__, (base,), methods)

    assert read(datetime(2025, 3, 1, tzinfo=Zone())) == "2025-03-01T00:00:00"
    assert read(time(10, tzinfo=Zone())) == "10:00:00"
    assert read(sub(datetime)(2025, 3, 1)) == "2025-03-01T00:00:00"
    assert read(sub(date)(2025, 3, 1)) == "2025-03-01"
    assert read(sub(timedelta)(1)) == "1 day, 0:00:00"
    assert read(sub(decimal.Decimal)("1.5")) == "1.5"
    assert read(sub(uuid.UUID)(int=5)) == str(uuid.UUID(int=5))
    assert read(object.__new__(sub(type(pathlib.Path())))) == "<app.PosixPath>"


@pytest.mark.parametrize("make", [list, dict, deque], ids=["list", "dict", "deque"])
def test_a_value_inside_itself_is_marked(make: Any) -> None:
    value = make()
    if make is dict:
        value["self"] = [value, 1]
        assert read(value) == {"self": ["…[cycle]", 1]}
    else:
        value.append(value)
        value.append(1)
        assert read(value) == ["…[cycle]", 1]


def test_objects_that_refer_to_each_other_are_marked() -> None:
    @dataclasses.dataclass
    class Node:
        other: Any = None

    one, two = Node(), Node()
    one.other, two.other = two, one
    assert read(one) == {"other": {"other": "…[cycle]"}}
    error = ValueError()
    error.args = (error,)
    assert read(error)["args"] == ["…[cycle]"]


def test_the_same_value_twice_is_no_cycle() -> None:
    value = [1]
    assert read([value, value, {"a": value}]) == [[1], [1], {"a": [1]}]


def test_depth_is_bounded() -> None:
    for wrap in (lambda v: [v], lambda v: {"a": v}, lambda v: (v,), lambda v: {1: v}):
        value: Any = 1
        for _ in range(20_000):
            value = wrap(value)
        encoded = encode(value)
        assert encoded.truncated
        assert "…[cut]" in encoded.text
        checked(encoded, 8192)


def test_keys_that_hold_containers_cannot_multiply_the_work() -> None:
    @dataclasses.dataclass(eq=False)
    class Node:
        inside: Any = None

    node = Node()
    for _ in range(200):
        node = Node({Node({node: 1, Node(node): 2}): 1, node: 2})
    checked(encode(node), 8192)
    node.inside = {node: 1, Node(node): 2}
    checked(encode(node), 8192)


def test_a_dict_that_changes_meanwhile_does_not_matter() -> None:
    value: dict[Any, Any] = {n: [n] * 5 for n in range(200)}
    done = threading.Event()

    def change() -> None:
        n = 0
        while not done.is_set():
            value[n % 400] = n
            value.pop((n * 7) % 400, None)
            n += 1

    thread = threading.Thread(target=change)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread.start()
    try:
        for _ in range(300):
            checked(encode(value), 8192)
    finally:
        done.set()
        thread.join()
        sys.setswitchinterval(interval)


def test_encoding_at_the_end_of_the_stack_does_not_raise() -> None:
    def down() -> None:
        encode({"a": [H.HostileObject(), {"b": (1, 2)}]})
        encode_messages([{"role": "user", "content": "x"}])
        encode_call(("a",), (1,), {})
        down()

    with pytest.raises(RecursionError) as caught:
        down()
    # There was no room left for the call itself; whatever came after that was caught.
    assert caught.traceback[-2].name == "down"


def test_a_slot_that_was_never_set_is_left_out() -> None:
    @dataclasses.dataclass
    class Data:
        __slots__ = ("a", "b")
        a: int
        b: int

    half = object.__new__(Data)
    half.a = 1
    assert read(half) == {"a": 1}


def test_text_and_numbers_beyond_what_encoders_take() -> None:
    digits = sys.get_int_max_str_digits() if hasattr(sys, "get_int_max_str_digits") else None
    if digits is not None:
        sys.set_int_max_str_digits(640)
    try:
        for bits in (2000, 2047, 2048, 2049, 10**6):
            encoded = encode([1 << bits, -(1 << bits)])
            checked(encoded, 8192)
    finally:
        if digits is not None:
            sys.set_int_max_str_digits(digits)


def test_what_fails_is_told_by_its_type() -> None:
    class Broken(dict[str, Any]):
        pass

    view = memoryview(bytearray(8))
    view.release()
    assert read([view, 1]) == ["<unencodable memoryview>", 1]
