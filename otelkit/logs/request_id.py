"""The request id: an ASGI middleware that puts one on the response, on spans and on log records."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable

from opentelemetry.trace import get_current_span

from otelkit import semconv
from otelkit._asgi import Application, Message, Receive, Scope, Send
from otelkit.context import bind
from otelkit.logs import correlation

HEADER = b"x-request-id"
KEY = "otelkit.request_id"  # in the scope, for the application to read
_VALID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
_STARTS = ("http.response.start", "websocket.accept", "websocket.http.response.start")


class RequestIdMiddleware:
    """Gives each request and websocket the id of its ``X-Request-ID`` header, or a new UUID.

    An id that is longer than 128 characters or has others than letters, digits and ``._:/+=@-`` is
    replaced: it would end up in headers and logs. It belongs directly inside whatever makes the
    server span, around all else, error handling included.

    What a server answers by itself is without it: 500 for an exception that leaves the application,
    403 for a websocket that is closed before it was accepted. (That could be said as a response of
    the application's, where the server takes one. But then ``TestClient`` gives its tests another
    error, which has no close code.)

    Args:
        app: The ASGI application.
    """

    def __init__(self, app: Application) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, as ASGI defines it."""
        if scope["type"] not in ("http", "websocket") or KEY in scope:
            await self.app(scope, receive, send)
            return
        request_id = _received(scope.get("headers", ())) or str(uuid.uuid4())
        scope[KEY] = request_id
        request = correlation.Request(request_id, scope)
        correlation.request.set(request)
        get_current_span().set_attribute(semconv.REQUEST_ID, request_id)

        async def identified(message: Message) -> None:
            if message["type"] in _STARTS:
                request.seen_in_span()
                message = {**message, "headers": _with_id(message.get("headers", ()), request_id)}
            await send(message)

        with bind(request_id=request_id):
            await self.app(scope, receive, identified)


def _received(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    for name, value in headers:
        if name.lower() == HEADER and _VALID.fullmatch(value):
            return value.decode("ascii")
    return None


def _with_id(headers: Iterable[tuple[bytes, bytes]], request_id: str) -> list[tuple[bytes, bytes]]:
    given = list(headers)
    # An application that answers with an id of its own knows why.
    if all(name.lower() != HEADER for name, _value in given):
        given.append((HEADER, request_id.encode("ascii")))
    return given
