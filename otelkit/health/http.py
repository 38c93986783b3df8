"""Services that are reached over HTTP."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from urllib.parse import unquote, urlsplit

from otelkit import _parse
from otelkit.errors import ConfigError
from otelkit.health.results import Result

TIMEOUT = 2.0  # seconds without a byte


def http_check(url: str) -> Callable[[], Result]:
    """A check that ``GET url`` is answered with a status below 400. Redirects are not followed.

    Args:
        url: ``http`` or ``https``. User and password in it are sent as basic authentication, and
            not shown.

    Raises:
        ConfigError: ``url`` is no such address.
    """
    plain, headers = _parts(url)

    def check() -> Result:
        status = ask(plain, headers)
        answer = {"url": plain.partition("?")[0], "status_code": status}
        if status < 400:
            return Result("healthy", metadata=answer)
        return Result("unhealthy", f"answered {status}", answer)

    return check


def ask(url: str, headers: Iterable[tuple[str, str]] = ()) -> int:
    """The status that a GET request is answered with.

    Raises:
        OSError: There was no answer.
    """
    from urllib.error import HTTPError, URLError
    from urllib.request import HTTPRedirectHandler, Request, build_opener

    class Stay(HTTPRedirectHandler):
        def redirect_request(self, *_: object) -> None: ...

    request = Request(url, headers=dict(headers))  # noqa: S310 - http or https, see _parts()
    try:
        with build_opener(Stay).open(request, timeout=TIMEOUT) as response:
            return int(response.status)
    except HTTPError as error:
        with error:
            return error.code
    except URLError as error:
        raise error.reason if isinstance(error.reason, OSError) else error from None


def _parts(url: str) -> tuple[str, list[tuple[str, str]]]:
    """``url`` without user and password, and the headers that stand for them."""
    try:
        parts = urlsplit(_parse.url(url))
    except ValueError as error:
        raise ConfigError(f"http_check(): {error}") from None
    plain = parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="").geturl()
    headers = [("User-Agent", "otelkit")]
    if parts.username:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers.append(("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}"))
    return plain, headers
