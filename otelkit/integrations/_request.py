"""One request in flight: its span and what is measured of it, until the response has ended."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterable
from time import perf_counter, time_ns
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Histogram, Meter, Observation
from opentelemetry.trace import Link, SpanKind, StatusCode

from otelkit import _current, _exceptions, semconv
from otelkit._asgi import Message, Receive, Scope, Send
from otelkit.integrations import _http

_ACTIVE_LABELS = (semconv.HTTP_REQUEST_METHOD, semconv.URL_SCHEME)

_log = logging.getLogger("otelkit")

# Counted at collection, which costs a request nothing, cannot drift, and knows the route by then.
_in_flight: set[Request] = set()
# A route that was asked for once is reported from then on, at zero.
_seen_active: dict[tuple[tuple[str, str], ...], int] = {}
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_flight.clear)


class Request:
    """One request (or websocket) in flight.

    Args:
        scope: Of ASGI.
        root_path: Path under which the application is mounted; the beginning of ``http.route``.
        trust_inbound: Continue the trace that the headers name; false links to it.
    """

    def __init__(self, scope: Scope, root_path: str, *, trust_inbound: bool) -> None:
        headers = _http.headers(scope)
        self._http = scope["type"] == "http"
        self._prefix = root_path
        self.route: str | None = None
        self._status = 0
        self._request_size = _http.content_length(headers)
        self._response_size = 0
        self._duration = 0.0
        self._ended_at: int | None = None
        self._finished = False
        self._labels, attributes = _http.attributes(scope, headers)
        self._name = _http.span_name(self._labels)
        self.context, links = _parent(headers, trust_inbound)
        self._started = perf_counter()
        self._span = _tracer().start_span(
            self._name, self.context, SpanKind.SERVER, {**self._labels, **attributes}, links
        )
        self.context = trace.set_span_in_context(self._span, self.context)
        self._instruments = instruments()  # from the first request on it is counted in flight
        if self._http:
            _in_flight.add(self)

    def matched(self, path: str, *, mount: bool = False) -> None:
        """A router chose the route with the template ``path``; a mount is followed by others."""
        if mount:
            self._prefix += path
            path = "/{path}"
        self.route = self._prefix + path

    def active_labels(self) -> dict[str, str]:
        """What the request is counted under while it is in flight."""
        labels = {name: self._labels[name] for name in _ACTIVE_LABELS}
        return labels if self.route is None else {**labels, semconv.HTTP_ROUTE: self.route}

    def receiving(self, receive: Receive) -> Receive:
        """``receive``, counting the body where no header tells its size."""
        if self._request_size is not None:
            return receive

        async def counted() -> Message:
            message = await receive()
            size = len(message.get("body", b""))
            if size:
                self._request_size = (self._request_size or 0) + size
            return message

        return counted

    def sending(self, send: Send) -> Send:
        """``send``, learning status, size and end of the response."""

        async def observed(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._status = message["status"]
            elif message["type"] == "http.response.body":
                if self._name != "HEAD":  # servers drop this body
                    self._response_size += len(message.get("body", b""))
                if not message.get("more_body", False):
                    self._response_ended()
            await send(message)

        return observed

    def _response_ended(self) -> None:
        # Before the last part is sent: whoever has an answer finds it counted, even if the process
        # is killed then. Background tasks run after this and do not count. The exception behind a
        # 5xx is still on its way through the error middleware: such a span waits for it, but ends
        # at this time.
        self._duration = perf_counter() - self._started
        self._ended_at = time_ns()
        if self._status < 500:
            self.finish()

    def finish(self, error: BaseException | None = None) -> None:
        """End the span and record the metrics, once; never raises."""
        if self._finished:
            return
        self._finished = True
        _in_flight.discard(self)
        try:
            self._report(error)
        except Exception:
            _log.debug("a request could not be reported", exc_info=True)

    def _report(self, error: BaseException | None) -> None:
        outcome: dict[str, Any] = {}
        if self._status:
            outcome[semconv.HTTP_RESPONSE_STATUS_CODE] = self._status
        if self.route is not None:
            outcome[semconv.HTTP_ROUTE] = self.route
            if self._http:
                _seen_active.setdefault(tuple(self.active_labels().items()), 0)
            self._span.update_name(f"{self._name} {self.route}")
        if isinstance(error, Exception):
            outcome[semconv.ERROR_TYPE] = _exceptions.error_type(error)
            _exceptions.record(self._span, error)
        elif self._status >= 500:
            outcome[semconv.ERROR_TYPE] = str(self._status)
            self._span.set_status(StatusCode.ERROR)
        elif isinstance(error, asyncio.CancelledError):
            self._span.set_attribute(semconv.CANCELLED, True)
        self._span.set_attributes(outcome)
        self._span.end(self._ended_at)
        if self._http:
            self._measure({**self._labels, **outcome})

    def _measure(self, labels: dict[str, Any]) -> None:
        if self._instruments is None:
            return
        duration, request_size, response_size = self._instruments
        seconds = self._duration or perf_counter() - self._started
        # Explicit, because the response may have ended inside a span of the application's.
        duration.record(seconds, labels, self.context)
        if self._request_size is not None:
            request_size.record(self._request_size, labels, self.context)
        response_size.record(self._response_size, labels, self.context)


def _parent(headers: dict[str, str], trust_inbound: bool) -> tuple[Context, list[Link]]:
    # Not at import: a wrong OTEL_PROPAGATORS breaks it until setup() has set that right.
    from opentelemetry import propagate

    here = otel_context.get_current()
    if trust_inbound:
        return propagate.extract(headers, here, _http.GETTER), []
    caller = trace.get_current_span(propagate.extract(headers, Context(), _http.GETTER))
    known = caller.get_span_context()
    return here, [Link(known)] if known.is_valid else []


def _make_instruments(meter: Meter) -> tuple[Histogram, Histogram, Histogram]:
    meter.create_observable_up_down_counter(
        semconv.HTTP_SERVER_ACTIVE_REQUESTS,
        callbacks=[_observe_in_flight],
        unit=semconv.UNITS[semconv.HTTP_SERVER_ACTIVE_REQUESTS],
        description="HTTP requests being served.",
    )
    return (
        _current.histogram(meter, semconv.HTTP_SERVER_DURATION, "Duration of HTTP requests."),
        _current.histogram(meter, semconv.HTTP_SERVER_REQUEST_SIZE, "Size of request bodies."),
        _current.histogram(meter, semconv.HTTP_SERVER_RESPONSE_SIZE, "Size of response bodies."),
    )


def _observe_in_flight(_options: CallbackOptions) -> Iterable[Observation]:
    counts = dict.fromkeys(_seen_active, 0)
    for request in list(_in_flight):
        key = tuple(request.active_labels().items())
        counts[key] = counts.get(key, 0) + 1
    _seen_active.update(counts)
    return [Observation(count, dict(key)) for key, count in counts.items()]


_tracer = _current.tracer("otelkit.fastapi")
instruments = _current.instruments("otelkit.fastapi", _make_instruments)
