"""One traced call: its span, its scope and its measurements, from start to finish.

An :class:`Operation` is what a decorator says of the calls it makes, computed once. It begins a
:class:`Call`, which is attached to the current context until it is finished. Nothing in here
raises into the application.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping
from contextvars import Token
from typing import TYPE_CHECKING, Any

from opentelemetry import context as otel_context
from opentelemetry import metrics, trace
from opentelemetry.context import Context
from opentelemetry.metrics import Histogram
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, Tracer
from opentelemetry.util.types import AttributeValue

from otelkit import _exceptions, instruments, semconv
from otelkit._recorder import later
from otelkit.context import Scope, attach, detach, scope, with_scope
from otelkit.decorators import _content

if TYPE_CHECKING:
    from otelkit.settings import Settings

_logger = logging.getLogger("otelkit")
_CACHED_SETS = 512  # attribute dicts an operation keeps; names made at run time must not add up


# Where the API keeps its providers; see _nothing_new().
_TRACE_GLOBALS = trace.get_tracer_provider.__globals__
_METRICS_GLOBALS = metrics.get_meter_provider.__globals__


class _State:
    """What is set up in this process; every call looks again until something is."""

    live = False
    looked = False
    tracer: Tracer
    instruments: instruments.Instruments | None = None
    # Only who made the provider knows that its sampler follows the parent: then a call under an
    # unsampled span has nothing to do, unless it is measured.
    sampler_follows_parent = False
    skip_unsampled = False
    warned = False


state = _State()


def configure(settings: Settings, *, sampler_follows_parent: bool = False) -> None:
    """Look for providers anew at the next call, and take over the content settings.

    Args:
        settings: What ``setup()`` decided.
        sampler_follows_parent: The tracer provider never samples a child of an unsampled parent.
    """
    state.live = False
    state.sampler_follows_parent = sampler_follows_parent
    _content.configure(settings)


def prepare() -> None:
    """Make the instruments, for which the first call would have to wait during a collection.

    The SDK takes no observable instrument while it calls those that it has: a callback of the
    application's that hangs would make whoever comes with the next one hang, too.
    """
    _wake()


def _wake() -> bool:
    """Whether somebody installed a provider by now; the API's own do nothing."""
    if state.looked and _nothing_new():
        return False
    state.looked = True
    meters = metrics.get_meter_provider()
    measuring = not type(meters).__module__.startswith("opentelemetry.metrics")
    tracers = trace.get_tracer_provider()
    if not measuring and type(tracers).__module__.startswith("opentelemetry.trace"):
        return False
    state.tracer = tracers.get_tracer("otelkit")
    state.instruments = instruments.Instruments(meters.get_meter("otelkit")) if measuring else None
    state.skip_unsampled = state.sampler_follows_parent and not measuring
    state.live = True
    return True


def _nothing_new() -> bool:
    """Whether no provider was set, without the environment look-ups of the API's getters.

    They cost four times as much as the rest of an untraced call. Where the API's globals have other
    names, the getters answer.
    """
    return (
        _TRACE_GLOBALS.get("_TRACER_PROVIDER", False) is None
        and _METRICS_GLOBALS.get("_METER_PROVIDER", False) is None
    )


def note_failure() -> None:
    """Say once that telemetry itself failed; the application's call goes on."""
    if not state.warned:
        state.warned = True
        try:
            text = "otelkit could not trace a call; the call itself goes on"
            _logger.warning(text, exc_info=True)
        except Exception:
            pass  # a traceback that cannot be formatted must not take the call's place


