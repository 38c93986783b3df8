"""The bridge: which spans are runs, where they hang, and what becomes of them when they end."""

from __future__ import annotations

from typing import Any, NamedTuple

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span

from otelkit import semconv
from otelkit.decorators._state import note_failure
from otelkit.export.queue import Queue
from otelkit.langsmith import _native
from otelkit.langsmith._copies import OWN, Copies
from otelkit.langsmith._kinds import MARKS, MODEL_CALLS, is_plain, kind_of
from otelkit.langsmith._plan import Plan
from otelkit.langsmith._project import Project
from otelkit.langsmith._runs import DEEPEST, PLACE, Place, Run, place_below, remember
from otelkit.langsmith._sampling import is_sampled

_OF_LANGSMITH = "langsmith"
_OF_LANGCHAIN = frozenset(
    {
        "opentelemetry.instrumentation.genai.langchain", "opentelemetry.instrumentation.langchain",
        "openinference.instrumentation.langchain",
    }
)  # fmt: skip


class Ended(NamedTuple):
    """A span on its way to LangSmith."""

    run: Run
    span: ReadableSpan


class Bridge:
    """Sees every span at its start and at its end.

    Args:
        plan: What is to be done.
        project: Where runs go.
        rate: The share of trees that is kept.
        copies: Writes the stamps of spans.
        queue: Where ended spans go; None where they are stamped only.
    """

    def __init__(
        self, plan: Plan, project: Project, rate: float, copies: Copies, queue: Queue | None
    ) -> None:
        self._plan = plan
        self._project = project
        self._rate = rate
        self._copies = copies
        self.queue = queue

    def start(self, span: Span, parent_context: Context | None) -> None:
        """Gives a starting span its place. Never raises."""
        try:
            # Every span of the process comes by here: no call that can be spared.
            parent, scope = span.parent, span.instrumentation_scope
            place = parent.__dict__.get(PLACE) if parent is not None else None
            if place is None:
                place = place_below(parent)
            if scope is None or not is_plain(scope.name):
                place = self._place(span, _scope(span), place, parent_context)
            elif place.open:
                place = place._replace(open=False)
            span.get_span_context().__dict__[PLACE] = place
        except Exception:
            note_failure()

    def end(self, span: ReadableSpan) -> ReadableSpan:
        """Queues or stamps an ended span; returns what other destinations get. Never raises."""
        try:
            context = span.context
            place = context.__dict__.get(PLACE) if context is not None else None
            if place is None or context is None:
                return span
            if place.open and _is_marked(span):
                place = self._begin(span, _scope(span), place)
                remember(context, place)
            run = place.run
            if run is None or run.span_id != context.span_id:
                return span  # it is no run
            return self._end(span, run)
        except Exception:
            note_failure()
            return span

    def _place(self, span: Span, scope: str, place: Place, parent_context: Context | None) -> Place:
        if not span.get_span_context().trace_flags.sampled:
            return Place(place.run, place.trace)
        if not _is_marked(span):
            return Place(place.run, place.trace, open=True)
        if place.open:
            place = self._marked_since(trace.get_current_span(parent_context), place)
        return self._begin(span, scope, place)

    def _marked_since(self, parent: trace.Span, place: Place) -> Place:
        """The place below ``parent``, which may have become a run after its start."""
        if isinstance(parent, Span) and _is_marked(parent):
            place = self._begin(parent, _scope(parent), place)
            remember(parent.get_span_context(), place)
        return place

    def _end(self, span: ReadableSpan, run: Run) -> ReadableSpan:
        run.ended = True
        if not run.sampled:
            return span
        if self.queue is None:
            return self._copies.stamped(run, span)
        self.queue.put(Ended(run, span))
        return span

    def _begin(self, span: ReadableSpan, scope: str, place: Place) -> Place:
        """The place of a span that is a run, unless langsmith records the same."""
        if place.run is not None and place.run.depth >= DEEPEST:
            # Tasks that each start the next one never come to an end; every run holds those above.
            place = place._replace(run=None)
        native = _native.look(place) if self._plan.mode else _native.Native()
        context = span.context
        if context is None or self._is_recorded_otherwise(span, scope, native.run):
            return Place(place.run, place.trace)
        parent = native.run if self._plan.native else None
        run = Run(
            context,
            span.name,
            span.start_time or 0,
            place,
            _native.as_parent(parent) if parent is not None else None,
        )
        if self._rate < 1 and (run.native is not None or run.above is None):
            run.sampled = is_sampled(run.trace_id, self._rate)
        if isinstance(span, Span) and span.is_recording():
            if self._plan.native and not native.covered:
                _native.set_above(run, self._project.name)
            if run.sampled:
                # On the span itself: a copy for every other destination would cost more.
                span.set_attribute(semconv.LANGSMITH_RUN_URL, self._project.address(run))
        return Place(run, place.trace)

    def _is_recorded_otherwise(self, span: ReadableSpan, scope: str, native: Any) -> bool:
        if scope == OWN or not self._plan.mode:
            return False
        if scope == _OF_LANGSMITH:
            return self._plan.mode == "hybrid"
        if scope in _OF_LANGCHAIN:
            return True
        return kind_of(span.attributes or {}) in MODEL_CALLS and _native.calls_model(native)


def _scope(span: ReadableSpan) -> str:
    return span.instrumentation_scope.name if span.instrumentation_scope is not None else ""


def _is_marked(span: ReadableSpan) -> bool:
    attributes = span.attributes or {}
    return semconv.OPERATION_NAME in attributes or not MARKS.isdisjoint(attributes)
