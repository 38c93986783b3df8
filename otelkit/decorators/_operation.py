"""What a decorator says of the calls it makes, computed once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, SpanKind
from opentelemetry.util.types import AttributeValue

from otelkit import semconv
from otelkit.context import Scope, scope, with_scope
from otelkit.decorators import _content
from otelkit.decorators._call import Call, Unrecorded
from otelkit.decorators._state import note_failure, state, wake

_CACHED_SETS = 512  # attribute dicts an operation keeps; names made at run time must not add up


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
            if not state.live and not wake():
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


def present(attributes: Mapping[str, Any]) -> dict[str, AttributeValue]:
    """``attributes`` without those that are None."""
    return {name: value for name, value in attributes.items() if value is not None}


def remember(cache: dict[Any, Any], key: Any, value: Any) -> None:
    """Keep ``value`` in a cache whose keys may come from run time, so within bounds."""
    if len(cache) >= _CACHED_SETS:
        cache.clear()
    cache[key] = value
