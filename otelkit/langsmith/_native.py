"""Runs that the ``langsmith`` package makes itself, and spans, in one tree.

``@traceable``, LangChain and LangGraph ask ``langsmith`` for the run above them. It looks into a
context variable of its own, which holds a weak reference to a run, and calls that. What was found
by experiment (langsmith 0.14.9 and 0.15.0, langchain-core 1.7, langgraph 1.2):

- ``tracing_context(parent=…)`` sets that variable until its block ends. Spans end in other contexts
  than they began in (generators, tasks), so there is no block to put around one.
- The variable may hold anything that can be called. :class:`_Above` finds, at the moment it is
  asked, the kept span that is current. Set once by a span, it is right in every context copied from
  there, and needs no undoing: where the span is not current, it says what was there before.
- The ``RunTree`` that it answers with is never posted. Runs of ``langsmith`` take trace id, parent
  id and ``dotted_order`` from it, and LangSmith joins them to the span's run, in either order.
- The other way round, a span inside a ``@traceable`` function or a LangGraph node finds the run
  above it in the same variable, and names it in ``langsmith.span.parent_id``: a parent span id of
  OTLP has eight bytes and can name no run of ``langsmith``.
- LangChain's models are runs, too, but are never in that variable, not even while they call their
  provider. That a client is called by one can only be seen from the frames it is called from.
- The official instrumentation of LangChain makes a workflow span only of a chain that has no run
  above it. That a span is above must not count, or a graph would be missing in the trace backend.
- ``LANGSMITH_OTEL_ENABLED`` (mode ``hybrid``) makes a span of each run, too, in the scope
  ``langsmith``. Its id is drawn anew in a thread, while spans inside the function get the first
  half of the run's id as parent: they hang on nothing. ``LANGSMITH_OTEL_ONLY`` (mode ``otel``) does
  the same and posts nothing, so there these spans are what there is. Without a provider of
  somebody else's, either mode installs its own when its client is made.
"""

from __future__ import annotations

import functools
import sys
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import UUID

from opentelemetry import trace

from otelkit import semconv
from otelkit.context import bound
from otelkit.langsmith._runs import Parent, Place, Run, place_of

MODULE = "langsmith.run_helpers"
VARIABLE = "_PARENT_RUN_TREE_REF"

_CHILDREN = 100  # runs that are remembered of those right below a span
_MODEL_CALLS = ("llm", "chat_model")
_HANDLER = (
    "opentelemetry.instrumentation.genai.langchain.callback_handler",
    "OpenTelemetryLangChainCallbackHandler",
)
_LANGCHAIN_MODELS = "langchain_core.language_models"

# The runs of spans that langsmith knows of, by id.
_known: weakref.WeakValueDictionary[UUID, Run] = weakref.WeakValueDictionary()


class _Above:
    """Answers ``langsmith`` with the run above: that of the current span, where it is within one.

    Args:
        run: The run that is being set.
        previous: What ``langsmith`` would have called without it.
        project: Where runs go.
    """

    def __init__(self, run: Run, previous: Callable[[], Any] | None, project: str) -> None:
        self.run = weakref.ref(run)  # a context may outlive the span by far
        self.previous = previous
        self._project = project

    def __call__(self) -> Any:
        try:
            place = place_of(trace.get_current_span().get_span_context())
            if place is not None and place.run is not None and self.covers(place.run):
                return _tree(place.run, self._project)
        except Exception:
            pass  # langsmith then makes a root of its own
        return self.previous() if self.previous is not None else None

    def covers(self, run: Run) -> bool:
        """Whether ``run`` is within the one that was set."""
        mine = self.run()
        return mine is not None and run.is_within(mine)


class Native(NamedTuple):
    """What ``langsmith`` knows where a span starts.

    Attributes:
        run: A run of its own under which the span is; None if there is none, or one of the spans
            above is nearer.
        covered: It knows of the spans above, and thereby of this one.
    """

    run: Any = None
    covered: bool = False


