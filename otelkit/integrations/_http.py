"""What an ASGI scope says, in the names of the HTTP conventions."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_plus

from opentelemetry.propagators.textmap import Getter

from otelkit import redaction, semconv
from otelkit._asgi import Scope

OTHER = "_OTHER"
_METHODS = "CONNECT,DELETE,GET,HEAD,OPTIONS,PATCH,POST,PUT,QUERY,TRACE"
_METHODS_VARIABLE = "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS"  # replaces the list, says the spec
_LONGEST = 4096  # characters of what a caller chooses freely

# Rights in the query of a signed address that the key names of `redaction` do not cover.
_SIGNATURES = frozenset(("sig", "signature", "x-goog-signature"))


class _HeadersGetter(Getter[dict[str, str]]):
    """Reads the lower-case headers of ASGI for propagators, which may ask in any case."""

    def get(self, carrier: dict[str, str], key: str) -> list[str] | None:
        value = carrier.get(key.lower())
        return None if value is None else [value]

    def keys(self, carrier: dict[str, str]) -> list[str]:
        return list(carrier)


GETTER = _HeadersGetter()


@lru_cache(maxsize=1)
def _known_methods(listed: str) -> frozenset[str]:
    return frozenset(name.strip() for name in listed.split(","))


def headers(scope: Scope) -> dict[str, str]:
    """The headers by lower-case name; repeated ones joined by commas (RFC 9110, section 5.2)."""
    found: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def content_length(headers: dict[str, str]) -> int | None:
    """Bytes of the request's body by its header; None without a (sensible) one."""
    length = headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() else None


def attributes(scope: Scope, headers: dict[str, str]) -> tuple[dict[str, str], dict[str, Any]]:
    """Labels for span and metrics, and what goes on the span alone (cardinality)."""
    labels: dict[str, str] = {}
    details: dict[str, Any] = {semconv.URL_PATH: scope["path"][:_LONGEST]}
    if scope["type"] == "http":
        labels[semconv.HTTP_REQUEST_METHOD] = method = _method(scope["method"])
        if method == OTHER:
            details[semconv.HTTP_REQUEST_METHOD_ORIGINAL] = scope["method"][:_LONGEST]
        labels[semconv.URL_SCHEME] = scope.get("scheme", "http")
        labels[semconv.NETWORK_PROTOCOL_VERSION] = scope.get("http_version", "1.1")
    else:
        labels[semconv.URL_SCHEME] = scope.get("scheme", "ws")
        labels[semconv.NETWORK_PROTOCOL_NAME] = "websocket"
    if scope.get("query_string"):
        details[semconv.URL_QUERY] = _query(scope["query_string"].decode("latin-1"))
    details.update(_server(headers.get("host", "")))
    if scope.get("client"):
        details[semconv.CLIENT_ADDRESS] = scope["client"][0]
    if "user-agent" in headers:
        details[semconv.USER_AGENT] = headers["user-agent"][:_LONGEST]
    return labels, details


def span_name(labels: dict[str, str]) -> str:
    """The name while no route is known; never the raw path, which has no bounds."""
    method = labels.get(semconv.HTTP_REQUEST_METHOD, "WS")
    return "HTTP" if method == OTHER else method


def _method(method: str) -> str:
    known = _known_methods(os.environ.get(_METHODS_VARIABLE) or _METHODS)
    return method if method in known else OTHER


@lru_cache(maxsize=256)
def _server(host: str) -> dict[str, Any]:
    """Address and port out of a Host header: ``name``, ``name:port``, ``[::1]:port``."""
    address, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        address, port = host, ""
    found: dict[str, Any] = {}
    if address:
        found[semconv.SERVER_ADDRESS] = address.strip("[]")
    if port.isascii() and port.isdigit():
        found[semconv.SERVER_PORT] = int(port)
    return found


def _query(query: str) -> str:
    pairs = query[:_LONGEST].split("&")
    return redaction.scrub("&".join(map(_pair, pairs)))


def _pair(pair: str) -> str:
    key, equals, _ = pair.partition("=")
    plain = unquote_plus(key)
    if equals and (plain.lower() in _SIGNATURES or redaction.is_sensitive(plain)):
        return f"{key}={redaction.REDACTED}"
    return pair
