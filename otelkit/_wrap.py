"""Wrappers around every kind of function; each keeps what ``inspect`` says of the function.

``begin`` starts a call and may return None, which means: just call the function. Apart from it, a
wrapper is the one frame that tracing adds to a traceback.
"""

from __future__ import annotations

import functools
import inspect
import sys
import types
from collections.abc import Callable, Generator
from typing import Any

from otelkit._call import Call
from otelkit.context import isolated

Begin = Callable[[tuple[Any, ...], dict[str, Any]], "Call | None"]
Function = Callable[..., Any]
_NOT_STARTED = object()


def wrap(function: Function, begin: Begin) -> Function:
    """``function`` with a call begun and finished around each of its calls."""
    called = function
    if not inspect.isroutine(function) and not isinstance(function, functools.partial):
        called = type(function).__call__  # a callable object is what its __call__ is
    if inspect.isasyncgenfunction(called):
        return _async_generator(function, begin)
    if inspect.isgeneratorfunction(called):
        return _generator(function, begin)
    if inspect.iscoroutinefunction(called):
        return _coroutine(function, begin)
    return _plain(function, begin)


def _plain(function: Function, begin: Begin) -> Function:
    @functools.wraps(function)
    def traced(*args: Any, **kwargs: Any) -> Any:
        call = begin(args, kwargs)
        if call is None:
            return function(*args, **kwargs)
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            call.fail(error)
            raise
        return call.succeed(result)

    return traced


def _coroutine(function: Function, begin: Begin) -> Function:
    @functools.wraps(function)
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
    # The body runs in a context of its own, entered for each step: its span is current there and
    # nowhere else, and it does not matter who closes the generator, or where.
    @functools.wraps(function)
    def traced(*args: Any, **kwargs: Any) -> Any:
        generator = function(*args, **kwargs)
        call = begin(args, kwargs)
        if call is None:
            return (yield from generator)
        call.detach()
        run = isolated(call.context).run
        step, given = generator.send, None
        try:
            while True:
                value = run(step, given)
                call.chunk(value)
                try:
                    step, given = generator.send, (yield value)
                except GeneratorExit:
                    run(generator.close)
                    call.stop_early()
                    raise
                except BaseException as error:
                    step, given = generator.throw, error
        except StopIteration as stop:
            return call.succeed(stop.value)
        except BaseException as error:
            call.fail(error)
            raise

    return traced


def _async_generator(function: Function, begin: Begin) -> Function:
    @functools.wraps(function)
    async def traced(*args: Any, **kwargs: Any) -> Any:
        generator = function(*args, **kwargs)
        call = begin(args, kwargs)
        run: Callable[..., Any] = _directly
        if call is not None:
            call.detach()
            run = isolated(call.context).run
        step = _first_step(generator)
        try:
            while True:
                try:
                    waiting = run(step.send, None)
                except StopIteration as done:  # without waiting, as most chunks come
                    value = done.value
                else:
                    value = await _drive(step, run, waiting)
                if call is not None:
                    call.chunk(value)
                try:
                    step = generator.asend((yield value))
                except GeneratorExit:
                    await _drive(generator.aclose(), run)
                    if call is not None:
                        call.stop_early()
                    raise
                except BaseException as error:
                    step = generator.athrow(error)
        except StopAsyncIteration:
            if call is not None:
                call.succeed()
        except BaseException as error:
            if call is not None:
                call.fail(error)
            raise

    return traced


def _directly(function: Function, argument: Any) -> Any:
    return function(argument)


def _first_step(generator: Any) -> Any:
    # The event loop closes every asynchronous generator that it was told of, all at once. It is
    # told of the wrapper, which closes the generator inside: twice at once would be an error.
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        return generator.asend(None)
    finally:
        sys.set_asyncgen_hooks(*hooks)


@types.coroutine
def _drive(
    step: Any, run: Callable[..., Any], waiting: Any = _NOT_STARTED
) -> Generator[Any, Any, Any]:
    """Await ``step``, with every piece of it run by ``run``; no task is made.

    ``waiting`` is what the step waits for if it has been started already.
    """
    resume, given = step.send, None
    while True:
        if waiting is _NOT_STARTED:
            try:
                waiting = run(resume, given)
            except StopIteration as done:
                return done.value
        try:
            resume, given = step.send, (yield waiting)
        except BaseException as error:
            resume, given = step.throw, error
        waiting = _NOT_STARTED
