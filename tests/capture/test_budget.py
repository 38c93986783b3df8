"""The budget: never exceeded, always valid JSON, and no more work than it allows."""

from __future__ import annotations

import dataclasses
import sys
import tracemalloc
from collections import deque
from collections.abc import Callable
from typing import Any

import pydantic
import pytest

from otelkit.capture import encode, encode_call, encode_messages
from tests.capture.reading import checked


@dataclasses.dataclass
class Order:
    id: int
    note: str
    items: list[Any]


class Model(pydantic.BaseModel):
    text: str
    more: dict[str, Any] = {}


SAMPLES: dict[str, Any] = {
    "text": 'lorem "ipsum" \\ dolor \n' * 50,
    "wide text": "漢字😀ü" * 100,
    "control characters": "\x00\x01" * 300,
    "half characters": "\ud800x" * 300,
    "numbers": list(range(500)),
    "texts": ["lorem ipsum"] * 100,
    "object": {f"key {n}": f"value {n}" for n in range(100)},
    "long keys": {"k" * 200: {"ü" * 200: {"\n" * 200: 1}}},
    "nested": {"a": [{"b": [{"c": "x" * 200}, [1, 2, [3, [4, "y" * 300]]]]}] * 5},
    "objects": [Order(n, "note " * 20, [n, {"x": n}]) for n in range(20)],
    "models": [Model(text="ü" * 50, more={"a": [1, 2, 3]})] * 10,
    "error": ValueError("x" * 300, ["y"] * 100),
    "empty": [[], {}, (), "", None, [[[[]]]]] * 20,
    "secrets": {"password": "x" * 500, "note": "password=" + "x" * 500, "n": 1},
    "unknown": [type("C" * 300, (), {})()] * 3,
}


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("redact", [True, False])
def test_no_budget_is_ever_exceeded_and_the_text_is_always_json(name: str, redact: bool) -> None:
    value = SAMPLES[name]
    for max_bytes in [*range(16, 400), 1_000, 2_000]:
        encoded = encode(value, max_bytes=max_bytes, redact=redact)
        checked(encoded, max_bytes)
        assert encoded.truncated == ("[cut]" in encoded.text)


def test_a_budget_too_small_for_anything_is_raised_to_sixteen_bytes() -> None:
    for max_bytes in (-5, 0, 1, 15):
        assert checked(encode("x" * 100, max_bytes=max_bytes), 16) == "…[cut]"
        checked(encode({"a": [1, {"b": 2}]}, max_bytes=max_bytes), 16)


def test_what_fits_exactly_is_whole() -> None:
    value = {"a": [1, 2, {"b": "c" * 50}], "d": None}
    size = encode(value).size
    assert not encode(value, max_bytes=size).truncated
    assert encode(value, max_bytes=size - 1).truncated


def test_what_is_cut_says_so_where_it_was_cut() -> None:
    assert checked(encode("x" * 100, max_bytes=50), 50) == "x" * 40 + "…[cut]"
    assert checked(encode([1] * 100, max_bytes=50), 50)[-1] == "…[cut]"
    shown = checked(encode({f"key {n}": "x" * 20 for n in range(9)}, max_bytes=100), 100)
    assert shown["key 0"] == "x" * 20
    assert shown["…"] == "[cut]"


def test_most_of_the_budget_is_used() -> None:
    for value in (
        ["lorem"] * 10_000,
        {str(n): n for n in range(10_000)},
        "x" * 10_000,
        "ü" * 9_000,
    ):
        assert encode(value).size > 8_000


