"""Readers of objects with named values: each gives a dict, the values as they are."""

from __future__ import annotations

from typing import Any

from otelkit.capture import _look
from otelkit.capture._look import type_name

_MANY = 1000


def dataclass(obj: object, cls: type) -> dict[str, Any]:
    """The fields of a dataclass, with or without slots."""
    return _look.record(obj, _look.namespace(cls)["__dataclass_fields__"])


def attrs(obj: object, _cls: type) -> dict[str, Any]:
    """The fields of an attrs class, with or without slots."""
    found: dict[str, Any] = {}
    for cls in reversed(_look.mro(type(obj))):
        names = _look.namespace(cls)
        slots = names.get("__slots__")
        if "__attrs_attrs__" in names and type(slots) is tuple:
            found |= _look.record(obj, slots)
    return found | _look.attributes(obj)


def namedtuple(obj: tuple[Any, ...], cls: type) -> dict[str, Any]:
    """The fields of a named tuple."""
    fields = _look.namespace(cls)["_fields"]
    return dict(zip(fields, tuple.__iter__(obj), strict=False))


def pydantic(obj: object, _cls: type) -> dict[str, Any]:
    """The fields of a pydantic model (1 and 2) and what it allows beside them.

    Not by ``model_dump()``: serializers are the application's code.
    """
    fields = _look.attributes(obj)
    extra = _look.attribute(obj, "__pydantic_extra__")
    if type(extra) is not dict:
        return fields
    # There may be any number of these; many are not worth a copy.
    return {**fields, **extra} if len(extra) <= _MANY else {**fields, "__pydantic_extra__": extra}


def langchain_message(obj: object, _cls: type) -> dict[str, Any]:
    """The role, content and tool calls of a LangChain message."""
    fields = _look.attributes(obj)
    found = {"role": fields.get("type"), "content": fields.get("content")}
    for name in ("name", "tool_calls", "tool_call_id"):
        value = fields.get(name)
        if value is not None and not (type(value) is list and not value):
            found[name] = value
    return found


def exception(error: BaseException, _cls: type) -> dict[str, Any]:
    """The type and the arguments of an exception; ``str(error)`` is its class's own code."""
    args = BaseException.args.__get__(error)  # type: ignore[attr-defined]
    return {"type": type_name(type(error)), "args": args}
