"""Wrappers around every kind of function; each keeps what ``inspect`` says of the function.

``begin`` starts a call and may return None, which means: just call the function. Apart from it, a
wrapper is the one frame that tracing adds to a traceback.
"""

from __future__ import annotations

import functools
import inspect
import types
import weakref
from collections.abc import Callable
from typing import Any

from otelkit.context import attach, detach
from otelkit.decorators._call import Begin, Call, Function
from otelkit.decorators._generators import async_generator, generator

# Not everything with a __get__ is one: a function in lru_cache, say, has methods of its own.
_FUNCTIONS = (
    types.FunctionType,
    types.MethodType,
    types.BuiltinFunctionType,
    types.MethodDescriptorType,
    types.ClassMethodDescriptorType,
    types.WrapperDescriptorType,
    types.MethodWrapperType,
    functools.partial,
)


def wrap(function: Function, begin: Begin) -> Function:
    """``function`` with a call begun and finished around each of its calls."""
    if isinstance(function, _FUNCTIONS):
        return _wrapper(function, function, begin)
    from otelkit.decorators._object import traced_object

    called = getattr(function.__class__, "__call__", None)  # noqa: B004  # of a proxy, its object's
    return traced_object(function, _wrapper(function, called, begin))


def _wraps(function: Function) -> Callable[[Function], Function]:
    """As ``functools.wraps``; an object is asked for nothing, its proxy shows what it has."""
    if isinstance(function, _FUNCTIONS):
        return functools.wraps(function)
    return functools.wraps(function, assigned=(), updated=())


def _wrapper(function: Function, called: Function | None, begin: Begin) -> Function:
    """A wrapper around ``function``, of the kind that ``called`` is."""
    if inspect.isasyncgenfunction(called):
        traced = async_generator(function, begin)
    elif inspect.isgeneratorfunction(called):
        traced = generator(function, begin)
        if _can_be_awaited(called):
            traced = types.coroutine(traced)
    elif inspect.iscoroutinefunction(called):
        traced = _coroutine(function, begin)
    else:
        traced = _plain(function, begin)
    return _wraps(function)(traced)


def _can_be_awaited(called: Any) -> bool:
    """Whether a generator function was made a coroutine by ``types.coroutine``."""
    code = getattr(getattr(called, "__func__", called), "__code__", None)
    return bool(code and code.co_flags & inspect.CO_ITERABLE_COROUTINE)


def _plain(function: Function, begin: Begin) -> Function:
    def traced(*args: Any, **kwargs: Any) -> Any:
        call = begin(args, kwargs)
        if call is None:
            return function(*args, **kwargs)
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            call.fail(error)
            raise
        if type(result) is types.CoroutineType:  # asynchronous after all: a client's plain wrapper
            call.detach()
            unstarted = [(result, call)]
            awaited = _awaited(unstarted)
            weakref.finalize(awaited, _let_go, unstarted).atexit = False
            return awaited
        return call.succeed(result)

    return traced


async def _awaited(unstarted: list[tuple[Any, Call]]) -> Any:
    coroutine, call = unstarted.pop()
    token = attach(call.context)
    try:
        result = await coroutine
    except BaseException as error:
        call.fail(error)
        raise
    finally:
        detach(token)
    return call.succeed(result)


def _let_go(unstarted: list[tuple[Any, Call]]) -> None:
    """End the call of a coroutine whose task was cancelled before its first step."""
    for coroutine, call in unstarted:
        coroutine.close()
        call.stop_early()


def _coroutine(function: Function, begin: Begin) -> Function:
    async def traced(*args: Any, **kwargs: Any) -> Any:
        call = begin(args, kwargs)
        if call is None:
            return await function(*args, **kwargs)
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            call.fail(error)
            raise
        return call.succeed(result)

    return traced
