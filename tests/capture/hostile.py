"""Classes all of whose methods go off when anything calls them."""

from __future__ import annotations

from collections import deque
from typing import Any


class Touched(BaseException):
    """Code of a hostile class was run."""


def bang(*args: Any, **kwargs: Any) -> Any:
    raise Touched


NAMES = [
    "__getattribute__", "__getattr__", "__repr__", "__str__", "__format__", "__bytes__", "__len__",
    "__iter__", "__next__", "__aiter__", "__anext__", "__getitem__", "__contains__", "__bool__",
    "__eq__", "__ne__", "__lt__", "__int__", "__float__", "__index__", "__length_hint__",
    "__call__", "__reversed__", "__dir__", "__sizeof__", "__reduce__", "__fspath__", "__enter__",
    "__buffer__", "__instancecheck__", "__subclasscheck__", "__mro_entries__", "__get__",
]  # fmt: skip
PUBLIC = [
    "items", "keys", "values", "get", "copy", "encode", "lower", "strip", "isoformat", "model_dump",
    "dict", "json", "to_dict", "_asdict", "bit_length", "as_tuple", "name", "value", "utcoffset",
]  # fmt: skip

METHODS: dict[str, Any] = dict.fromkeys([*NAMES, *PUBLIC], bang)
PROPERTIES: dict[str, Any] = {
    name: property(bang)
    for name in ("__class__", "__dict__", "_fields", "args", "model_fields", "role", "content")
}


class HostileMeta(type):
    """Even the class must not be asked."""

    __getattribute__ = bang
    __hash__ = bang  # type: ignore[assignment]
    __eq__ = bang
    __repr__ = bang
    __str__ = bang
    __call__ = bang
    __instancecheck__ = bang
    __subclasscheck__ = bang
    __len__ = bang
    __bool__ = bang
    __module__ = property(bang)  # type: ignore[assignment]
    __name__ = property(bang)  # type: ignore[assignment]
    __mro__ = property(bang)  # type: ignore[assignment]
    __dict__ = property(bang)  # type: ignore[assignment]


def _class(base: type, meta: type = type, **more: Any) -> Any:
    body = {**METHODS, **PROPERTIES, "__hash__": base.__hash__, **more}
    body["__module__"] = "hostile"
    return type.__new__(meta, f"Hostile{base.__name__}", (base,), body)


HostileObject = _class(object)
HostileDict = _class(dict)
HostileList = _class(list)
HostileTuple = _class(tuple)
HostileSet = _class(set)
HostileFrozenset = _class(frozenset)
HostileDeque = _class(deque)
HostileStr = _class(str)
HostileKey = _class(str, __hash__=object.__hash__)  # equal to no other, so never compared
HostileInt = _class(int)
HostileFloat = _class(float)
HostileBytes = _class(bytes)
HostileError = _class(ValueError)


def with_hostile_class() -> Any:
    """An object whose class goes off when it is hashed, compared or asked for its name."""
    return object.__new__(_class(object, HostileMeta))
