"""The names of ASGI, and what answers a request in place of an application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, NamedTuple

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Endpoint(NamedTuple):
    """What answers GET and HEAD requests of one path, and the prefix of all paths of its kind."""

    application: Application
    prefix: str


async def answer(
    scope: Scope, send: Send, status: int, headers: Mapping[str, str], body: bytes
) -> None:
    """Sends a whole response; its body not to HEAD."""
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
