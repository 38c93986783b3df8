"""A trace as the viewer's JSON API gives it, put together as a tree."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from otelkit.cli._demo_http import send

_KINDS = {"invoke_workflow": "workflow", "invoke_agent": "agent", "execute_tool": "tool"}


@dataclass(eq=False)
class Span:
    """One span with what is below it.

    Attributes:
        kind: http, workflow, stage, agent, tool, llm, sql or other.
        start: Nanoseconds since 1970.
        duration: Milliseconds.
        failed: Whether its status is ERROR.
    """

    id: str
    parent_id: str | None
    name: str
    kind: str
    start: int
    duration: float
    failed: bool
    attributes: dict[str, Any]
    parent: Span | None = None
    children: list[Span] = field(default_factory=list)

    @property
    def path(self) -> str:
        """The names from the root down to this span; of SQL only that it is SQL."""
        name = "SQL" if self.kind == "sql" else self.name
        return f"{self.parent.path} > {name}" if self.parent else name

    @property
    def agent(self) -> str | None:
        """The name of the agent that this span works for."""
        if self.kind == "agent":
            return str(self.attributes.get("gen_ai.agent.name"))
        return self.parent.agent if self.parent else None

    def walk(self) -> Iterator[Span]:
        """Give this span and all below it, in the order in which they began."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass
class Trace:
    """All spans and log records of one trace; `roots` are the spans without a known parent."""

    id: str
    roots: list[Span]
    logs: list[dict[str, Any]]

    @property
    def spans(self) -> list[Span]:
        """Every span, parents before children."""
        return [span for root in self.roots for span in root.walk()]

    @property
    def llm_calls(self) -> list[Span]:
        """The calls of language models; of a call seen by two instrumentations the outer one."""
        calls = [span for span in self.spans if span.kind == "llm"]
        return [span for span in calls if not (span.parent and span.parent.kind == "llm")]


def ask(url: str) -> Any:
    """Return the JSON that the viewer answers at `url`."""
    return json.loads(send(url)[1])


def read(viewer_url: str, start: int, end: int) -> Trace | None:
    """Return the trace that began between two times (ns since 1970), or None."""
    for summary in ask(f"{viewer_url}/api/traces?limit=1000")["traces"]:
        if start <= summary["start_unix_nano"] <= end:
            return build(ask(f"{viewer_url}/api/traces/{summary['trace_id']}"))
    return None


def build(trace: dict[str, Any]) -> Trace:
    """Put the spans of one answer of `/api/traces/{id}` together."""
    spans = {
        one["span_id"]: Span(
            id=one["span_id"],
            parent_id=one["parent_id"],
            name=one["name"],
            kind=_kind(one),
            start=one["start_unix_nano"],
            duration=one["duration_ms"],
            failed=one["status"]["code"] == "ERROR",
            attributes=one["attributes"],
        )
        for one in trace["spans"]
    }
    roots: list[Span] = []
    for span in sorted(spans.values(), key=lambda span: span.start):
        span.parent = spans.get(span.parent_id or "")
        (span.parent.children if span.parent else roots).append(span)
    return Trace(trace["trace_id"], roots, trace["logs"])


def _kind(span: dict[str, Any]) -> str:
    attributes = span["attributes"]
    if operation := attributes.get("gen_ai.operation.name"):
        return _KINDS.get(operation, "llm")
    if "otelkit.stage.name" in attributes:
        return "stage"
    if "db.system.name" in attributes or "db.system" in attributes:
        return "sql"
    return "http" if span["kind"] == "SERVER" else "other"
