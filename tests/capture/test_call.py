"""The arguments of a call by their names."""

from __future__ import annotations

from typing import Any

from otelkit.capture import encode_call
from tests.capture.reading import checked


def shown(names: tuple[str, ...], args: Any, kwargs: Any, **options: Any) -> Any:
    return checked(encode_call(names, args, kwargs, **options), 8192)


def test_arguments_are_called_as_the_function_calls_them() -> None:
    assert shown(("a", "b"), (1,), {"b": 2, "more": [3]}) == {"a": 1, "b": 2, "more": [3]}
    assert shown((), (), {}) == {}


def test_further_positional_arguments_stand_under_the_name_of_the_variadic_parameter() -> None:
    assert shown(("a",), (1, 2, 3), {"b": 4}) == {"a": 1, "args": [2, 3], "b": 4}
    assert shown((), (1, 2), {}, variadic="parts") == {"parts": [1, 2]}


def test_arguments_with_sensitive_names_are_hidden_unless_told_otherwise() -> None:
    assert shown(("user", "password"), ("ada", "hunter2"), {"api_key": "x"}) == {
        "user": "ada",
        "password": "[redacted]",
        "api_key": "[redacted]",
    }
    assert shown(("password",), ("hunter2",), {}, redact=False) == {"password": "hunter2"}


def test_a_call_is_cut_like_any_value() -> None:
    encoded = encode_call(("a", "b"), ("x" * 500, "y"), {}, max_bytes=100)
    assert encoded.truncated
    assert checked(encoded, 100)["a"].endswith("…[cut]")


def test_whatever_stands_in_for_arguments_does_not_raise() -> None:
    bad: Any = None
    assert encode_call(("a",), bad, {}).text == "null"
    assert encode_call(("a",), (1,), bad).text == "null"
