"""The short way for plain values says the same as the writer, with either C encoder."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otelkit.capture import _plain, encode
from otelkit.capture._plain import encode_plain
from otelkit.capture._writer import Writer
from tests.capture.reading import strictly

NUMBERS = (
    st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.none() | st.booleans()
)
TEXTS = st.text() | st.sampled_from(["password=x", "sk-abcdefgh12345678", "Bearer abcdefgh"])
KEYS = st.text(max_size=8) | st.sampled_from(["password", "token", "max_tokens", "name"])
PLAIN = st.recursive(
    NUMBERS | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner) | st.tuples(inner, inner),
)


@pytest.fixture(params=["orjson", "json"], scope="module", autouse=True)
def encoder(request: pytest.FixtureRequest) -> Iterator[None]:
    """Once with orjson, once as if that was not installed."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "json":
            patch.setitem(sys.modules, "orjson", None)
        _plain._encoder.cache_clear()
        yield
    _plain._encoder.cache_clear()


@settings(max_examples=50, deadline=None)
@given(PLAIN, st.booleans())
def test_the_short_way_says_the_same_as_the_writer(value: Any, redact: bool) -> None:
    writer = Writer(100_000, redact, scrub_whole=redact)
    writer.write(value)
    written = strictly(writer.text())
    assert strictly(encode(value, max_bytes=100_000, redact=redact).text) == written
    if (plain := encode_plain(value, 100_000, redact)) is not None:
        assert strictly(plain[0]) == written
        assert plain[1] == len(plain[0].encode())


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, 2.5, "x", None, True, {"b": "ü"}]}, [], "text", {"at": 1732290000000},
        {"at": 1732290000000000000}, {"scores": [0.8373849273849234] * 20}, 10**12, 0, None,
        "The time is 10:20, see https://example.com/a?b=c for input_tokens and basic facts",
    ],
)  # fmt: skip
def test_ordinary_values_go_the_short_way(value: Any) -> None:
    assert encode_plain(value, 8192, True) is not None


@pytest.mark.parametrize(
    "value",
    [
        {"password": 1}, ["password=x"], 4111111111111111, {1: 2}, {1, 2}, object(), float("nan"),
        10**30, {"k" * 100: 1}, ["x" * 9000], [1] * 9000, b"", {"a": {"b": [float("inf")]}},
    ],
)  # fmt: skip
def test_all_other_values_are_for_the_writer(value: Any) -> None:
    assert encode_plain(value, 8192, True) is None


def test_without_redaction_secrets_go_the_short_way_too() -> None:
    for value in ({"password": "x"}, ["password=x"], 4111111111111111):
        assert encode_plain(value, 8192, False) is not None


def test_orjson_is_not_imported_before_it_is_needed() -> None:
    program = "import sys, otelkit.capture; print('orjson' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


def test_keys_of_a_dict_that_cannot_fit_are_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[str] = []
    monkeypatch.setattr(_plain, "admit", lambda key: not judged.append(key))
    assert encode_plain({f"a wide dict {i}": 0 for i in range(1639)}, 8192, True) is None
    assert judged == []
    assert encode_plain({"a narrow dict": 0}, 8192, True) is not None
    assert judged == ["a narrow dict"]
