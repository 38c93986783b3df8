"""Who may talk to the viewer: programs, and the viewer's own page; never other sites' pages.

A browser on this machine reaches the viewer too, and runs pages of strangers. Such a page can post
to it (its `Origin` gives it away), or point a name of its own at 127.0.0.1 and then read what the
viewer shows ("DNS rebinding": the `Host` header gives it away).
"""

from __future__ import annotations

import ipaddress
from email.message import Message
from http import HTTPStatus
from urllib.parse import urlsplit

from otelkit.viewer.body import Refused


def is_loopback(host: str) -> bool:
    """Tells whether a host name or address means this machine only."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    address = _address(host)
    return address is not None and address.is_loopback


def check(headers: Message, bound: str, *, method: str) -> None:
    """Refuses what only a stranger's page sends.

    Args:
        headers: Those of the request.
        bound: The host name or address that the server was told to listen on.
        method: The HTTP method.

    Raises:
        Refused: The `Host` is not the viewer's, or the `Origin` of a POST is foreign.
    """
    host, origin = headers.get("Host", ""), headers.get("Origin")
    # A browser always names the origin of a POST, so without one there is no page behind it, and
    # containers may use whatever name they know this machine by.
    program = method == "POST" and origin is None and not is_loopback(bound)
    if not program and not _is_ours(host, bound):
        raise Refused(
            HTTPStatus.FORBIDDEN,
            f"Host {host!r} is not the viewer's: use http://127.0.0.1 and its port, "
            "or start it with --host",
        )
    if method == "POST" and origin is not None and origin != f"http://{host}":
        raise Refused(HTTPStatus.FORBIDDEN, f"pages of {origin!r} may not send to the viewer")


def _is_ours(host: str, bound: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if is_loopback(name) or name == bound.lower():
        return True
    # Told to serve a network, the viewer cannot know all its names; but neither addresses nor
    # names without a dot can be registered by a stranger.
    known = _address(name) is not None or (name != "" and "." not in name)
    return known and not is_loopback(bound)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
