"""Wrappers around generator functions: the span is current in the body, and nowhere else."""

from __future__ import annotations

import sys
import types
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

from otelkit.decorators._body import UNSHARED, Body, Unshared
from otelkit.decorators._call import Begin, Function

_CHUNK, _CLOSE = object(), object()


def generator(function: Function, begin: Begin) -> Function:
    def traced(*args: Any, **kwargs: Any) -> Any:
        generator = function(*args, **kwargs)
        call = begin(args, kwargs)
        if call is None:
            return (yield from generator)
        if not hasattr(generator, "send"):
            generator = _each(generator)
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
                except BaseException as error:
                    closing = isinstance(error, GeneratorExit)
                    step, given = generator.throw, error
                value = run(step, given)
                given = None  # an exception thrown in refers to this frame
        except StopIteration as stop:
            if closing:
                call.stop_early()
            return call.succeed(stop.value)
        except BaseException as error:
            call.fail(error)
            raise
        finally:
            body.share(closing=closing)

    return traced


def async_generator(function: Function, begin: Begin) -> Function:
    async def traced(*args: Any, **kwargs: Any) -> Any:
        generator = function(*args, **kwargs)
        if not hasattr(generator, "asend"):
            generator = _each_awaited(generator)
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


# What a function that says it is one may give instead of a generator: a wrapper's own iterator.
def _each(values: Any) -> Generator[Any, Any, Any]:
    return (yield from values)


async def _each_awaited(values: Any) -> AsyncGenerator[Any, Any]:
    async for value in values:
        yield value


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
