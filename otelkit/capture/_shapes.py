"""Known shapes: which reader simplifies an object that is no plain container, text or number.

Libraries are recognised by the module and name of a class, in modules that are already loaded:
nothing is imported to look at a value.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from itertools import islice
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from otelkit.capture import _look, _records, _scalars
from otelkit.capture._look import type_name

# Takes an object and the class by which it is known, gives something simpler.
Reader = Callable[[Any, type], Any]

_MOST_FIELDS = 256  # of a mapping that is no plain dict

# By identity: the hash of a class may be code of its metaclass. Built-in classes are never freed.
_BUILTIN: dict[int, Reader] = {
    id(cls): reader
    for cls, reader in (
        (bytes, _scalars.bytes_),
        (bytearray, _scalars.bytes_),
        (memoryview, _scalars.memoryview_),
        (complex, _scalars.complex_),
        (datetime, _scalars.datetime_),
        (date, _scalars.date_),
        (time, _scalars.time_),
        (timedelta, _scalars.timedelta_),
        (BaseException, _records.exception),
        (FunctionType, _scalars.function),
        (MethodType, _scalars.method),
        (BuiltinFunctionType, _scalars.builtin),
        (type, _scalars.class_),
    )
}
_BY_PACKAGE: dict[str, dict[str, Reader]] = {
    "enum": {"Enum": _scalars.enum},
    "decimal": {"Decimal": _scalars.decimal},
    "uuid": {"UUID": _scalars.uuid},
    "pathlib": dict.fromkeys(
        ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath"), _scalars.path
    ),
    "pydantic": {"BaseModel": _records.pydantic},
    "langchain_core": {"BaseMessage": _records.langchain_message},
    "numpy": {"ndarray": _scalars.array, "generic": _scalars.array_scalar},
    "torch": {"Tensor": _scalars.tensor, "Parameter": _scalars.tensor},
    "pandas": {"DataFrame": _scalars.frame, "Series": _scalars.series},
}
_RECORDS = (_records.dataclass, _records.attrs, _records.pydantic)
_LENGTHS: dict[int, Callable[[Any], int]] = {
    id(cls): cls.__len__
    for cls in (str, bytes, bytearray, list, tuple, dict, set, frozenset, deque)
}


def find(cls: type) -> Reader | None:
    """The reader that goes with ``cls``, its bases aside; None if its shape is unknown."""
    reader = _BUILTIN.get(id(cls)) or _of_library(cls)
    if reader:
        return reader
    names = _look.namespace(cls)
    if type(names.get("__dataclass_fields__")) is dict:
        return _records.dataclass
    if "__attrs_attrs__" in names:
        return _records.attrs
    if type(names.get("_fields")) is tuple and issubclass(cls, tuple):
        return _records.namedtuple
    return None


def fields(obj: Any) -> dict[str, Any] | None:
    """The named values of a mapping, model, dataclass or attrs object; None for all else."""
    if type(obj) is dict:
        return obj
    for cls in _look.mro(type(obj)):
        if cls is dict:
            members = islice(dict.items(obj), _MOST_FIELDS)
            return {key: value for key, value in members if type(key) is str}
        reader = find(cls)
        if reader is _records.langchain_message:
            reader = _records.pydantic
        if reader in _RECORDS:
            return reader(obj, cls)
    return None


def describe(value: object) -> tuple[str, int | None]:
    """What metadata tells of ``value``; nothing is encoded, nothing is counted.

    Returns:
        The qualified type name, without a module for built-in types; and ``len()`` for built-in
        texts and containers and what derives from them, else None.
    """
    cls = type(value)
    for base in _look.mro(cls):
        length = _LENGTHS.get(id(base))
        if length:
            return type_name(cls), length(value)
    return type_name(cls), None


def _of_library(cls: type) -> Reader | None:
    module = _look.module_of(cls)
    readers = _BY_PACKAGE.get(module.partition(".")[0])
    if readers is None:
        return None
    name = _look.name_of(cls)
    reader = readers.get(name)
    return reader if reader and _look.is_genuine(cls, module, name) else None
