"""Readers of values that JSON has no word for: each gives a text or a number.

A reader takes the value and the class that it is known by, which may be a base of its own class.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from otelkit.capture import _look
from otelkit.capture._look import type_name
from otelkit.redaction import REDACTED, is_card_number

_LONGEST_DECIMAL = 4096  # bytes in memory, nine digits in four or nineteen in eight
_MOST_BITS = 2048  # of an integer: Python can be set to refuse more than 640 digits
_MOST_COLUMNS = 32

_DATE = ("year", "month", "day")
_TIME = ("hour", "minute", "second", "microsecond")


def integer(value: int, redact: bool) -> str:
    """An integer as JSON: its digits, or a text where they are too many or those of a card."""
    bits = int.bit_length(value)
    if bits > _MOST_BITS:
        return f'"<int of {bits} bits>"'
    if bits > 40 and redact and is_card_number(int.__index__(value)):
        return f'"{REDACTED}"'
    return int.__repr__(value)


def label(value: object) -> str:
    """What stands for an object of which nothing but the type is told."""
    return f"<{type_name(type(value))}>"


def enum(member: object, _cls: type) -> object:
    """The value of an enumeration's member."""
    return _look.attribute(member, "_value_")


def bytes_(value: Any, cls: Any) -> str:
    """The length of bytes or a bytearray, never the content."""
    return f"<{type_name(type(value))} len={cls.__len__(value)}>"


def memoryview_(value: memoryview, cls: Any) -> str:
    """The length of a memory view in bytes."""
    return f"<memoryview len={cls.nbytes.__get__(value)}>"


def complex_(value: complex, _cls: type) -> str:
    """As Python writes it."""
    return complex.__repr__(value)


def datetime_(value: datetime, _cls: type) -> str:
    """In ISO 8601; naive where the time zone is the application's own code."""
    parts = {name: getattr(datetime, name).__get__(value) for name in (*_DATE, *_TIME)}
    return datetime(**parts, tzinfo=_zone(value, datetime)).isoformat()


def time_(value: time, _cls: type) -> str:
    """In ISO 8601; naive where the time zone is the application's own code."""
    parts = {name: getattr(time, name).__get__(value) for name in _TIME}
    return time(**parts, tzinfo=_zone(value, time)).isoformat()


def date_(value: date, _cls: type) -> str:
    """In ISO 8601."""
    return date.isoformat(value)


def timedelta_(value: timedelta, _cls: type) -> str:
    """As Python writes it: ``1 day, 0:00:30``."""
    return timedelta.__str__(value)


def decimal(value: Any, cls: Any) -> str:
    """Every digit, unless there are thousands."""
    return cls.__str__(value) if cls.__sizeof__(value) < _LONGEST_DECIMAL else label(value)


def uuid(value: Any, cls: Any) -> str:
    """In its canonical form."""
    number = _look.namespace(cls)["int"].__get__(value)
    return str(cls(int=number)) if type(number) is int else label(value)


def path(value: Any, cls: type) -> str:
    """A path of the standard library as text."""
    return str(value) if type(value) is cls else label(value)


def array(value: Any, cls: Any) -> str:
    """The shape and type of a NumPy array."""
    shape, dtype = cls.shape.__get__(value), cls.dtype.__get__(value)
    return f"<{type_name(type(value))} shape={shape!r} dtype={dtype.name}>"


def array_scalar(value: Any, cls: Any) -> object:
    """A NumPy scalar as a plain number, where there is one."""
    plain = cls.item(value)
    kind = type(plain)
    is_number = kind is bool or kind is int or kind is float or kind is complex
    return plain if is_number else label(value)


def tensor(value: Any, cls: Any) -> str:
    """The shape and type of a tensor; subclasses may run code when asked."""
    if type(value) is not cls:
        return label(value)
    return f"<{type_name(cls)} shape={tuple(value.shape)!r} dtype={value.dtype}>"


def series(value: Any, cls: Any) -> str:
    """The shape and type of a pandas series; subclasses may run code when asked."""
    if type(value) is not cls:
        return label(value)
    return f"<{type_name(cls)} shape={value.shape!r} dtype={_dtype(value.dtype)}>"


def frame(value: Any, cls: Any) -> str:
    """The shape of a pandas data frame, and its types; subclasses may run code when asked."""
    if type(value) is not cls:
        return label(value)
    shape = value.shape
    if shape[1] > _MOST_COLUMNS:
        return f"<{type_name(cls)} shape={shape!r}>"
    dtypes = ", ".join(dict.fromkeys(map(_dtype, value.dtypes)))
    return f"<{type_name(cls)} shape={shape!r} dtypes={dtypes}>"


def function(value: FunctionType, _cls: type) -> str:
    """The qualified name of a function."""
    module, name = value.__module__, value.__qualname__
    known = type(name) is str and type(module) is str
    return f"<function {module}.{name}>" if known else label(value)


def method(value: MethodType, _cls: type) -> str:
    """The qualified name of a method; nothing of the object it is bound to."""
    behind = value.__func__
    return function(behind, FunctionType) if type(behind) is FunctionType else label(value)


def builtin(value: BuiltinFunctionType, _cls: type) -> str:
    """The name of a function written in C."""
    return f"<function {value.__name__}>"


def class_(value: type, _cls: type) -> str:
    """The qualified name of a class."""
    return f"<class {type_name(value)}>"


def _dtype(dtype: object) -> str:
    """The name of an array's type; types from elsewhere may run code when asked."""
    package = _look.module_of(type(dtype)).partition(".")[0]
    return str(dtype) if package in ("numpy", "pandas") else label(dtype)


def _zone(value: Any, cls: Any) -> Any:
    """The time zone of ``value`` if it can be asked without running the application's code."""
    zone = cls.tzinfo.__get__(value)
    kind = type(zone)
    is_plain = kind is timezone or _look.is_genuine(kind, "zoneinfo", "ZoneInfo")
    return zone if is_plain else None
