"""LangSmith: every workflow, stage, agent, tool and LLM call there, once, with tokens and cost.

``setup()`` connects it when ``LANGSMITH_TRACING`` is true and ``LANGSMITH_API_KEY`` is set. What is
public here leads from a span to its run::

    with otelkit.traced_workflow("answer"):
        print(otelkit.langsmith.run_url())
        otelkit.langsmith.feedback("thumbs", 1)

A span that is no run itself (HTTP, SQL, plain ones) counts as the run around it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import Span

from otelkit.langsmith import _current, _lost, _plan
from otelkit.langsmith._runs import Run, run_of
from otelkit.settings import Settings

__all__ = ["feedback", "problems", "run_id", "run_url"]


def run_id(span: Any = None) -> str | None:
    """The id of a span's run in LangSmith.

    Args:
        span: A span, running or ended, or what ``with otelkit.traced_llm(…) as call`` gives; the
            current span by default.

    Returns:
        A UUID; None where nothing is sent: LangSmith is not connected, no run is around, or its
        trace is not sampled.
    """
    run = _run(span)
    return run.id if run is not None else None


def run_url(span: Any = None) -> str | None:
    """The web address of a span's run, which works as soon as the run has arrived there.

    Args:
        span: As for :func:`run_id`.

    Returns:
        An address; None where nothing is sent.
    """
    run, project = _run(span), _current.project
    return project.address(run) if run is not None and project is not None else None


def feedback(key: str, score: float | bool, comment: str | None = None, span: Any = None) -> None:
    """Sends feedback on a span's run, through the ``langsmith`` client (the extra ``langsmith``).

    Returns at once: it is sent in the background. Where nothing is sent to LangSmith, nothing
    happens; feedback that cannot be delivered is a warning, one a minute.

    Args:
        key: What is judged, such as ``"thumbs"``.
        score: How it was.
        comment: Why.
        span: As for :func:`run_id`; keep the span of a request to judge it later.
    """
    project = _current.project
    if project is None or project.key is None:
        return
    found = _span(span)
    run = run_of(found)
    if run is not None and run.sampled:
        from otelkit.langsmith import _feedback

        _feedback.give(project, run, key, score, comment)
    elif run is None and not _is_unsampled(found):
        _lost.warn(key, "there is no run in LangSmith here")


def problems(environ: Mapping[str, str]) -> list[str]:
    """What the variables in ``environ`` ask of LangSmith and will not get, a text each.

    Unsupported combinations of ``LANGSMITH_TRACING``, ``LANGSMITH_OTEL_ENABLED``,
    ``LANGSMITH_OTEL_ONLY`` and ``LANGSMITH_TRACING_MODE`` among them. ``setup()`` warns of the
    same.
    """
    return _plan.problems(Settings.from_env(environ), environ)


def _run(span: Any) -> Run | None:
    run = run_of(_span(span)) if _current.project is not None else None
    return run if run is not None and run.sampled else None


def _span(given: Any) -> Span:
    if given is None:
        return trace.get_current_span()
    found = given if isinstance(given, Span) else getattr(given, "span", None)
    return found if isinstance(found, Span) else trace.INVALID_SPAN


def _is_unsampled(span: Span) -> bool:
    context = span.get_span_context()
    return context.is_valid and not context.trace_flags.sampled