def look(place: Place) -> Native:
    """What there is of ``langsmith``'s own around a span that starts in ``place``."""
    variable = _variable()
    reference = variable.get() if variable is not None else None
    if reference is None:
        return Native()
    while isinstance(reference, _Above):
        if place.run is not None and reference.covers(place.run):
            return Native(covered=True)
        reference = reference.previous
    run = reference() if reference is not None else None
    if run is None or place.run is None or run.dotted_order.startswith(f"{place.run.order}."):
        return Native(run)
    return Native()


def as_parent(run: Any) -> Parent:
    """What a span has to know of a run above it."""
    return Parent(str(run.id), str(run.trace_id), run.dotted_order)


def set_above(run: Run, project: str) -> None:
    """Lets runs of ``langsmith`` that are made within ``run`` hang on it."""
    variable = _variable()
    if variable is None:
        return
    previous = variable.get()
    while isinstance(previous, _Above) and _is_over(previous):
        previous = previous.previous  # or every span of a long task would add one
    variable.set(_Above(run, previous, project))


def calls_model(run: Any) -> bool:
    """Whether a span that starts now, under ``run``, is inside of a model's run.

    Such a run tells tokens itself, and a span of the provider's client is the same call again.
    """
    if run is not None and run.run_type in _MODEL_CALLS:
        # Set by langsmith's wrappers of clients, not by functions that only say they are models.
        return bool((run.extra or {}).get("metadata", {}).get("ls_provider"))
    frame = sys._getframe() if _LANGCHAIN_MODELS in sys.modules else None
    while frame is not None:
        if str(frame.f_globals.get("__name__")).startswith(_LANGCHAIN_MODELS):
            return True
        frame = frame.f_back
    return False


def called_model(run: Run) -> bool:
    """Whether a model was called by runs of ``langsmith`` within ``run``: they have its tokens."""
    pending = list(run.tree.child_runs) if run.tree is not None else []
    while pending:
        one = pending.pop()
        if one.run_type in _MODEL_CALLS:
            return True
        pending += one.child_runs
    return False


def _variable() -> Any:
    # Not imported for this: where nobody loaded it, nothing of it runs.
    return getattr(sys.modules.get(MODULE), VARIABLE, None)


def _is_over(reference: _Above) -> bool:
    run = reference.run()
    return run is None or run.ended


def _tree(run: Run, project: str) -> Any:
    """``run`` as ``langsmith`` knows runs; made once, for it takes a tenth of a millisecond."""
    if run.tree is None:
        from langsmith.run_trees import RunTree

        values = bound()
        metadata = {
            "otel_trace_id": f"{run.otel_trace_id:032x}",
            "thread_id": values.get(semconv.CONVERSATION_ID),
            "user_id": values.get(semconv.USER_ID),
        }
        tree = RunTree(
            id=UUID(run.id),
            trace_id=UUID(run.trace_id),
            dotted_order=run.order,
            start_time=run.started,
            name=run.name,
            project_name=project,
            extra={"metadata": {key: value for key, value in metadata.items() if value}},
        )
        tree.child_runs = deque(maxlen=_CHILDREN)  # type: ignore[assignment] # may be many
        vars(run).setdefault("tree", tree)  # threads may come at once
        _known[tree.id] = run
        _mend_instrumentation()
    return run.tree


def _mend_instrumentation() -> None:
    module, name = _HANDLER
    handler = getattr(sys.modules.get(module), name, None)
    start = getattr(handler, "on_chain_start", None)
    if start is None or hasattr(start, "__wrapped__"):
        return

    @functools.wraps(start)
    def on_chain_start(*args: Any, parent_run_id: UUID | None = None, **kwargs: Any) -> Any:
        below_span = parent_run_id is not None and parent_run_id in _known
        return start(*args, parent_run_id=None if below_span else parent_run_id, **kwargs)

    handler.on_chain_start = on_chain_start  # type: ignore[union-attr]
