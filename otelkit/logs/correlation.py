"""Which trace and which request a log record belongs to.

Usually that is the current span's. Servers, however, write two kinds of records after a request has
left the application and its span: the access record, and the error record of an exception that
nobody caught. For those the request that this task served last is remembered.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from time import perf_counter
from typing import Any

from opentelemetry.context import Context, get_current
from opentelemetry.trace import (
    INVALID_SPAN_CONTEXT,
    NonRecordingSpan,
    SpanContext,
    get_current_span,
    set_span_in_context,
)


class Request:
    """The request that a server's task serves, or has just served.

    Args:
        id: The request id.
        scope: The ASGI scope, in which routers leave the route.
    """

    __slots__ = ("_scope", "id", "span", "started")

    def __init__(self, id: str, scope: Mapping[str, Any]) -> None:
        self.id = id
        self.span = span_of(get_current())
        self.started = perf_counter()
        self._scope = scope

    def seen_in_span(self) -> None:
        """Take over the current span, where the server span is made inside the middleware."""
        if not self.span.is_valid:
            self.span = span_of(get_current())

    def route(self) -> str | None:
        """The path template of the route that was chosen, such as ``/items/{id}``."""
        # otelkit's own instrumentation knows the template with the prefixes of mounts.
        for chosen, name in (("otelkit.request", "route"), ("route", "path")):
            template = getattr(self._scope.get(chosen), name, None)
            if isinstance(template, str):
                return template
        return None


# Never reset: servers give every request a task of its own, or set this anew for the next one.
request: ContextVar[Request | None] = ContextVar("otelkit-request", default=None)


def span_of(context: Context) -> SpanContext:
    """The span context in ``context``; the invalid one outside of every span."""
    return get_current_span(context).get_span_context()


def here() -> tuple[Context, SpanContext]:
    """The current context and span; after a request's end, the span of that request."""
    context = get_current()
    span = span_of(context)
    if span.is_valid:
        return context, span
    last = request.get()
    if last is None or not last.span.is_valid:
        return context, INVALID_SPAN_CONTEXT
    return set_span_in_context(NonRecordingSpan(last.span), context), last.span
