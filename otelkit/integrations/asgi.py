"""One server span and the HTTP server metrics for each request of an ASGI application.

Why not a library: FastAPI's own telemetry (from 0.142) knows no body sizes,
opentelemetry-instrumentation-asgi gives a streamed response the size of the one before it and
counts background tasks as part of a request. Kept to one span, both still cost more
(``benchmarks/asgi_request.py``), and neither serves every FastAPI that otelkit does.
"""

from __future__ import annotations

import logging
from collections.abc import Collection

from opentelemetry import context as otel_context
from opentelemetry.instrumentation.utils import suppress_instrumentation

from otelkit import lifecycle
from otelkit._asgi import Application, Message, Receive, Scope, Send
from otelkit.integrations._request import Request
from otelkit.logs import correlation

KEY = "otelkit.request"  # in the scope: the Request in flight, or None where one is left out

_log = logging.getLogger("otelkit")
_excluded: frozenset[str] = frozenset()
_trust_inbound = True


def configure(*, excluded_paths: Collection[str] = (), trust_inbound: bool = True) -> None:
    """Say which paths are left out and whether callers are believed.

    Args:
        excluded_paths: Exact paths, as the application's routes name them, without span and
            metrics, and without access records of what went well.
        trust_inbound: Continue the trace and take the baggage of callers; false starts a trace of
            its own and links to the caller's.
    """
    global _excluded, _trust_inbound
    _excluded = frozenset(path_in(path, "") for path in excluded_paths)
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
    if path_in(scope["path"], root_path) in _excluded:
        scope[KEY] = None
        correlation.leave_out(scope)
        with suppress_instrumentation():  # a probe's query would be a trace of its own
            await app(scope, receive, send)
        return
    try:
        request = Request(scope, root_path, trust_inbound=_trust_inbound)
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


def flushing(send: Send) -> Send:
    """``send`` of a lifespan that flushes before the server hears that the application has ended.

    Afterwards a server may end by the signal that it was stopped with, without exit handlers.
    """

    async def sending(message: Message) -> None:
        if message["type"].startswith("lifespan.shutdown"):
            lifecycle.flush()
        await send(message)

    return sending


def path_in(path: str, root_path: str) -> str:
    """``path`` as the application's routes name it: without root path and slash at the end."""
    # Servers differ in whether the path includes the root path.
    inside = path.removeprefix(root_path) if root_path else path
    return (inside if inside.startswith("/") else path).rstrip("/") or "/"