MEGABYTES: dict[str, Callable[[], Any]] = {
    "text": lambda: "lorem ipsum " * 400_000,
    "wide text": lambda: "漢字" * 1_000_000,
    "text with secrets": lambda: "password=x " * 400_000,
    "bytes": lambda: bytes(5_000_000),
    "bytearray": lambda: bytearray(5_000_000),
    "list": lambda: [1] * 1_000_000,
    "list of texts": lambda: ["lorem ipsum"] * 500_000,
    "list of lists": lambda: [[[1]]] * 500_000,
    "tuple": lambda: (1,) * 1_000_000,
    "deque": lambda: deque([1] * 500_000),
    "set": lambda: set(range(200_000)),
    "dict": lambda: dict.fromkeys(range(200_000), "lorem"),
    "dict of texts": lambda: {str(n): n for n in range(200_000)},
    "deep inside": lambda: {"a": {"b": [{"c": "lorem ipsum " * 400_000}]}},
    "a long key": lambda: {"lorem " * 800_000: 1},
    "dataclass": lambda: Order(1, "x" * 5_000_000, [1] * 500_000),
    "model": lambda: Model(text="x" * 5_000_000, more={"a": [1] * 500_000}),
    "error": lambda: ValueError("x" * 5_000_000),
    "subclass of str": lambda: type("S", (str,), {})("x" * 5_000_000),
    "subclass of list": lambda: type("L", (list,), {})([1] * 500_000),
    "subclass of dict": lambda: type("D", (dict,), {})({n: n for n in range(200_000)}),
    "integer": lambda: 1 << 40_000_000,
}


def _cost(run: Callable[[], object]) -> tuple[int, int]:
    """Bytes that ``run`` allocates at most at a time, and the function calls it makes."""
    calls = 0

    def count(_frame: Any, event: str, _arg: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    run()  # what is cached is cached now
    tracemalloc.start()
    try:
        run()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    sys.setprofile(count)
    try:
        run()
    finally:
        sys.setprofile(None)
    return peak, calls


@pytest.mark.parametrize("name", MEGABYTES)
@pytest.mark.parametrize("redact", [True, False])
def test_megabytes_cost_no_more_than_the_budget(name: str, redact: bool) -> None:
    value = MEGABYTES[name]()

    def run() -> None:
        checked(encode(value, redact=redact), 8192)

    peak, calls = _cost(run)
    assert peak < 1_000_000
    assert calls < 100_000


def test_megabytes_of_arguments_cost_no_more_than_the_budget() -> None:
    many, long = (1,) * 1_000_000, "x" * 5_000_000
    peak, calls = _cost(lambda: checked(encode_call(("a",), many, {"b": long}), 8192))
    assert peak < 1_000_000
    assert calls < 100_000


def test_megabytes_of_messages_cost_no_more_than_the_budget() -> None:
    long = {"role": "user", "content": "x" * 5_000_000}
    blocks = {"role": "user", "content": [{"type": "text", "text": "x" * 500}] * 100_000}
    short = {"role": "user", "content": "hello"}
    for messages in ([long] * 5, [blocks] * 5, [short] * 100_000, long["content"]):
        peak, calls = _cost(lambda messages=messages: encode_messages(messages))
        assert peak < 2_000_000
        assert calls < 200_000


@pytest.mark.parametrize("secret", ["sk-proj-CANARYcanary01234", "password=CANARYcanary"])
def test_no_cut_leaks_a_part_of_a_secret(secret: str) -> None:
    values = [
        f"{'word ' * 10}{secret} {'x' * 3_000}",
        {"note": f"{'word ' * 5}{secret} {'x' * 3_000}", "n": [1]},
        ["lorem " * 5, [secret, secret, {"a": secret}], secret],
        {secret: 1, "b": {secret + " x" * 300: secret}},
        Order(1, f"{'word ' * 5}{secret} {'x' * 3_000}", [secret]),
        type("S", (str,), {})(f"{'word ' * 10}{secret} {'x' * 3_000}"),
    ]
    for value in values:
        for max_bytes in range(16, 300):
            encoded = encode(value, max_bytes=max_bytes)
            checked(encoded, max_bytes)
            assert "CANA" not in encoded.text
            assert "canary" not in encoded.text
