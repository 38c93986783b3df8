"""A callable object whose calls are traced, and which is otherwise the object."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any

from otelkit.decorators._proxy import Proxy

# What Python asks the type of an object for. The proxy library has some of them whatever the object
# is, and others never.
_ASKED_OF_THE_TYPE = (
    *("__iter__", "__next__", "__len__", "__length_hint__", "__contains__", "__reversed__"),
    *("__enter__", "__exit__", "__aenter__", "__aexit__", "__await__", "__aiter__", "__anext__"),
    *("__getitem__", "__fspath__", "__get__", "__set_name__"),
)
_MAY_BE_ANOTHERS = ("__iter__", "__contains__", "__reversed__")  # done with __iter__ or __getitem__


def traced_object(called: Any, traced: Callable[..., Any]) -> TracedObject:
    """``called`` as a :class:`TracedObject` that can do what its type can, and no more."""
    mro = type(called).__mro__
    found = (next((vars(k)[n] for k in mro if n in vars(k)), None) for n in _ASKED_OF_THE_TYPE)
    has = tuple(
        n for n, method in zip(_ASKED_OF_THE_TYPE, found, strict=True) if method is not None
    )
    return _kind(has)(called, traced)


class TracedObject(Proxy):
    """``called`` in a transparent proxy: same class to ``isinstance``, same attributes.

    Args:
        called: The object.
        traced: The function that calls it, and is traced.
    """

    def __init__(self, called: Any, traced: Callable[..., Any]) -> None:
        super().__init__(called)
        self._self_traced = traced

    @property
    def __call__(self) -> Callable[..., Any]:
        return self._self_traced  # a property: no frame of its own in tracebacks


@functools.cache
def _kind(has: tuple[str, ...]) -> type[TracedObject]:
    # A method that is None is one that the type does not have, to Python and to isinstance.
    kept = _MAY_BE_ANOTHERS if "__iter__" in has or "__getitem__" in has else ()
    members: dict[str, Any] = {
        name: None
        for name in _ASKED_OF_THE_TYPE
        if name not in has and name not in kept and hasattr(TracedObject, name)
    }
    members.update({name: _bind if name == "__get__" else _passed_on(name) for name in has})
    return type("TracedObject", (TracedObject,), members)


def _passed_on(name: str) -> Callable[..., Any]:
    def method(self: TracedObject, *args: Any) -> Any:
        return getattr(type(self.__wrapped__), name)(self.__wrapped__, *args)

    return method


def _bind(self: TracedObject, instance: object, owner: type | None = None) -> Any:
    called = self.__wrapped__
    if instance is None or type(called).__get__(called, instance, owner) is called:
        return self
    return types.MethodType(self, instance)
