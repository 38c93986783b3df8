"""What a scrape asks for in its headers, and what it is told when there is no page."""

from __future__ import annotations

from typing import NamedTuple

from otelkit import _exceptions

PATIENCE = 10.0  # seconds for one page; as long as Prometheus itself waits by default


class Format(NamedTuple):
    """How a page is to be written."""

    openmetrics: bool
    compressed: bool


def wanted(accept: str, accept_encoding: str) -> Format:
    """The format that the headers prefer; Prometheus's text format where they do not say."""
    kinds = _preferences(accept)
    openmetrics = kinds.get("application/openmetrics-text", 0.0)
    plain = kinds.get("text/plain", kinds.get("text/*", kinds.get("*/*", 0.0)))
    compressed = _preferences(accept_encoding).get("gzip", 0.0) > 0
    return Format(openmetrics > 0 and openmetrics >= plain, compressed)


def failure(error: Exception) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an answer without a page."""
    why = f"{type(error).__name__}: {_exceptions.message(error)}"
    body = f"no metrics: {why}\n".encode(errors="replace")
    headers = {"content-type": "text/plain; charset=utf-8", "content-length": str(len(body))}
    return 503, headers, body


def _preferences(header: str) -> dict[str, float]:
    """Every choice of a header and how much it is liked, from 0 to 1 (RFC 9110, section 12.4.2)."""
    found: dict[str, float] = {}
    for choice in header.split(","):
        name, *parameters = (part.strip().lower() for part in choice.split(";"))
        liked = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    liked = float(parameter[2:])
                except ValueError:
                    liked = 0.0
        found[name] = max(liked, found.get(name, 0.0))
    return found
