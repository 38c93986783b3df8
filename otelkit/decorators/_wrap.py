"""Wrappers around every kind of function; each keeps what ``inspect`` says of the function.

``begin`` starts a call and may return None, which means: just call the function. Apart from it, a
wrapper is the one frame that tracing adds to a traceback.
"""

from __future__ import annotations

import functools
import inspect
import sys
import types
import weakref
from collections.abc import Callable, Generator
from typing import Any

from otelkit.context import attach, detach
from otelkit.decorators._body import UNSHARED, Body, Unshared
from otelkit.decorators._call import Call

Begin = Callable[[tuple[Any, ...], dict[str, Any]], "Call | None"]
Function = Callable[..., Any]
_CHUNK, _CLOSE = object(), object()


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
        return _async_generator(function, begin)
    if inspect.isgeneratorfunction(called):
        return _generator(function, begin)
    if inspect.iscoroutinefunction(called):
        return _coroutine(function, begin)
    return _plain(function, begin)


def _plain(function: Function, begin: Begin) -> Function:
    @_wraps(function)
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
    @_wraps(function)
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


def _generator(function: Function, begin: Begin) -> Function:
    @_wraps(function)
    def traced(*args: Any, **kwargs: Any) -> Any:
        generator = function(*args, **kwargs)
        call = begin(args, kwargs)
        if call is None:
            return (yield from generator)
        call.detach()
        body = Body(call.context)
        run = body.run
        see = call.chunk if call.sees_chunks else None
        closing = False
        try:
            send = generator.send
            value = run(send, None)
            body.share()
            while True:
                if see is not None:
                    see(value)
                try:
                    step, given = send, (yield value)
                except GeneratorExit:
                    closing = True
                    run(generator.close)
                    call.stop_early()
                    raise
                except BaseException as error:
                    step, given = generator.throw, error
                value = run(step, given)
                given = None  # an exception thrown in refers to this frame
        except StopIteration as stop:
            return call.succeed(stop.value)
        except BaseException as error:
            call.fail(error)
            raise
        finally:
            body.share(closing=closing)

    return traced


def _async_generator(function: Function, begin: Begin) -> Function:
    @_wraps(function)
    async def traced(*args: Any, **kwargs: Any) -> Any:
        generator = function(*args, **kwargs)
        call = begin(args, kwargs)
        body: Body | Unshared = UNSHARED
        see = None
        if call is not None:
            call.detach()
            body = Body(call.context)
            see = call.chunk if call.sees_chunks else None
        run, chunk, closing = body.run, [None], False
        steps = _steps(generator, chunk)
        send = steps.send
        try:
            await _next_chunk(steps, run, run(send, None))
            body.share()
            while True:
                if see is not None:
                    see(chunk[0])
                try:
                    resume, given = send, (yield chunk[0])
                except GeneratorExit:
                    closing, resume, given = True, send, _CLOSE
                except BaseException as error:
                    resume, given = steps.throw, error
                waiting = run(resume, given)
                given = None  # an exception thrown in refers to this frame
                if waiting is not _CHUNK:
                    await _next_chunk(steps, run, waiting)
        except StopAsyncIteration:
            if call is not None:
                call.succeed()
        except BaseException as error:
            closing = closing or isinstance(error, GeneratorExit)
            _hide_helpers(error)
            if call is not None:
                call.fail(error)
            raise
        finally:
            body.share(closing=closing)

    return traced


@types.coroutine
def _steps(generator: Any, chunk: list[Any]) -> Generator[Any, Any, None]:
    """``generator``, driven from inside one context, as a coroutine that never ends by itself.

    It yields ``_CHUNK`` when the next value is in ``chunk``, and in between whatever the generator
    waits for. No task is made, and most chunks cost one resumption.
    """
    step, asend = _first_step(generator), generator.asend
    while True:
        chunk[0] = yield from step
        try:
            given = yield _CHUNK
        except GeneratorExit:
            raise  # collected: nobody is there to await what closing would wait for
        except BaseException as error:
            step = generator.athrow(error)
        else:
            if given is _CLOSE:
                yield from generator.aclose()
                raise GeneratorExit
            step = asend(given)


@types.coroutine
def _next_chunk(
    steps: Generator[Any, Any, None], run: Callable[..., Any], waiting: Any
) -> Generator[Any, Any, None]:
    """Await what ``steps`` wait for, until there is a chunk."""
    resume: Callable[[Any], Any]
    while waiting is not _CHUNK:
        try:
            resume, given = steps.send, (yield waiting)
        except BaseException as error:
            resume, given = steps.throw, error
        waiting = run(resume, given)


_HELPERS = (_steps.__code__, _next_chunk.__code__)


def _hide_helpers(error: BaseException) -> None:
    """Leave of this module only the wrapper in the traceback, which is where it begins."""
    wrapper = error.__traceback__
    inside = wrapper and wrapper.tb_next
    while inside is not None and inside.tb_frame.f_code in _HELPERS:
        inside = inside.tb_next
    if wrapper is not None:
        wrapper.tb_next = inside


def _first_step(generator: Any) -> Any:
    # The event loop closes every asynchronous generator that it was told of, all at once. It is
    # told of the wrapper, which closes the generator inside: twice at once would be an error.
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        return generator.asend(None)
    finally:
        sys.set_asyncgen_hooks(*hooks)
