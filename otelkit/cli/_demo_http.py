"""HTTP to the local servers of the demo, past any proxy."""

from __future__ import annotations

import http.client
import json
import urllib.parse
from typing import Any


def send(
    url: str, body: Any = None, headers: dict[str, str] | None = None, *, timeout: float = 20.0
) -> tuple[int, str]:
    """Send GET, or POST with `body` as JSON, and return the status and the text of the answer.

    Raises:
        OSError, http.client.HTTPException: There was no whole answer.
    """
    address = urllib.parse.urlsplit(url)
    path = urllib.parse.urlunsplit(("", "", address.path or "/", address.query, ""))
    connection = http.client.HTTPConnection(address.netloc, timeout=timeout)
    try:
        if body is None:
            connection.request("GET", path)
        else:
            about = {"content-type": "application/json", **(headers or {})}
            connection.request("POST", path, json.dumps(body), about)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()
