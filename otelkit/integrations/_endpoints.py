"""What otelkit answers in place of an application, unless that has such a route itself."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from otelkit._asgi import Application
from otelkit.health import asgi as health
from otelkit.prometheus import asgi as metrics

_log = logging.getLogger("otelkit")
_FINDERS = (health.find, metrics.find)


def find(path: str, method: str, routes: Iterable[Any]) -> Application | None:
    """The endpoint of ours that answers a request, if the application's own routes do not.

    Args:
        path: As the routes of the application name it.
        method: Of HTTP; ours answer GET and HEAD.
        routes: Of the FastAPI or Starlette application.
    """
    if method not in ("GET", "HEAD"):
        return None
    for finder in _FINDERS:
        endpoint = finder(path)
        if endpoint is not None:
            return None if _is_own(routes, path, endpoint.prefix) else endpoint.application
    return None


def _is_own(routes: Iterable[Any], path: str, prefix: str) -> bool:
    try:
        return _own(routes, path, prefix)
    except Exception:
        _log.debug("the application's own routes cannot be read", exc_info=True)
        return False


def _own(routes: Iterable[Any], path: str, prefix: str, base: str = "") -> bool:
    """Whether a route takes ``path`` and is meant to: ``/{page}`` would take anything."""
    for route in _with_prefixes(routes):
        template = base + (getattr(route, "path", None) or "")
        inner = getattr(route, "routes", None)
        if inner is not None:  # a mount, or a host
            covers = path == template or path.startswith(template + "/")
            if covers and (_own(inner, path, prefix, template) if inner else template):
                return True
        elif template.partition("{")[0].startswith(prefix) and _takes(route, path[len(base) :]):
            return True
    return False


def _takes(route: Any, path: str) -> bool:
    methods = getattr(route, "methods", None) or ("GET",)
    matches = route.path_regex.match
    # Routers redirect to the form with a slash at the end.
    return "GET" in methods and bool(matches(path) or matches(path + "/"))


def _with_prefixes(routes: Iterable[Any]) -> Iterable[Any]:
    """Since FastAPI 0.137 an included router keeps its routes apart, without its prefix."""
    import fastapi.routing

    whole = getattr(fastapi.routing, "iter_route_contexts", None)
    return whole(list(routes)) if whole else routes
