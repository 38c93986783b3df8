"""Which request a log record belongs to that a server writes after the request has left it.

The trace of a record is the current span's. Servers, however, write two kinds of records when a
request has left the application and its span has ended: the access record, and the error record of
an exception that nobody caught. For those the request that a task served last is remembered.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar
from time import perf_counter
from typing import Any

from opentelemetry._logs import LogRecord
from opentelemetry.trace import get_current_span

_LEFT_OUT = "otelkit.left_out"  # in the scope of a probe or a scrape


class Request:
    """The request that a server's task serves, or has just served.

    Args:
        id: The request id, if it has one.
        scope: The ASGI scope, in which routers leave the route.
    """

    __slots__ = ("_scope", "_span", "id", "started")

    def __init__(self, id: str | None, scope: Mapping[str, Any]) -> None:
        self.id = id
        self.started = perf_counter()
        self._scope = scope
        self._span = get_current_span().get_span_context()

    def seen_in_span(self) -> None:
        """Take over the current span, where the server span is made inside the middleware."""
        if not self._span.is_valid:
            self._span = get_current_span().get_span_context()

    def claim(self, record: LogRecord) -> None:
        """Give ``record``, which has no trace, the one of this request."""
        record.trace_id = self._span.trace_id
        record.span_id = self._span.span_id
        record.trace_flags = self._span.trace_flags

    @property
    def left_out(self) -> bool:
        """Whether :func:`leave_out` was told of this request."""
        return _LEFT_OUT in self._scope

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


def leave_out(scope: MutableMapping[str, Any]) -> None:
    """Say that this request has no span and no metrics, so it needs no access record either."""
    scope[_LEFT_OUT] = True
    request.set(Request(None, scope))
