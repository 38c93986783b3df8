"""The health routes: four small ASGI applications, mounted by the integration of a framework.

Each answers GET and HEAD. Nothing of a probe reaches the application, its middleware included.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from otelkit import _asgi
from otelkit._asgi import Application, Endpoint, Receive, Scope, Send
from otelkit.health import heartbeat, registry, service

Answer = tuple[int, dict[str, Any]]  # status and body


def find(path: str) -> Endpoint | None:
    """What answers exactly ``path``, if that is a probe's.

    Args:
        path: As the routes of the application name it, so without a root path.
    """
    prefix = service.current.prefix
    if not prefix or not path.startswith(prefix):
        return None
    application = _ROUTES.get(path[len(prefix) :])
    return Endpoint(application, prefix) if application else None


def paths(prefix: str) -> list[str]:
    """The paths of all probes under ``prefix``; an empty one turns them off."""
    return [prefix + path for path in _ROUTES] if prefix else []


async def _about(_shown: bool) -> Answer:
    """In a word, and always with status 200: the process answers."""
    about, found = service.current, await registry.report()
    return 200, {
        "status": found.status,
        "app_name": about.app_name,
        "version": about.version,
        "environment": about.environment,
        "timestamp": found.timestamp,
    }


async def _liveness(shown: bool) -> Answer:
    """Whether a restart would help."""
    found = await registry.report(liveness=True)
    failed = [each for each in found.components.values() if each.status == "unhealthy"]
    why = heartbeat.trouble() or "; ".join(f"{each.name}: {each.message}" for each in failed)
    if not why:
        return 200, {"status": "alive", "timestamp": found.timestamp}
    return 503, {
        "status": "dead",
        "timestamp": found.timestamp,
        "message": why if shown else "",
    }


async def _readiness(shown: bool) -> Answer:
    """Whether requests are welcome, and the state of every component."""
    about, found = service.current, await registry.report()
    components = {name: asdict(each) for name, each in found.components.items()}
    return 503 if found.status == "unhealthy" else 200, {
        "status": found.status,
        "timestamp": found.timestamp,
        "uptime_seconds": service.uptime(),
        "version": about.version,
        "environment": about.environment,
        "components": components if shown else {},
    }


def _serving(answer: Callable[[bool], Awaitable[Answer]]) -> Application:
    async def application(scope: Scope, _receive: Receive, send: Send) -> None:
        heartbeat.watch()
        status, found = await answer(_may_see_details(scope))
        body = json.dumps(found).encode()
        headers = {
            "content-type": "application/json",
            "content-length": str(len(body)),
            "cache-control": "no-store",
        }
        await _asgi.answer(scope, send, status, headers, body)

    return application


def _may_see_details(scope: Scope) -> bool:
    about = service.current
    if about.details != "token":
        return about.details == "public"
    if not about.token:
        return False
    expected = about.token.encode(errors="surrogateescape")  # as variables hold foreign bytes
    # In a time that does not tell how much of a wrong one is right.
    return any(hmac.compare_digest(given, expected) for given in _tokens(scope))


def _tokens(scope: Scope) -> list[bytes]:
    """What the headers ``Authorization: Bearer`` and ``X-Health-Token`` hold."""
    found = []
    for name, value in scope["headers"]:
        if name.lower() == b"x-health-token":
            found.append(value.strip())
        elif name.lower() == b"authorization":
            scheme, _, token = value.partition(b" ")
            if scheme.lower() == b"bearer":
                found.append(token.strip())
    return found


_ROUTES = {
    "": _serving(_about),
    "/liveness": _serving(_liveness),
    "/readiness": _serving(_readiness),
    "/detailed": _serving(_readiness),
}
