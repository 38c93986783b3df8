"""Whatever is not a response: no usage, no error, and nothing of it touched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import UserDict, namedtuple
from collections.abc import Callable
from typing import Any
from unittest.mock import MagicMock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion
from usage_payloads import FILES, load

from otelkit.usage import Stream, Usage, messages, read

EXAMPLES = int(os.environ.get("OTELKIT_FUZZ", "100"))  # as in tests/capture/test_fuzz.py


class Hostile:
    """Raises at every touch."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __bool__(self) -> bool:
        raise RuntimeError

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    __hash__ = None  # type: ignore[assignment]


class Counting:
    """Notes which of its attributes were asked for."""

    def __init__(self) -> None:
        object.__setattr__(self, "asked", [])

    def __getattr__(self, name: str) -> Any:
        object.__getattribute__(self, "asked").append(name)
        return Counting()


class HostileDict(dict[str, Any]):
    def get(self, *args: Any) -> Any:
        raise RuntimeError

    def __getitem__(self, key: str) -> Any:
        raise RuntimeError

    def __contains__(self, key: object) -> bool:
        raise RuntimeError


class HostileMeta(type):
    def __getattribute__(cls, name: str) -> Any:
        raise RuntimeError(name)


class OfHostileMeta(metaclass=HostileMeta):
    pass


class HostileCompletion(ChatCompletion):
    """A known class, gone bad."""

    @property
    def usage(self) -> Any:  # type: ignore[override]
        raise RuntimeError


Pair = namedtuple("Pair", "result usage")


def generator() -> Any:
    raise AssertionError("consumed")
    yield


OTHERS: dict[str, Callable[[], Any]] = {  # made in the test: pytest would touch them
    "None": lambda: None,
    "number": lambda: 0,
    "text": lambda: "text",
    "bytes": lambda: b"bytes",
    "list": list,
    "dict": dict,
    "tuple": tuple,
    "pair": lambda: (1, 2),
    "hostile pair": lambda: (Hostile(), Hostile()),
    "a usage of its own": lambda: {"usage": {"total": 3}},
    "a survey": lambda: {"choices": ["a", "b"]},
    "a car": lambda: {"model": "a car", "done": "yes"},
    "a mail": lambda: {"type": "message", "text": "hello"},
    "a page": lambda: {"data": [], "object": "list"},
    "odd keys": lambda: {1: 2, None: 3},
    "unhashable type": lambda: {"type": ["message"]},
    "mapping": lambda: UserDict(usage={"prompt_tokens": 1}),
    "named tuple": lambda: Pair("a", {"prompt_tokens": 1}),
    "hostile": Hostile,
    "hostile class": lambda: type.__call__(OfHostileMeta),
    "hostile dict": lambda: HostileDict(choices=[], usage={}),
    "generator": generator,
    "mock": MagicMock,
    "class": lambda: Usage,
    "function": lambda: generator,
    "module": lambda: sys,
}


@pytest.mark.parametrize("kind", OTHERS)
def test_anything_else_gives_nothing_and_no_error(kind: str) -> None:
    value = OTHERS[kind]()
    assert read(value) is None
    assert messages(value) is None
    stream = Stream(capture=True)
    stream.feed(value)
    assert stream.reply() is None
    assert stream.messages() is None


def test_no_attribute_of_an_unknown_object_is_asked_for() -> None:
    unknown = Counting()
    read(unknown)
    messages((unknown, unknown))
    Stream().feed(unknown)
    assert unknown.asked == []


def test_properties_of_a_derived_class_are_not_run() -> None:
    payload = load("openai_chat")["response"]
    reply = read(HostileCompletion.model_construct(**payload))
    assert reply is not None
    assert reply.id == "chatcmpl-C9x1"


def test_a_known_response_with_fields_of_the_wrong_kind_is_read_as_far_as_it_goes() -> None:
    response = ChatCompletion.model_construct(**load("openai_chat")["response"])
    response.__dict__.update(
        id=7, model=["x"], choices=[None, 3, Hostile()], usage="none", service_tier=object()
    )
    reply = read(response)
    assert reply is not None
    assert (reply.id, reply.model, reply.usage) == (None, None, Usage())


# Everything that any payload holds, shuffled: the right keys with the wrong things in them.
_NAMES = st.sampled_from(
    sorted({key for file in FILES for key in json.dumps(load(file.stem)).split('"')[1::2]})
)
_VALUES: Any = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9), _NAMES),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_NAMES, inner, max_size=6),
    max_leaves=25,
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.dictionaries(_NAMES, _VALUES, max_size=8))
def test_dicts_of_any_shape_never_raise_and_give_what_is_valid(value: dict[str, Any]) -> None:
    stream = Stream(capture=True, max_bytes=200)
    for _ in range(3):
        stream.feed(value)
    for reply in (read(value), stream.reply()):
        if reply is not None and reply.usage is not None:
            usage = reply.usage
            counts = (usage.input_tokens, usage.output_tokens, usage.reasoning_tokens)
            assert all(type(count) is int and count >= 0 for count in counts)
            assert usage.cost is None or usage.cost >= 0
    json.dumps([messages(value), stream.messages()])


def test_every_payload_names_its_source_and_date() -> None:
    assert len(FILES) > 20
    for file in FILES:
        payload = load(file.stem)
        assert payload["_source"]
        assert payload["_date"].startswith("20")


def test_importing_usage_and_pricing_imports_no_client_no_table_and_no_sdk() -> None:
    code = (
        "import sys, otelkit.usage, otelkit.pricing\n"
        "roots = {name.partition('.')[0] for name in sys.modules}\n"
        "bad = roots & {'openai', 'anthropic', 'google', 'langchain_core', 'ollama', 'cohere',"
        " 'mistralai', 'litellm', 'genai_prices', 'pydantic', 'httpx'}\n"
        "assert not bad, bad\n"
        "assert 'opentelemetry.sdk' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
