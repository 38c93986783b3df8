"""One run of a check: in the event loop or in a thread of its own, whatever it does there."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from opentelemetry.instrumentation.utils import suppress_instrumentation

from otelkit.health.results import Result, failure, judge

Function = Callable[[], Any]


class Run:
    """A run that was begun; it may outlast the probe that began it, in a thread even its timeout.

    Made inside a running event loop, where asynchronous code runs. Synchronous code gets a daemon
    thread: an executor's threads would be joined at exit, and its few workers used up by checks
    that never return.

    Args:
        name: Of the check.
        function: The check.
        finished: Called with the result and the seconds it took, in the event loop, unless the run
            was given up or cancelled.
    """

    def __init__(
        self, name: str, function: Function, finished: Callable[[Result, float], Any]
    ) -> None:
        self.over: Future[None] = _future()  # waited for in any event loop
        self.answered = False  # `finished` has been called
        self._began = time.monotonic()
        self._name = name
        self._finished = finished
        self._given_up = False
        self._thread: threading.Thread | None = None
        self._loop = asyncio.get_running_loop()
        with suppress_instrumentation():  # a check's query would be a trace of its own
            self._task = self._loop.create_task(self._outcome(function))
        self._task.add_done_callback(self._end)

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return time.monotonic() - self._began

    @property
    def running(self) -> bool:
        """Whether the check's own code has not returned yet."""
        if self.answered:
            return False
        return not self.over.done() or (self._thread is not None and self._thread.is_alive())

    def give_up(self) -> None:
        """Stop waiting for a result; asynchronous code is cancelled, a thread cannot be."""
        self._given_up = True
        try:
            self._loop.call_soon_threadsafe(self._task.cancel)
        except RuntimeError:
            pass  # that event loop is closed

    async def _outcome(self, function: Function) -> Result:
        try:
            if _is_async(function):
                answer = await function()
            else:
                answer = await asyncio.wrap_future(self._in_thread(function))
                if inspect.isawaitable(answer):  # as of the methods of asynchronous clients
                    answer = await answer
            return judge(answer)
        except (asyncio.CancelledError, KeyboardInterrupt):
            raise
        except BaseException as error:  # SystemExit would end the server
            return failure(error)

    def _in_thread(self, function: Function) -> Future[Any]:
        future: Future[Any] = _future()

        def work() -> None:
            try:
                answer = function()
            except BaseException as error:
                answer = failure(error)
            future.set_result(answer)

        context = contextvars.copy_context()
        name = f"otelkit-health-{self._name}"
        thread = threading.Thread(target=context.run, args=(work,), name=name, daemon=True)
        thread.start()
        self._thread = thread
        return future

    def _end(self, task: asyncio.Task[Result]) -> None:
        try:
            if not task.cancelled() and not self._given_up:
                error = task.exception()
                self._finished(failure(error) if error else task.result(), self.seconds)
                self.answered = True
        finally:
            self.over.set_result(None)


def _future() -> Future[Any]:
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()  # from now on nobody who waits can cancel it
    return future


def _is_async(function: Function) -> bool:
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - of a callable object
    )
