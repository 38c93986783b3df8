"""The page of metrics as an ASGI application, mounted by the integration of a framework."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple

from otelkit import prometheus
from otelkit.prometheus import negotiation

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Endpoint(NamedTuple):
    """What answers GET and HEAD requests of one path, and the prefix of that path."""

    application: Application
    prefix: str


def find(path: str) -> Endpoint | None:
    """What answers exactly ``path``, if that is the path of the metrics.

    Args:
        path: As the routes of the application name it, so without a root path.
    """
    return Endpoint(_answer, path) if path and path == prometheus.path() else None


async def _answer(scope: Scope, _receive: Receive, send: Send) -> None:
    headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
    wanted = negotiation.wanted(headers.get(b"accept", ""), headers.get(b"accept-encoding", ""))
    try:
        made = asyncio.wrap_future(prometheus.page(wanted))
        page = await asyncio.wait_for(made, negotiation.PATIENCE)
        status, about, body = 200, page.headers, page.body
    except Exception as error:
        status, about, body = negotiation.failure(error)
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(name.encode(), value.encode()) for name, value in about.items()],
        }
    )
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
