"""Runs: what spans are in LangSmith, where each has an id, a trace and a place in a tree.

LangSmith derives them from OTLP. A span without a parent is the root of a trace: its run's id is
the trace id, so that two roots in one OpenTelemetry trace would be one run. Another span's run has
its span id behind eight zero bytes. A span whose parent never arrives vanishes, although the
request was answered with 200. So every kept span hangs on the nearest kept one above it, and a root
keeps the trace id of OpenTelemetry only where nobody else can have taken it for a root of his own.

The ids are sent as attributes too: they say the same, and name what no OTLP field can, parents that
``langsmith`` made (see ``_native``).
"""

from __future__ import annotations

import hashlib
import itertools
import os
from datetime import datetime, timezone
from functools import cached_property
from typing import Any, NamedTuple
from uuid import UUID

from opentelemetry import trace
from opentelemetry.context import Context

_MARK = "_otelkit_place"


class Trace:
    """A trace that began in this process; its first root keeps its id."""

    def __init__(self) -> None:
        self._roots = itertools.count()
        self._process = os.getpid()

    def claim(self) -> bool:
        """Whether the caller is the first; never so in a forked child, whose parent may claim."""
        return self._process == os.getpid() and next(self._roots) == 0


class Parent(NamedTuple):
    """A run that ``langsmith`` made."""

    id: str
    trace_id: str
    order: str


class Run:
    """What a kept span is in LangSmith. What only sending needs is computed when it is sent.

    Args:
        context: The span's ids.
        name: The span's name.
        start: When it started, in nanoseconds since 1970.
        place: Where it is among spans.
        native: The run of ``langsmith``'s own above it, if that is nearer.
    """

    def __init__(
        self,
        context: trace.SpanContext,
        name: str,
        start: int,
        place: Place,
        native: Parent | None,
    ) -> None:
        self.span_id = context.span_id
        self.otel_trace_id = context.trace_id
        self.name = name
        self.start = start
        self.above = above = place.run
        self.native = native
        self.ended = False
        self.tree: Any = None  # langsmith's picture of it, once somebody needs one
        self.sent_trace_id: int
        if above is not None:
            self.sent_trace_id = above.sent_trace_id
        elif place.trace is not None and place.trace.claim():
            self.sent_trace_id = context.trace_id
        else:
            self.sent_trace_id = _derived(context)
        self.sampled: bool = above is None or above.sampled

    @cached_property
    def id(self) -> str:
        """The run's id."""
        return str(UUID(int=self.sent_trace_id if self.above is None else self.span_id))

    @cached_property
    def trace_id(self) -> str:
        """The id of the root of its tree."""
        if self.native is not None:
            return self.native.trace_id
        return self.id if self.above is None else self.above.trace_id

    @property
    def parent_id(self) -> str | None:
        """The id of the run above it."""
        if self.native is not None:
            return self.native.id
        return None if self.above is None else self.above.id

    @cached_property
    def order(self) -> str:
        """LangSmith's ``dotted_order``: start and id of every run from the root to this one."""
        start = self.started.strftime("%Y%m%dT%H%M%S%fZ")
        if self.native is not None:
            return f"{self.native.order}.{start}{self.id}"
        return f"{start}{self.id}" if self.above is None else f"{self.above.order}.{start}{self.id}"

    @property
    def started(self) -> datetime:
        """When it started, to the microsecond; whole numbers, for floats would round."""
        seconds, nanoseconds = divmod(self.start, 1_000_000_000)
        moment = datetime.fromtimestamp(seconds, timezone.utc)
        return moment.replace(microsecond=nanoseconds // 1000)

    def is_within(self, other: Run) -> bool:
        """Whether ``other`` is this run or one above it."""
        run: Run | None = self
        while run is not None and run is not other:
            run = run.above
        return run is not None


class Place(NamedTuple):
    """Where a span is: in which run (its own, or the nearest above), in which trace."""

    run: Run | None
    trace: Trace | None


def place_of(span: trace.Span) -> Place | None:
    """The place of ``span``; None if that started elsewhere, or before there were places."""
    found: Place | None = getattr(span, _MARK, None)
    return found


def place_in(context: Context | None) -> Place:
    """The place in which a span would be that starts in ``context``."""
    parent = trace.get_current_span(context)
    found = place_of(parent)
    if found is not None:
        return found
    begins = not parent.get_span_context().is_valid
    return Place(None, Trace() if begins else None)


def remember(span: trace.Span, place: Place) -> None:
    """Notes the place of ``span`` on the span itself: whoever starts a child of it has it.

    So it lives as long as anybody can need it, and no longer.
    """
    setattr(span, _MARK, place)


def run_of(span: trace.Span) -> Run | None:
    """The run of ``span``, or the one it is part of; None where none is sent."""
    run = getattr(place_of(span), "run", None)
    return run if run is not None and run.sampled else None


def _derived(context: trace.SpanContext) -> int:
    """A trace id for a root that cannot have its trace's: the same wherever it is computed."""
    ids = context.trace_id.to_bytes(16, "big") + context.span_id.to_bytes(8, "big")
    return int.from_bytes(hashlib.blake2b(ids, digest_size=16).digest(), "big")
