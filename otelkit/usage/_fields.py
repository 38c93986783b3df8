"""Careful access to the fields of responses: plain dicts and the clients' own objects alike."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

_MOST = 10**15  # of tokens and USD; beyond it a number is a mistake


def get(value: Any, name: str) -> Any:
    """The field ``name`` of a dict or of an object of a known client package; None if absent.

    Looks where objects and pydantic models keep their fields: that runs no property of a class
    derived from them, and costs a fifth of ``getattr`` where the field is absent.
    """
    if type(value) is dict:
        return value.get(name)
    if value is None:
        return None
    if isinstance(value, dict):
        return dict.get(value, name)
    fields = getattr(value, "__dict__", None)
    if fields is None:
        return None
    found = fields.get(name)
    if found is None and (extra := getattr(value, "__pydantic_extra__", None)):
        found = extra.get(name)
    return found


def getter(value: Any) -> Callable[[str], Any]:
    """``get()`` for several fields of one value: looks only once where it keeps them."""
    if type(value) is dict:
        return value.get
    fields = None if isinstance(value, dict) else getattr(value, "__dict__", None)
    if fields is None or getattr(value, "__pydantic_extra__", None):
        return partial(get, value)
    return fields.get  # type: ignore[no-any-return]


def either(value: Any, name: str, other: str) -> Any:
    """The first of two spellings of a field that is there."""
    found = get(value, name)
    return get(value, other) if found is None else found


def tokens(value: object) -> int:
    """A token count: what is not a positive number (None, a client's own "unset") counts 0."""
    if type(value) is int:
        return value if 0 < value < _MOST else 0
    if value is not None and isinstance(value, (int, float)) and 0 < value < _MOST:
        return int(value)  # some clients count in floats
    return 0


def amount(value: object) -> float | None:
    """A sum of money, or None for what is none."""
    if value is None:
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < _MOST:
        return float(value)
    return None


def text(value: object) -> str | None:
    """A string that says something, or None. The value of an enum whose members are strings."""
    if type(value) is str:
        return value or None
    return str(getattr(value, "value", value)) if isinstance(value, str) and value else None


def items(value: object) -> list[Any] | tuple[Any, ...]:
    """A list as it is; anything else (None, a client's own "unset") is an empty one."""
    return value if isinstance(value, (list, tuple)) else ()
