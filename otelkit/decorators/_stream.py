"""The stream that an LLM client returns, handed on as it is but watched to its end.

Imported only when a call returns one: the proxy library takes its time to load.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import wrapt

if TYPE_CHECKING:
    from otelkit.decorators._llm_call import LlmCall

    _Proxy = wrapt.ObjectProxy[Any]
else:
    _Proxy = wrapt.ObjectProxy  # not generic before wrapt 2


def traced_stream(stream: Any, call: LlmCall) -> Any:
    """``stream`` in a transparent proxy: same class to ``isinstance``, same attributes."""
    kind = _AsyncStream if hasattr(type(stream), "__anext__") else _SyncStream
    return kind(stream, call)


class _Stream(_Proxy):
    def __init__(self, stream: Any, call: LlmCall) -> None:
        super().__init__(stream)
        self._self_call = call

    def __getattr__(self, name: str) -> Any:
        # Reached for what the stream has and the proxy has not.
        value = getattr(self.__wrapped__, name)
        return self._ending(value) if name in ("close", "aclose") else value

    def _ending(self, close: Callable[..., Any]) -> Callable[..., Any]:
        call: LlmCall = self._self_call

        @functools.wraps(close)
        def closing(*args: Any, **kwargs: Any) -> Any:
            try:
                result = close(*args, **kwargs)
            except BaseException:
                call.stop_early()
                raise
            if inspect.iscoroutine(result):
                return _stopping(result, call)
            call.stop_early()
            return result

        return closing

    @property
    def __copy__(self) -> Any:
        # The proxy library refuses to copy; a stream that cannot be copied has no such method.
        raise AttributeError("__copy__")

    def __del__(self) -> None:
        call: LlmCall = self._self_call
        try:
            self.__wrapped__ = None  # what watches the stream itself, ends first
        except Exception:
            pass
        call.stop_early()  # dropped half-way; nothing to do where it has ended


async def _stopping(closing: Any, call: LlmCall) -> Any:
    try:
        return await closing
    finally:
        call.stop_early()


class _SyncStream(_Stream):
    def __iter__(self) -> _SyncStream:
        return self

    def __next__(self) -> Any:
        call: LlmCall = self._self_call
        try:
            chunk = next(self.__wrapped__)
        except StopIteration:
            call.succeed()
            raise
        except BaseException as error:
            call.fail(error)
            raise
        call.chunk(chunk)
        return chunk

    def __enter__(self) -> Any:
        given = self.__wrapped__.__enter__()
        return self if given is self.__wrapped__ else given

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> Any:
        if error is not None:
            self._self_call.fail(error)
        try:
            return self.__wrapped__.__exit__(kind, error, trace)
        finally:
            self._self_call.stop_early()


class _AsyncStream(_Stream):
    def __aiter__(self) -> _AsyncStream:
        return self

    async def __anext__(self) -> Any:
        call: LlmCall = self._self_call
        try:
            chunk = await self.__wrapped__.__anext__()
        except StopAsyncIteration:
            call.succeed()
            raise
        except BaseException as error:
            call.fail(error)
            raise
        call.chunk(chunk)
        return chunk

    async def __aenter__(self) -> Any:
        given = await self.__wrapped__.__aenter__()
        return self if given is self.__wrapped__ else given

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> Any:
        if error is not None:
            self._self_call.fail(error)
        try:
            return await self.__wrapped__.__aexit__(kind, error, trace)
        finally:
            self._self_call.stop_early()
