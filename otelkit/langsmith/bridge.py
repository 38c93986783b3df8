"""The bridge: which spans are runs, where they hang, and what becomes of them when they end."""

from __future__ import annotations

import weakref
from typing import Any, NamedTuple

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span

from otelkit import semconv
from otelkit.decorators._call import note_failure
from otelkit.export.queue import Queue
from otelkit.langsmith import _native, _runs
from otelkit.langsmith._copies import OWN, Copies
from otelkit.langsmith._kinds import MARKS, MODEL_CALLS, PLAIN_SCOPES, kind_of
from otelkit.langsmith._plan import Plan
from otelkit.langsmith._project import Project
from otelkit.langsmith._runs import Place, Run
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
        # By span id, since an ended span is another object. Weak: one that is never ended goes.
        self._open: weakref.WeakValueDictionary[int, Span] = weakref.WeakValueDictionary()

    def start(self, span: Span, parent_context: Context | None) -> None:
        """Gives a starting span its place. Never raises."""
        try:
            self._start(span, parent_context)
        except Exception:
            note_failure()

    def end(self, span: ReadableSpan) -> ReadableSpan:
        """Queues or stamps an ended span; returns what other destinations get. Never raises."""
        try:
            return self._end(span)
        except Exception:
            note_failure()
            return span

    def _start(self, span: Span, parent_context: Context | None) -> None:
        place = _runs.place_in(parent_context)
        scope = _scope(span)
        context = span.get_span_context()
        if context.trace_flags.sampled and not scope.startswith(PLAIN_SCOPES):
            if _is_marked(span):
                above = self._under(trace.get_current_span(parent_context), place)
                place = self._begin(span, scope, above)
                if place is not above:
                    self._open[context.span_id] = span
            else:
                self._open[context.span_id] = span  # it may still be marked
        _runs.remember(span, place)

    def _end(self, span: ReadableSpan) -> ReadableSpan:
        live = self._open.pop(span.context.span_id, None) if span.context is not None else None
        if live is None:
            return span
        run = self._own_run(live)
        if run is None:
            return span
        run.ended = True
        if not run.sampled:
            return span
        if self.queue is None:
            return self._copies.stamped(run, span)
        self.queue.put(Ended(run, span))
        return span

    def _begin(self, span: Span, scope: str, place: Place) -> Place:
        """The place of a span's children: in its run, if it is one."""
        native = _native.above(place) if self._plan.mode else None
        if self._is_recorded_otherwise(span, scope, native):
            return place
        parent = native if self._plan.native else None
        run = Run(
            span.get_span_context(),
            span.name,
            span.start_time or 0,
            place,
            _native.as_parent(parent) if parent is not None else None,
        )
        if self._rate < 1 and (run.native is not None or run.above is None):
            run.sampled = is_sampled(run.trace_id, self._rate)
        if span.is_recording():
            if self._plan.native:
                _native.set_above(run, self._project.name)
            if run.sampled:
                span.set_attribute(semconv.LANGSMITH_RUN_URL, self._project.address(run))
        return Place(run, place.trace)

    def _is_recorded_otherwise(self, span: Span, scope: str, native: Any) -> bool:
        """Whether langsmith records the same as a run of its own."""
        if scope == _OF_LANGSMITH:
            return self._plan.mode == "hybrid"
        if not self._plan.mode or scope == OWN:
            return False
        if scope in _OF_LANGCHAIN:
            return True
        return kind_of(span.attributes or {}) in MODEL_CALLS and _native.calls_model(native)

    def _under(self, parent: trace.Span, place: Place) -> Place:
        """``place``, or one in the run that ``parent`` became after its start."""
        if isinstance(parent, Span) and parent.is_recording() and self._own_run(parent) is not None:
            return _runs.place_of(parent) or place
        return place

    def _own_run(self, span: Span) -> Run | None:
        """The run that ``span`` is; one that was marked after its start becomes one here."""
        place = _runs.place_of(span)
        if place is None:
            return None
        if place.run is not None and place.run.span_id == span.get_span_context().span_id:
            return place.run
        if not _is_marked(span):
            return None
        now = self._begin(span, _scope(span), place)
        _runs.remember(span, now)
        return now.run if now is not place else None


def _scope(span: Span) -> str:
    return span.instrumentation_scope.name if span.instrumentation_scope is not None else ""


def _is_marked(span: Span) -> bool:
    return not MARKS.isdisjoint(span.attributes or ())
