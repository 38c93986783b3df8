"""One server span and the HTTP server metrics for each request of an ASGI application.

Why not a library: FastAPI's own telemetry (from 0.142) and opentelemetry-instrumentation-asgi both
miss the size of streamed responses, make several spans a request or cost two to four times as
much (``benchmarks/asgi.py``), and neither serves every FastAPI that otelkit does.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Collection, Iterable, MutableMapping
from time import perf_counter, time_ns
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.metrics import CallbackOptions, Histogram, Meter, Observation
from opentelemetry.trace import Link, SpanKind, StatusCode

from otelkit import _exceptions, semconv
from otelkit.integrations import _current, _http

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

KEY = "otelkit.request"  # in the scope: the Request in flight, or None where one is left out

_log = logging.getLogger("otelkit")
_excluded: frozenset[str] = frozenset()
_trust_inbound = True

# By method and scheme. Sets, because adding and discarding are atomic; counted at collection, which
# costs a request nothing and cannot drift.
_in_flight: dict[tuple[str, str], set[Request]] = {}
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_flight.clear)


def configure(*, excluded_paths: Collection[str] = (), trust_inbound: bool = True) -> None:
    """Say which paths are left out and whether callers are believed.

    Args:
        excluded_paths: Exact paths without span and metrics, as the application's routes name them.
        trust_inbound: Continue the trace and take the baggage of callers; false starts a trace of
            its own and links to the caller's.
    """
    global _excluded, _trust_inbound
    _excluded = frozenset(excluded_paths)
    _trust_inbound = trust_inbound


async def serve(
    app: Application,
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    root_path: str = "",
    harmless: tuple[type[BaseException], ...] = (),
) -> None:
    """Run ``app`` for one HTTP request or websocket connection inside a server span.

    Args:
        app: The ASGI application.
        scope: Its scope; the running request is put there under ``KEY``, for routers to name
            their route with :meth:`Request.matched`.
        receive: As ASGI defines it.
        send: As ASGI defines it.
        root_path: Path under which the application is mounted; the beginning of ``http.route``.
        harmless: Exceptions that leave ``app`` without being failures.
    """
    if _path_in(scope["path"], root_path) in _excluded:
        scope[KEY] = None
        with suppress_instrumentation():  # a probe's query would be a trace of its own
            await app(scope, receive, send)
        return
    try:
        request = Request(scope, root_path)
    except Exception:
        _log.debug("a request is served without a span", exc_info=True)
        scope[KEY] = None
        await app(scope, receive, send)
        return
    scope[KEY] = request
    token = otel_context.attach(request.context)
    try:
        if scope["type"] == "http":
            await app(scope, request.receiving(receive), request.sending(send))
        else:
            await app(scope, receive, send)
    except BaseException as error:
        request.finish(None if isinstance(error, harmless) else error)
        raise
    else:
        request.finish()
    finally:
        otel_context.detach(token)


def _path_in(path: str, root_path: str) -> str:
    """``path`` as the application's routes name it: without root path and slash at the end."""
    # Servers differ in whether the path includes the root path.
    inside = path.removeprefix(root_path) if root_path else path
    return (inside if inside.startswith("/") else path).rstrip("/") or "/"


class Request:
    """One request in flight: its span, and what is learned of it until the response has ended."""

    def __init__(self, scope: Scope, root_path: str) -> None:
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
        self.context, links = _parent(headers)
        self._started = perf_counter()
        self._span = _tracer().start_span(
            self._name, self.context, SpanKind.SERVER, {**self._labels, **attributes}, links
        )
        self.context = trace.set_span_in_context(self._span, self.context)
        if self._http:
            key = (self._labels[semconv.HTTP_REQUEST_METHOD], self._labels[semconv.URL_SCHEME])
            self._peers = _in_flight.setdefault(key, set())
            self._peers.add(self)

    def matched(self, path: str, *, mount: bool = False) -> None:
        """A router chose the route with the template ``path``; a mount is followed by others."""
        if mount:
            self._prefix += path
            path = "/{path}"
        self.route = self._prefix + path

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
            await send(message)
            if message["type"] == "http.response.body":
                if self._name != "HEAD":  # servers drop this body
                    self._response_size += len(message.get("body", b""))
                if not message.get("more_body", False):
                    self._response_ended()

        return observed

    def _response_ended(self) -> None:
        # Background tasks run after this and do not count. The exception behind a 5xx is still on
        # its way through the error middleware: such a span waits for it, but ends at this time.
        self._duration = perf_counter() - self._started
        self._ended_at = time_ns()
        if self._status < 500:
            self.finish()

    def finish(self, error: BaseException | None = None) -> None:
        """End the span and record the metrics, once; never raises."""
        if self._finished:
            return
        self._finished = True
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
        self._peers.discard(self)
        instruments = _instruments()
        if instruments is None:
            return
        duration, request_size, response_size = instruments
        seconds = self._duration or perf_counter() - self._started
        # Explicit, because the response may have ended inside a span of the application's.
        duration.record(seconds, labels, self.context)
        if self._request_size is not None:
            request_size.record(self._request_size, labels, self.context)
        response_size.record(self._response_size, labels, self.context)


def _parent(headers: dict[str, str]) -> tuple[Context, list[Link]]:
    # Not at import: a wrong OTEL_PROPAGATORS breaks it until setup() has set that right.
    from opentelemetry import propagate

    here = otel_context.get_current()
    if _trust_inbound:
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
    for (method, scheme), requests in list(_in_flight.items()):
        labels = {semconv.HTTP_REQUEST_METHOD: method, semconv.URL_SCHEME: scheme}
        yield Observation(len(requests), labels)


_tracer = _current.tracer("otelkit.fastapi")
_instruments = _current.instruments("otelkit.fastapi", _make_instruments)
