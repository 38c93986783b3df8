"""One traced call: its span, its scope and its measurements, from start to finish.

It is attached to the current context until it is finished. Nothing in here raises into the
application.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextvars import Token
from typing import TYPE_CHECKING, Any

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.metrics import Histogram
from opentelemetry.trace import Span
from opentelemetry.util.types import AttributeValue

from otelkit import _exceptions, instruments, semconv
from otelkit._recorder import later
from otelkit.context import Scope, attach, detach
from otelkit.decorators import _content
from otelkit.decorators._state import note_failure, state

if TYPE_CHECKING:
    from otelkit.decorators._operation import Operation


class Call:
    """A call that runs: finished once, by one of its last three methods."""

    __slots__ = (
        "_around",
        "_counted",
        "_finished",
        "_started",
        "_token",
        "context",
        "operation",
        "span",
    )

    def __init__(self, operation: Operation, span: Span, context: Context, around: Scope) -> None:
        self.operation = operation
        self.span = span
        self.context = context
        self._around = around
        self._finished = False
        # Whether the end is to be counted: providers may come in the middle of a call.
        self._counted = state.instruments is not None and operation.kind != "plain"
        if self._counted:
            instruments.active.add(operation.active_key, 1)
        self._token: Token[Context] | None = attach(context)
        self._started = time.perf_counter()

    def detach(self) -> None:
        """Give the current context back; a generator's span is current only in its own body."""
        token, self._token = self._token, None
        if token is not None:
            detach(token)

    def keep(self, key: str, value: object) -> None:
        """Put ``value`` into the context of the call, which is the current one."""
        self.detach()
        self.context = otel_context.set_value(key, value, self.context)
        self._token = attach(self.context)

    sees_chunks = False

    def chunk(self, value: Any) -> None:
        """See one value that a generator yields; called only where ``sees_chunks``."""

    def succeed(self, result: Any = None) -> Any:
        """Finish with ``result``, and return what the caller gets for it."""
        if self._finished:
            return result
        try:
            if result is not None and self.span.is_recording():
                self._write_output(result)
        except Exception:
            note_failure()
        self._finish(semconv.COMPLETED)
        return result

    def stop_early(self) -> None:
        """Finish because the consumer of a generator wants no more; that is no error."""
        if not self._finished:
            self.span.set_attribute(semconv.STOPPED_EARLY, True)
            self._finish(semconv.COMPLETED)

    def fail(self, error: BaseException) -> None:
        """Finish with ``error``; cancellation and a clean exit are not failures."""
        if self._finished:
            return
        if isinstance(error, GeneratorExit):
            self.stop_early()
        elif _is_cancellation(error):
            self.span.set_attribute(semconv.CANCELLED, True)
            self._finish(semconv.CANCELLED_OUTCOME)
        elif isinstance(error, SystemExit) and error.code in (None, 0):
            self._finish(semconv.COMPLETED)
        else:
            try:
                _exceptions.record(self.span, error)
            except Exception:
                note_failure()
            self._finish(semconv.FAILED, _exceptions.error_type(error))

    @property
    def given(self) -> Any:
        """What a ``with`` block gets of the call."""
        return self.span

    @property
    def capture(self) -> str:
        """The capture mode of this call."""
        return self.operation.capture or _content.mode

    def _write_output(self, result: Any) -> None:
        mode = self.capture
        if mode != "off":
            _content.write_output(self.span, mode, self.operation.output_side, result)

    def _finish(self, outcome: str, error_type: str | None = None) -> None:
        self._finished = True
        seconds = time.perf_counter() - self._started
        try:
            self._settle()
        except Exception:
            note_failure()
        self.detach()
        try:
            self.span.end()
            if self._counted:
                instruments.active.add(self.operation.active_key, -1)
            if state.instruments is not None and self.operation.kind != "plain":
                self._measure(state.instruments, seconds, outcome, error_type)
        except Exception:
            note_failure()

    def _settle(self) -> None:
        """Write what is known only now; the time it takes is not the call's."""

    def _measure(
        self,
        to: instruments.Instruments,
        seconds: float,
        outcome: str,
        error_type: str | None,
    ) -> None:
        attributes = self.operation.metric_attributes(self._around, outcome, error_type)
        later(_record, to.duration[self.operation.kind], seconds, attributes, self.context)


def _record(
    histogram: Histogram, value: float, attributes: dict[str, AttributeValue], context: Context
) -> None:
    histogram.record(value, attributes, context)


class Unrecorded(Call):
    """A call that is neither sampled nor measured: its span is current in it, and that is all."""

    __slots__ = ()

    def __init__(self, operation: Operation, span: Span, context: Context) -> None:
        self.operation = operation
        self.span = span
        self.context = context
        self._token = attach(context)

    def succeed(self, result: Any = None) -> Any:
        """Give the current context back, and ``result``."""
        self.detach()
        return result

    def stop_early(self) -> None:
        """Give the current context back."""
        self.detach()

    def fail(self, error: BaseException) -> None:  # noqa: ARG002
        """Give the current context back."""
        self.detach()


def _is_cancellation(error: BaseException) -> bool:
    asyncio = sys.modules.get("asyncio")  # whoever cancels has loaded it
    return asyncio is not None and isinstance(error, asyncio.CancelledError)


Function = Callable[..., Any]
Begin = Callable[[tuple[Any, ...], dict[str, Any]], "Call | None"]  # of a function's call
