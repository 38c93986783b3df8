"""The stream that an LLM client returns, handed on as it is but watched to its end."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from opentelemetry import context as otel_context

from otelkit.context import attach, detach
from otelkit.decorators._proxy import Proxy
from otelkit.decorators._recorded import is_stream

if TYPE_CHECKING:
    from typing import TypeAlias

    from otelkit.decorators._llm_call import LlmCall
    from otelkit.decorators._recorded import Recorded

    Watcher: TypeAlias = LlmCall | Recorded


def traced_stream(stream: Any, watcher: Watcher) -> Any:
    """``stream`` or stream manager in a transparent proxy: same class and attributes.

    Args:
        stream: An iterator, or what gives one when it is entered.
        watcher: Is told of every chunk, and of the end.
    """
    kind = type(stream)
    if not hasattr(kind, "__anext__"):
        return (_SyncStream if hasattr(kind, "__next__") else _Watched)(stream, watcher)
    return (_BothStream if hasattr(kind, "__next__") else _AsyncStream)(stream, watcher)


class _Watched(Proxy):
    def __init__(self, stream: Any, watcher: Watcher) -> None:
        super().__init__(stream)
        self._self_watcher = watcher
        self._self_gave_stream = True

    def __getattr__(self, name: str) -> Any:
        # Reached for what the stream has and the proxy has not.
        value = getattr(self.__wrapped__, name)
        return self._ending(value) if name in ("close", "aclose") else value

    def _ending(self, close: Callable[..., Any]) -> Callable[..., Any]:
        watcher: Watcher = self._self_watcher

        @functools.wraps(close)
        def closing(*args: Any, **kwargs: Any) -> Any:
            try:
                result = close(*args, **kwargs)
            except BaseException:
                watcher.stop_early()
                raise
            if inspect.iscoroutine(result):
                return _stopping(result, watcher)
            watcher.stop_early()
            return result

        return closing

    def __enter__(self) -> Any:
        watcher: Watcher = self._self_watcher
        # A manager sends its request only now; what that makes belongs to the call.
        token = attach(watcher.context or otel_context.get_current())
        try:
            given = self.__wrapped__.__enter__()
        except BaseException as error:
            watcher.fail(error)
            raise
        finally:
            detach(token)
        return self._entered(given)

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> Any:
        if error is not None:
            self._self_watcher.fail(error)
        try:
            return self.__wrapped__.__exit__(kind, error, trace)
        finally:
            self._left()

    async def __aenter__(self) -> Any:
        watcher: Watcher = self._self_watcher
        token = attach(watcher.context or otel_context.get_current())
        try:
            given = await self.__wrapped__.__aenter__()
        except BaseException as error:
            watcher.fail(error)
            raise
        finally:
            detach(token)
        return self._entered(given)

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> Any:
        if error is not None:
            self._self_watcher.fail(error)
        try:
            return await self.__wrapped__.__aexit__(kind, error, trace)
        finally:
            self._left()

    def _entered(self, given: Any) -> Any:
        if given is self.__wrapped__:
            return self
        followed = _followed(given, self._self_watcher)
        self._self_gave_stream = followed is not None
        return followed if self._self_gave_stream else given

    def _left(self) -> None:
        watcher: Watcher = self._self_watcher
        (watcher.stop_early if self._self_gave_stream else watcher.succeed)()

    def __del__(self) -> None:
        watcher: Watcher = self._self_watcher
        try:
            self.__wrapped__ = None  # what watches the stream itself, ends first
        except Exception:
            pass
        watcher.stop_early()  # dropped half-way; nothing to do where it has ended


async def _stopping(closing: Any, watcher: Watcher) -> Any:
    try:
        return await closing
    finally:
        watcher.stop_early()


class _SyncStream(_Watched):
    def __iter__(self) -> _SyncStream:
        return self

    def __next__(self) -> Any:
        watcher: Watcher = self._self_watcher
        try:
            chunk = next(self.__wrapped__)
        except StopIteration:
            watcher.succeed()
            raise
        except BaseException as error:
            watcher.fail(error)
            raise
        watcher.chunk(chunk)
        return chunk


class _AsyncStream(_Watched):
    def __aiter__(self) -> _AsyncStream:
        return self

    async def __anext__(self) -> Any:
        watcher: Watcher = self._self_watcher
        try:
            chunk = await self.__wrapped__.__anext__()
        except StopAsyncIteration:
            watcher.succeed()
            raise
        except BaseException as error:
            watcher.fail(error)
            raise
        watcher.chunk(chunk)
        return chunk


class _BothStream(_SyncStream, _AsyncStream):
    """For a stream whose reader decides which of the two it is, as LiteLLM's."""


def _followed(given: Any, watcher: Watcher) -> Any:
    """What a manager gave, watched wherever it is read; None if it is no stream.

    Its methods (``get_final_message()``, ``until_done()``, ``text_stream``) read an iterator that
    it keeps, not itself: a proxy around it would see none of that, one around the iterator does.
    """
    try:
        if is_stream(given._iterator):
            given._iterator = traced_stream(given._iterator, watcher)
            return given
    except Exception:
        pass  # a client of another make: its iteration, at least
    return traced_stream(given, watcher) if is_stream(given) else None
