"""The page of metrics as an ASGI application, mounted by the integration of a framework."""

from __future__ import annotations

import asyncio

from otelkit import _asgi, prometheus
from otelkit._asgi import Endpoint, Receive, Scope, Send
from otelkit.prometheus import negotiation


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
    await _asgi.answer(scope, send, status, about, body)
