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
from typing import Any, NamedTuple

from opentelemetry.trace import Span, SpanContext

PLACE = "_otelkit_place"
DEEPEST = 100  # runs above one; what is deeper begins a tree of its own


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
    """What a kept span is in LangSmith: ``id``, ``trace_id``, ``parent_id``, ``order``.

    Args:
        context: The span's ids.
        name: The span's name.
        start: When it started, in nanoseconds since 1970.
        place: Where it is among spans.
        native: The run of ``langsmith``'s own above it, if that is nearer.
    """

    tree: Any = None  # langsmith's picture of it, once somebody needs one

    def __init__(
        self,
        context: SpanContext,
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
        self.depth: int = above.depth + 1 if above is not None else 0
        self.native = native
        self.ended = False
        self.sent_trace_id: int
        if above is not None:
            self.sent_trace_id = above.sent_trace_id
        elif place.trace is not None and place.trace.claim():
            self.sent_trace_id = context.trace_id
        else:
            self.sent_trace_id = _derived(context)
        self.sampled: bool = above is None or above.sampled
        self.id = _uuid(self.sent_trace_id if above is None else self.span_id)
        self._order: str | None = None
        self.trace_id: str  # the id of the root of its tree
        if native is not None:
            self.trace_id = native.trace_id
        else:
            self.trace_id = self.id if above is None else above.trace_id

    @property
    def parent_id(self) -> str | None:
        """The id of the run above it."""
        if self.native is not None:
            return self.native.id
        return None if self.above is None else self.above.id

    @property
    def order(self) -> str:
        """LangSmith's ``dotted_order``: start and id of every run from the root to this one."""
        if self._order is None:  # cached_property has a lock, which a fork may copy held
            self._order = self._ordered()
        return self._order

    def _ordered(self) -> str:
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
    """Where a span is.

    Attributes:
        run: The run that it is, or the nearest one above.
        trace: The trace it is in, if that began here.
        open: It is no run so far, but may still be marked as one.
    """

    run: Run | None
    trace: Trace | None
    open: bool = False


_ELSEWHERE = Place(None, None)


def place_of(context: SpanContext | None) -> Place | None:
    """The place of the span with ``context``; None if it began elsewhere, or before there was any.

    It is noted on the context itself, which a running span, the ended one (another object) and
    whoever starts a child of it share: so it lives as long as somebody needs it, and no longer.
    """
    return None if context is None else vars(context).get(PLACE)


def remember(context: SpanContext, place: Place) -> None:
    """Notes the place of the span with ``context``."""
    vars(context)[PLACE] = place


def place_below(parent: SpanContext | None) -> Place:
    """The place of a span that starts under ``parent``, or under none."""
    if parent is None:
        return Place(None, Trace())
    return place_of(parent) or _ELSEWHERE


def run_of(span: Span) -> Run | None:
    """The run of ``span``, or the one it is part of; None where there is none."""
    place = place_of(span.get_span_context())
    return place.run if place is not None else None


def _uuid(number: int) -> str:
    digits = f"{number:032x}"  # five times as fast as UUID
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _derived(context: SpanContext) -> int:
    """A trace id for a root that cannot have its trace's: the same wherever it is computed."""
    ids = context.trace_id.to_bytes(16, "big") + context.span_id.to_bytes(8, "big")
    return int.from_bytes(hashlib.blake2b(ids, digest_size=16).digest(), "big")
