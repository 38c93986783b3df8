"""The stream that an LLM client returns, handed on as it is but watched to its end.

Imported only when a call returns one: the proxy library takes its time to load.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import wrapt

if TYPE_CHECKING:
    from otelkit.decorators._llm_call import LlmCall


def traced_stream(stream: Any, call: LlmCall) -> Any:
    """``stream`` in a transparent proxy: same class to ``isinstance``, same attributes."""
    kind = _AsyncStream if hasattr(type(stream), "__anext__") else _SyncStream
    return kind(stream, call)


class _Stream(wrapt.ObjectProxy[Any]):
    def __init__(self, stream: Any, call: LlmCall) -> None:
        super().__init__(stream)
        self._self_call = call

    def __del__(self) -> None:
        self._self_call.stop_early()  # dropped half-way; nothing to do where it has ended


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

    def __enter__(self) -> _SyncStream:
        self.__wrapped__.__enter__()
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> Any:
        if error is not None:
            self._self_call.fail(error)
        try:
            return self.__wrapped__.__exit__(kind, error, trace)
        finally:
            self._self_call.stop_early()

    def close(self) -> Any:
        try:
            return self.__wrapped__.close()
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

    async def __aenter__(self) -> _AsyncStream:
        await self.__wrapped__.__aenter__()
        return self

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> Any:
        if error is not None:
            self._self_call.fail(error)
        try:
            return await self.__wrapped__.__aexit__(kind, error, trace)
        finally:
            self._self_call.stop_early()

    async def close(self) -> Any:
        try:
            return await self.__wrapped__.close()
        finally:
            self._self_call.stop_early()

    async def aclose(self) -> Any:
        try:
            return await self.__wrapped__.aclose()
        finally:
            self._self_call.stop_early()
