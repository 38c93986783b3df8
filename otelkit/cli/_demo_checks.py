"""What must be there after the demo's requests, and what of it is not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from otelkit.cli._demo_requests import Sent
from otelkit.cli._demo_trace import Span, Trace

_WORKFLOW = "POST /generate > invoke_workflow generate_models"
# The way from the request down to the database and to the model, span by span.
_PATHS = (
    f"{_WORKFLOW} > stage validate",
    f"{_WORKFLOW} > stage plan > invoke_agent architect > chat gpt-5",
    f"{_WORKFLOW} > stage plan > invoke_agent architect > execute_tool recall_class_names > SQL",
    f"{_WORKFLOW} > stage generate > invoke_agent coder > chat gpt-5-mini",
    f"{_WORKFLOW} > stage generate > invoke_agent coder > execute_tool render_model",
    f"{_WORKFLOW} > stage check > execute_tool compile_check",
    f"{_WORKFLOW} > stage check > invoke_agent reviewer > chat gpt-5-nano",
    f"{_WORKFLOW} > execute_tool write_files",
    f"{_WORKFLOW} > SQL",
)
_COUNTERS = ("code_files_generated", "code_lines_generated", "code_models_generated")
_STATUS = {"success": 200, "failing agent": 502, "bad schema": 422, "streaming": 200}


@dataclass(frozen=True)
class Evidence:
    """What the demo has seen: its requests, their traces by what they show, all metrics."""

    sent: list[Sent]
    traces: dict[str, Trace]
    metrics: list[dict[str, Any]]


def missing(evidence: Evidence) -> list[str]:
    """Return what should be there and is not, a line each."""
    lines = [
        f"{one.about}: POST {one.path} answered {one.status} instead of {_STATUS[one.about]}"
        for one in evidence.sent
        if one.status != _STATUS[one.about]
    ]
    for about in _STATUS:
        trace = evidence.traces.get(about)
        if trace is None:
            lines.append(f"{about}: there is no trace of this request")
        else:
            lines += [f"{about}: {line}" for line in _CHECKS[about](trace)]
    arrived = {point["name"] for point in evidence.metrics}
    return lines + [f"metrics: no {name}" for name in _COUNTERS if name not in arrived]


def _success(trace: Trace) -> Iterator[str]:
    yield from _whole(trace, "POST /generate")
    paths = {span.path for span in trace.spans}
    yield from (f"no span at {path}" for path in _PATHS if path not in paths)
    yield from _paid(trace)
    yield from _logged(trace, "run started", "plan ready", "models checked", "run completed")


def _failing_agent(trace: Trace) -> Iterator[str]:
    yield from _whole(trace, "POST /generate")
    failed = {span.name: span for span in trace.spans if span.failed}
    for name in ("POST /generate", "invoke_workflow generate_models", "invoke_agent coder"):
        if name not in failed:
            yield f"the span {name} is not marked as failed"
    if not any(span.kind == "llm" and "error.type" in span.attributes for span in failed.values()):
        yield "no LLM call names the type of its error"
    yield from _logged(trace, "run failed")


def _bad_schema(trace: Trace) -> Iterator[str]:
    yield from _whole(trace, "POST /generate")
    if not any(span.name == "stage validate" and span.failed for span in trace.spans):
        yield "the stage validate is not marked as failed"
    yield from _logged(trace, "run rejected")


def _streaming(trace: Trace) -> Iterator[str]:
    yield from _whole(trace, "POST /generate/stream")
    yield from _paid(trace)
    if not any("gen_ai.response.time_to_first_chunk" in s.attributes for s in trace.llm_calls):
        yield "no LLM call tells the time to its first chunk"
    yield from _logged(trace, "run completed")


_CHECKS = {
    "success": _success,
    "failing agent": _failing_agent,
    "bad schema": _bad_schema,
    "streaming": _streaming,
}


def _whole(trace: Trace, root: str) -> Iterator[str]:
    names = [span.name for span in trace.roots]
    if names != [root] or trace.roots[0].kind != "http":
        yield f"the trace does not begin with the HTTP span {root} alone, but with {names}"


def _paid(trace: Trace) -> Iterator[str]:
    def without(attribute: str) -> list[Span]:
        return [span for span in trace.llm_calls if not span.attributes.get(attribute)]

    if not trace.llm_calls:
        yield "there is no LLM call"
    for attribute in ("input_tokens", "output_tokens", "cost.amount"):
        if lacking := without(f"gen_ai.usage.{attribute}"):
            yield f"{len(lacking)} LLM calls have no gen_ai.usage.{attribute}"


def _logged(trace: Trace, *messages: str) -> Iterator[str]:
    known = {span.id for span in trace.spans}
    found = {str(record["body"]) for record in trace.logs if record["span_id"] in known}
    yield from (f"no log line {text!r} in a span" for text in messages if text not in found)
