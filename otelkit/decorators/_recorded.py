"""A stream recorded inside an LLM call: its usage is the call's, its end is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry import context as otel_context
from opentelemetry.context import Context

from otelkit.usage import Stream

if TYPE_CHECKING:
    from otelkit.decorators._llm_call import LlmCall


class Recorded:
    """What a watched stream tells of itself, for the call that recorded it.

    Args:
        call: Gets the usage when the stream ends, or when the call does.
        stream: Collects it.
    """

    __slots__ = ("_call", "_stream")

    def __init__(self, call: LlmCall, stream: Stream) -> None:
        self._call = call
        self._stream: Stream | None = stream

    @property
    def context(self) -> Context:
        """Where a manager sends its request: in the call, so where it is."""
        return otel_context.get_current()

    @property
    def is_open(self) -> bool:
        """Whether its end is still to come."""
        return self._stream is not None

    def chunk(self, value: object) -> None:
        """See one chunk."""
        if self._stream is not None:
            self._call.see(self._stream, value)

    def succeed(self) -> None:
        """The stream has ended, whichever way; this and the two below are the same here."""
        stream, self._stream = self._stream, None
        if stream is not None:
            self._call.add(stream.reply())

    def fail(self, _error: BaseException) -> None:
        """As :meth:`succeed`: what the stream raised is the call's only if it lets it pass."""
        self.succeed()

    def stop_early(self) -> None:
        """As :meth:`succeed`."""
        self.succeed()


def is_stream(value: Any) -> bool:
    """Whether ``value`` yields chunks, or gives a stream when entered, as ``client...stream()``.

    Asks its type only, so no code of its class runs.
    """
    kind = type(value)
    if hasattr(kind, "__next__") or hasattr(kind, "__anext__"):
        return True
    entered = hasattr(kind, "__enter__") or hasattr(kind, "__aenter__")
    return entered and "StreamManager" in kind.__name__
