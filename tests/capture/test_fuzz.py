"""Thousands of values nobody thought of: nothing raises, nothing exceeds its budget, nothing leaks.

    OTELKIT_FUZZ=100000 pytest tests/capture/test_fuzz.py

tries that many; a hundred otherwise.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import enum
import inspect
import os
import uuid
from typing import Any, NamedTuple

import numpy as np
import pydantic
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otelkit.capture import describe, encode, encode_call, encode_messages
from tests.capture import hostile
from tests.capture.reading import checked, strictly

EXAMPLES = int(os.environ.get("OTELKIT_FUZZ", "100"))
# What must never come out: under a sensitive key, or shaped like a secret.
CANARY = "CANARY"
SENSITIVE = ["password", "api_key", "X-Api-Key", "accessToken", "Set-Cookie", "client_secret"]
SHAPED = [
    f"sk-proj-{CANARY}0123456789", f"Bearer {CANARY}0123456789", f"password={CANARY}",
    f'{{"token": "{CANARY}"}}', f"postgres://u:{CANARY}@h/d", f"ghp_{CANARY}0123456789abcdef",
    f"Cookie: a={CANARY}",
]  # fmt: skip


class Kind(enum.Enum):
    ONE = "one"
    TWO = ("two", 2)


class Pair(NamedTuple):
    left: Any
    password: Any


@dataclasses.dataclass
class Record:
    name: Any
    api_key: Any


class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)
    name: Any = None
    client_secret: Any = None


def _generator() -> Any:
    yield 1


class Recipe(NamedTuple):
    """How to make a value. Hypothesis gets to see only these: it may call what it generates."""

    how: str
    parts: Any


def _looped(items: list[Any]) -> list[Any]:
    items.append({"again": items})
    return items


def _pairs(items: list[Any]) -> dict[Any, Any]:
    return dict(zip(items[::2], items[1::2], strict=True))


MAKERS: dict[str, Any] = {
    "list": list,
    "tuple": tuple,
    "deque": collections.deque,
    "hostile list": hostile.HostileList,
    "hostile tuple": hostile.HostileTuple,
    "hostile set": lambda parts: hostile.HostileSet([len(parts)]),
    "looped": _looped,
    "many": lambda parts: parts * 200,
    "error": lambda parts: ValueError(*parts),
    "hostile error": lambda parts: hostile.HostileError(*parts),
    "dict": _pairs,
    "ordered": lambda parts: collections.OrderedDict(_pairs(parts)),
    "hostile dict": lambda parts: hostile.HostileDict(_pairs(parts)),
    "pair": lambda parts: Pair(parts[0], [CANARY, *parts]),
    "record": lambda parts: Record(parts, api_key={"a": CANARY, "b": parts}),
    "model": lambda parts: Model(name=parts, client_secret=[CANARY, parts]),
    "frozenset": lambda parts: frozenset(part for part in parts if type(part) is str),
    "hostile str": lambda parts: hostile.HostileStr(parts[0]),
    "hostile key": lambda parts: hostile.HostileKey(parts[0]),
    "hostile int": lambda parts: hostile.HostileInt(parts[0]),
    "hostile": lambda parts: hostile.HostileObject(),
    "hostile class": lambda parts: hostile.with_hostile_class(),
    "generator": lambda parts: _generator(),
    "huge integer": lambda parts: 1 << 20_000,
    "long": lambda parts: (parts[0] + " ") * parts[1],
}


def build(recipe: Any) -> Any:
    if type(recipe) is not Recipe:
        return recipe
    return MAKERS[recipe.how]([build(part) for part in recipe.parts])


def recipe(how: str, *parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(*parts).map(lambda made: Recipe(how, made))


ANY_TEXT = st.text(st.characters(codec=None), max_size=40)
TEXTS = ANY_TEXT | st.builds("{} {} x".format, ANY_TEXT, st.sampled_from(SHAPED))
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(10**18, 10**25), st.floats(), TEXTS,
    st.binary(max_size=20), st.binary().map(bytearray), st.complex_numbers(), st.decimals(),
    st.fractions(), st.uuids(), st.datetimes(), st.dates(), st.times(), st.timedeltas(),
    st.datetimes(timezones=st.timezones()), st.sampled_from(Kind),
    st.sampled_from([Kind, int, len, _generator, NotImplemented, range(9), object()]),
    st.sampled_from([np.float32(1.5), np.zeros((2, 2)), np.int8(3), np.str_("text")]),
    st.sampled_from(["hostile", "hostile class", "huge integer", "generator"]).flatmap(recipe),
    recipe("hostile str", TEXTS), recipe("hostile int", st.integers()),
    recipe("long", TEXTS, st.integers(1, 3_000)),
)  # fmt: skip
KEYS = st.one_of(
    TEXTS, st.integers(), st.floats(), st.binary(max_size=9), st.none(), st.sampled_from(Kind),
    st.tuples(TEXTS, st.integers()), st.just(uuid.UUID(int=1)), st.just(datetime.date.min),
    recipe("hostile key", TEXTS), recipe("frozenset", TEXTS, TEXTS),
)  # fmt: skip
LISTS = ["list", "tuple", "deque", "hostile list", "hostile tuple", "looped", "many", "error",
         "hostile error", "pair", "record", "model", "hostile set"]  # fmt: skip
DICTS = ["dict", "ordered", "hostile dict"]


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    hidden = recipe("list", st.just(CANARY), inner)
    members = st.tuples(KEYS, inner) | st.tuples(st.sampled_from(SENSITIVE), hidden)
    flat = st.lists(members, max_size=5).map(
        lambda pairs: [part for pair in pairs for part in pair]
    )
    return st.builds(Recipe, st.sampled_from(LISTS), st.lists(inner, min_size=1, max_size=6)) | (
        st.builds(Recipe, st.sampled_from(DICTS), flat)
    )


VALUES = st.recursive(SCALARS, _containers, max_leaves=12)
ROLES = st.sampled_from(["user", "system", "assistant", "tool", "model", "developer"])
TYPES = st.sampled_from(["human", "ai", "function_call", "function_call_output", "reasoning"])
MEMBERS = st.one_of(
    st.tuples(st.just("role"), ROLES | VALUES), st.tuples(st.just("type"), TYPES | VALUES),
    st.tuples(st.just("content"), TEXTS | VALUES), st.tuples(st.just("tool_call_id"), TEXTS),
    st.tuples(st.sampled_from(["parts", "tool_calls", "text", "finish_reason"]), VALUES),
)  # fmt: skip
MESSAGE = st.tuples(ROLES, st.lists(MEMBERS, max_size=5)).map(
    lambda made: Recipe("dict", ["role", made[0], *(part for pair in made[1] for part in pair)])
)
MESSAGES = VALUES | st.builds(Recipe, st.just("list"), st.lists(MESSAGE | VALUES, max_size=5))
BUDGETS = st.integers(16, 600) | st.integers(600, 20_000)

fuzz = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


@fuzz
@given(VALUES, BUDGETS, st.booleans())
def test_any_value_is_bounded_json_without_secrets(made: Any, budget: int, redact: bool) -> None:
    value, generator = build(made), _generator()
    encoded = encode([value, generator], max_bytes=budget, redact=redact)
    checked(encoded, budget)
    checked(encode(value, max_bytes=budget, redact=redact), budget)
    checked(encode_call(("a",), (value, value), {"b": value}, max_bytes=budget), budget)
    describe(value)
    assert inspect.getgeneratorstate(generator) == inspect.GEN_CREATED
    if redact:
        assert CANARY not in encoded.text


@fuzz
@given(MESSAGES, BUDGETS)
def test_any_messages_are_bounded_json_of_roles_and_parts(made: Any, budget: int) -> None:
    text = encode_messages(build(made), max_bytes=budget)
    if text is None:
        return
    assert len(text.encode()) <= budget
    assert CANARY not in text
    for message in strictly(text):
        assert type(message["role"]) is str
        assert all("type" in part for part in message["parts"])
