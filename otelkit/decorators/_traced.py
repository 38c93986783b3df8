"""What every decorator is: applied to functions, methods, classes and objects, or entered."""

from __future__ import annotations

import functools
import inspect
import sys
import types
from collections.abc import Callable
from types import TracebackType
from typing import Any, Generic, TypeVar, Union, cast

from opentelemetry.trace import Span

from otelkit._entered import Entered
from otelkit.decorators import _content, _most_derived
from otelkit.decorators._call import Call
from otelkit.decorators._llm_call import LlmCall
from otelkit.decorators._operation import Operation
from otelkit.decorators._wrap import wrap
from otelkit.errors import ConfigError

Target = Union[Callable[..., Any], "staticmethod[Any, Any]", "classmethod[Any, Any, Any]"]
T = TypeVar("T", bound=Target)
Given = TypeVar("Given", Span, LlmCall)  # what `as` gives in a with statement


class Traced(Generic[Given]):
    """A decorator and a context manager; made by the functions of this module.

    May decorate many functions and be entered many times, nested and concurrently.
    """

    def __init__(
        self,
        make: Callable[[str], Operation],
        name: str | None,
        method: str | None = None,
        *,
        qualified: bool = False,
    ) -> None:
        self._make = make
        self._name = name
        self._method = method
        self._qualified = qualified
        self._operation: Operation | None = None
        self._entered: Entered[Call | None] = Entered()

    def __call__(self, target: T) -> T:
        """Decorate ``target``, and return something of the same kind and signature."""
        if isinstance(target, (staticmethod, classmethod)):
            return cast("T", type(target)(self(target.__func__)))
        if isinstance(target, type):
            return cast("T", self._decorate_class(target))
        if not callable(target):
            raise ConfigError(f"cannot trace {type(target).__name__!r}: it is not callable")
        return cast("T", wrap(target, self._of(target).begin))

    def _of(self, function: Any, *, method: bool = False) -> Operation:
        operation = self._make(self._name or self._name_of(function))
        operation.parameters = _content.parameters(function, method=method)
        return operation

    def _decorate_class(self, target: type) -> type:
        method, found = self._method_of(target)
        named = Traced[Given](self._make, self._name or target.__name__)
        traced: Any
        if inspect.isfunction(found):
            operation = named._of(found, method=True)
            traced = wrap(found, _most_derived.only(target, method, operation))
        else:
            traced = named(found)
            if isinstance(traced, types.FunctionType) and not _is_bound(found):
                traced = staticmethod(traced)  # a partial, say: not bound before, and not now
        setattr(target, method, traced)
        return target

    def _method_of(self, target: type) -> tuple[str, Any]:
        """Name and function of what runs when an instance of ``target`` does its work."""
        if self._method is not None and self._method not in dir(target):
            raise ConfigError(f"method={self._method!r}: {target.__name__} has none of that name")
        for name in [self._method] if self._method is not None else ["run", "__call__"]:
            if name in dir(target):
                return name, inspect.getattr_static(target, name)
        remedy = "decorate its methods" if self._qualified else "name a method with method="
        raise ConfigError(f"{target.__name__} has neither run nor __call__ to trace: {remedy}")

    def _name_of(self, target: Any) -> str:
        while isinstance(target, functools.partial):
            target = target.func
        if self._qualified:
            # Module-level: f; method: Service.f; nested: f, without where it was defined.
            qualified = _own(target, "__qualname__", type(target).__qualname__)
            return qualified.rpartition("<locals>.")[2]
        return _own(target, "__name__", type(target).__name__)

    def _begin(self) -> Call | None:
        if self._operation is None:
            self._operation = self._make(self._name or "block")
        return self._operation.begin()

    def _end(self, call: Call | None, error: BaseException | None) -> None:
        if call is None:
            return
        if error is None:
            call.succeed()
        else:
            call.fail(error)

    def __enter__(self) -> Given:
        call = self._begin()
        self._entered.push(call)
        return self._given(call)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end(self._entered.pop(), error)

    async def __aenter__(self) -> Given:
        call = self._begin()
        self._entered.push(call)
        return self._given(call)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end(self._entered.pop(), error)

    def _given(self, call: Call | None) -> Given:
        operation = self._operation
        return cast("Given", call.given if call is not None else operation and operation.untraced)


def _own(target: Any, attribute: str, otherwise: str) -> str:
    try:
        return str(getattr(target, attribute, otherwise))
    except Exception:  # a proxy for what is not there yet
        return otherwise


def _is_bound(found: Any) -> bool:
    """Whether what is found in a class becomes a method of its instances."""
    if isinstance(found, functools.partial) and sys.version_info < (3, 14):
        return False  # 3.13 has a __get__ for it, which only warns that it will bind
    return hasattr(type(found), "__get__")
