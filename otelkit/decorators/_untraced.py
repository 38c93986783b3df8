"""What ``with otelkit.traced_llm(...) as call`` gives where nothing is traced."""

from __future__ import annotations

from typing import Any, TypeVar

from opentelemetry.trace import INVALID_SPAN

from otelkit.context import Scope
from otelkit.decorators._llm_call import NO_CONTEXT, LlmCall

T = TypeVar("T")


class UntracedLlmCall(LlmCall):
    """A call that has ended before it began: has all that a traced one has, and does nothing."""

    __slots__ = ()

    def __init__(self, operation: Any) -> None:
        self.operation = operation
        self.span = INVALID_SPAN
        self.context = NO_CONTEXT
        self._inside = []
        self._around = Scope()
        self._token = None
        self._finished = True

    def record(self, response: T) -> T:
        """As :meth:`LlmCall.record`, to nowhere."""
        return response

    def record_usage(self, **counts: Any) -> None:
        """As :meth:`LlmCall.record_usage`, to nowhere."""

    def chunk(self, value: Any) -> None:
        """As :meth:`LlmCall.chunk`, to nowhere."""

    def add(self, reply: Any) -> None:
        """As :meth:`LlmCall.add`, to nowhere."""
