"""FastAPI: a server span and the HTTP metrics for every request, whatever was made or served first.

The hooks sit on classes (``FastAPI.__call__``, ``handle`` of the routes), so they hold for
applications made or already serving before them. FastAPI's own telemetry and that of
opentelemetry-instrumentation-fastapi never run beside ours: the first is told to leave each request
alone, and where the second was installed into an application, that application is left to it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from otelkit._asgi import Application, Receive, Scope, Send
from otelkit.errors import ConfigError, MissingExtraError
from otelkit.integrations import _endpoints, _request, asgi
from otelkit.logs import correlation
from otelkit.logs.request_id import RequestIdMiddleware

if TYPE_CHECKING:
    from fastapi import FastAPI

_every_app = False
_apps: WeakSet[FastAPI] = WeakSet()  # those that instrument_fastapi() named
_hooks: list[tuple[type, str, Any]] = []  # class, attribute, what stood there before


def instrument_fastapi(app: FastAPI) -> None:
    """Give every request of ``app`` a server span and the HTTP metrics.

    Needed only where ``setup()`` does not instrument by itself (``OTELKIT_INSTRUMENT``). May be
    called at any time, before ``setup()`` and on a serving application; a second call does nothing.

    Args:
        app: The application itself, not what a middleware wrapped around it.

    Raises:
        ConfigError: ``app`` is not a FastAPI application.
        MissingExtraError: FastAPI is not installed.
    """
    check_application(app)
    hook()
    _apps.add(app)


def check_application(app: Any) -> None:
    """Raises what :func:`instrument_fastapi` would."""
    try:
        from fastapi.applications import FastAPI
    except ImportError:
        raise MissingExtraError("fastapi", "instrument_fastapi()") from None
    if not isinstance(app, FastAPI):
        raise ConfigError(
            f"instrument_fastapi() takes a FastAPI application, not {type(app).__name__}; "
            "give it the application itself, before any middleware is wrapped around it"
        )


def install() -> None:
    """Instrument every FastAPI application of the process, those to come included."""
    global _every_app
    hook()
    _every_app = True


def uninstall() -> None:
    """Take the hooks away; requests in flight still end their spans."""
    global _every_app
    _every_app = False
    _apps.clear()
    while _hooks:
        owner, name, original = _hooks.pop()
        setattr(owner, name, original)


def hook() -> None:
    """Be called for every request from now on; enough to answer for endpoints of ours."""
    from fastapi.applications import FastAPI  # contrib replaces the name in `fastapi`
    from fastapi.routing import APIRoute
    from starlette.routing import Mount, Route, WebSocketRoute

    _request.instruments()
    if _hooks:
        return
    _replace(FastAPI, "__call__", _calling)
    for kind in (APIRoute, Route, WebSocketRoute, Mount):
        if "handle" in vars(kind):  # APIRoute has its own since FastAPI 0.137
            _replace(kind, "handle", _handling)


def _replace(owner: type, name: str, wrap: Callable[[Any], Any]) -> None:
    original = vars(owner)[name]
    _hooks.append((owner, name, original))
    setattr(owner, name, wrap(original))


def _calling(original: Callable[..., Any]) -> Callable[..., Any]:
    from starlette.websockets import WebSocketDisconnect

    @functools.wraps(original)
    async def __call__(app: FastAPI, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = _endpoint(app, scope)
        if endpoint is not None:
            correlation.leave_out(scope)
            await endpoint(scope, receive, send)
        elif not _is_ours(app):
            await original(app, scope, receive, send)
        elif scope["type"] == "lifespan":
            _keep_exporters_off(app)
            await original(app, scope, receive, asgi.flushing(send))
        elif asgi.KEY in scope:  # mounted in an application that has the request already
            await original(app, scope, receive, send)
        else:
            scope["fastapi.telemetry"] = None  # FastAPI's own word for "not this request"
            await asgi.serve(
                RequestIdMiddleware(functools.partial(original, app)),
                scope,
                receive,
                send,
                root_path=_root_path(app, scope),
                harmless=(WebSocketDisconnect,),
            )

    return __call__


def _handling(original: Callable[..., Any]) -> Callable[..., Any]:
    from starlette.routing import Mount

    @functools.wraps(original)
    async def handle(route: Any, scope: Scope, receive: Receive, send: Send) -> None:
        request = scope.get(asgi.KEY)
        if request is not None:
            mount = isinstance(route, Mount)
            request.matched(route.path if mount else _template(route, scope), mount=mount)
        await original(route, scope, receive, send)

    return handle


def _template(route: Any, scope: Scope) -> str:
    # Since FastAPI 0.137 an included router keeps its routes without its prefix; the whole path
    # stands in the context that was matched.
    context = scope.get("fastapi", {}).get("effective_route_context")
    if context is not None and getattr(context, "original_route", None) is route:
        route = context
    return str(route.path_format)


def _root_path(app: FastAPI, scope: Scope) -> str:
    return str(app.root_path or scope.get("root_path", "")).rstrip("/")


def _endpoint(app: FastAPI, scope: Scope) -> Application | None:
    """What answers in place of the application: before its middleware, unseen by telemetry."""
    if scope["type"] != "http" or asgi.KEY in scope:
        return None
    path = asgi.path_in(scope["path"], _root_path(app, scope))
    return _endpoints.find(path, scope["method"], app.routes)


def _is_ours(app: FastAPI) -> bool:
    return (_every_app or app in _apps) and not (
        getattr(app, "_is_instrumented_by_opentelemetry", False) and _has_contrib_middleware(app)
    )


def _has_contrib_middleware(app: FastAPI) -> bool:
    """Whether contrib's middleware really is in the stack; its flag alone does not say so."""
    if app.middleware_stack is None:
        app.middleware_stack = app.build_middleware_stack()
    layer: Any = app.middleware_stack
    while layer is not None:
        if type(layer).__module__ == "opentelemetry.instrumentation.asgi":
            return True
        layer = getattr(layer, "app", None)
    return False


def _keep_exporters_off(app: FastAPI) -> None:
    # FASTAPI_OTEL_AUTO_CONFIGURE would add exporters to our providers: everything sent twice.
    config = getattr(app, "_telemetry", None)
    if isinstance(config, dict):
        config["auto_configure"] = False