class Operation:
    """What a decorator says of the calls it makes.

    Args:
        kind: ``workflow``, ``stage``, ``agent``, ``tool``, ``llm`` or ``plain``.
        name: Of the workflow, stage, agent, tool or function.
        span_name: As SEMCONV has it for the kind.
        attributes: Written on every span at its start.
        capture: A capture mode of its own; the process's by default.
        span_kind: INTERNAL by default.
    """

    input_side = _content.INPUT
    output_side = _content.OUTPUT
    untraced: Any = INVALID_SPAN  # what a `with` block gets when there is nothing to do

    def __init__(
        self,
        kind: str,
        name: str,
        span_name: str,
        attributes: Mapping[str, AttributeValue],
        *,
        capture: str | None = None,
        span_kind: SpanKind = SpanKind.INTERNAL,
    ) -> None:
        self.kind = kind
        self.name = name
        self.span_name = span_name
        self.span_kind = span_kind
        self.attributes = dict(attributes)
        self.capture = capture
        self.parameters = _content.NO_PARAMETERS
        self.inherits_workflow = kind in ("stage", "agent", "tool", "llm")
        self.active_key = ((semconv.KIND, kind), (semconv.NAME, name))
        self._span_sets: dict[str, dict[str, AttributeValue]] = {}
        self._metric_sets: dict[Any, dict[str, AttributeValue]] = {}
        if kind == "tool":
            self.input_side, self.output_side = _content.TOOL_INPUT, _content.TOOL_OUTPUT

    def begin(self, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] = {}) -> Call | None:
        """Start a call and make its span the current one.

        Returns:
            The running call; None when there is nothing to do, so that the function is just called.
        """
        try:
            if not state.live and not _wake():
                return None
            parent = otel_context.get_current()
            if state.skip_unsampled and parent:  # an empty one has no span
                context = trace.get_current_span(parent).get_span_context()
                if context.is_valid and not context.trace_flags.sampled:
                    return None
            return self._begin(parent, args, kwargs)
        except Exception:
            note_failure()
            return None

    def _begin(self, parent: Context, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call:
        around = scope(parent)
        attributes = self.attributes
        if around.workflow is not None and self.inherits_workflow:
            attributes = self._inside(around.workflow)
        span = state.tracer.start_span(self.span_name, parent, self.span_kind, attributes)
        context = trace.set_span_in_context(span, parent)
        if self.kind == "agent":
            context = with_scope(Scope(around.workflow, self.name, around.llm), context)
        elif self.kind == "workflow":
            context = with_scope(Scope(self.name, around.agent, around.llm), context)
        if state.instruments is None and not span.is_recording():
            return Unrecorded(self, span, context)
        call = Call(self, span, context, around)
        if (args or kwargs) and span.is_recording():
            self.write_input(call, args, kwargs)
        return call

    def write_input(self, call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Write the arguments on the span as the capture mode has it."""
        mode = call.capture
        try:
            if mode != "off":
                _content.write_input(
                    call.span, mode, self.input_side, self.parameters, args, kwargs
                )
        except Exception:
            note_failure()  # the call has begun, and goes on

    def _inside(self, workflow: str) -> dict[str, AttributeValue]:
        """The attributes of a span inside ``workflow``."""
        found = self._span_sets.get(workflow)
        if found is None:
            found = {**self.attributes, semconv.WORKFLOW_NAME: workflow}
            remember(self._span_sets, workflow, found)
        return found

    def metric_attributes(
        self, around: Scope, outcome: str, error_type: str | None
    ) -> dict[str, AttributeValue]:
        """The attributes of the duration of a call made inside ``around``."""
        key = (around.workflow, around.agent, outcome, error_type)
        found = self._metric_sets.get(key)
        if found is None:
            found = present(
                {
                    _OWN_NAME[self.kind]: self.name,
                    semconv.WORKFLOW_NAME: self._measured_workflow(around),
                    semconv.AGENT_NAME: self._measured_agent(around),
                    semconv.OUTCOME: outcome,
                    semconv.ERROR_TYPE: error_type,
                }
            )
            remember(self._metric_sets, key, found)
        return found

    def _measured_workflow(self, around: Scope) -> str | None:
        return {"workflow": self.name, "tool": None}.get(self.kind, around.workflow)

    def _measured_agent(self, around: Scope) -> str | None:
        return {"agent": self.name, "tool": around.agent}.get(self.kind)


_OWN_NAME = {
    "workflow": semconv.WORKFLOW_NAME,
    "stage": semconv.STAGE_NAME,
    "agent": semconv.AGENT_NAME,
    "tool": semconv.TOOL_NAME,
}


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
        if self.capture != "off":
            _content.write_output(self.span, self.capture, self.operation.output_side, result)

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


def present(attributes: Mapping[str, Any]) -> dict[str, AttributeValue]:
    """``attributes`` without those that are None."""
    return {name: value for name, value in attributes.items() if value is not None}


def remember(cache: dict[Any, Any], key: Any, value: Any) -> None:
    """Keep ``value`` in a cache whose keys may come from run time, so within bounds."""
    if len(cache) >= _CACHED_SETS:
        cache.clear()
    cache[key] = value
