"""What the tests of the viewer send: requests over a real socket, and OTLP made by hand."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any

from otelkit.viewer import Viewer

JSON = "application/json"
PROTOBUF = "application/x-protobuf"

TRACE = "0af7651916cd43dd8448eb211c80319c"
START = 1_790_000_000_000_000_000


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def connect(viewer: Viewer) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(viewer.host, viewer.port, timeout=20)


def ask(
    viewer: Viewer, path: str, *, method: str = "GET", body: Any = None, **headers: str
) -> Answer:
    """Sends one request; names of headers are written with underscores."""
    connection = connect(viewer)
    try:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, names)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def post(viewer: Viewer, signal: str, body: Any, **headers: str) -> Answer:
    """Posts OTLP; what is not bytes is sent as JSON."""
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    headers = {"Content_Type": JSON, **headers}
    return ask(viewer, f"/v1/{signal}", method="POST", body=body, **headers)


def attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    def value(given: Any) -> dict[str, Any]:
        if isinstance(given, bool):
            return {"boolValue": given}
        if isinstance(given, int):
            return {"intValue": str(given)}
        if isinstance(given, float):
            return {"doubleValue": given}
        if isinstance(given, list):
            return {"arrayValue": {"values": [value(item) for item in given]}}
        return {"stringValue": given}

    return [{"key": key, "value": value(given)} for key, given in values.items()]


def span(
    number: int,
    name: str = "work",
    *,
    parent: int | None = None,
    trace: str = TRACE,
    at: float = 0.0,
    ms: float = 1.0,
    error: str | None = None,
    events: list[dict[str, Any]] | None = None,
    **values: Any,
) -> dict[str, Any]:
    """Makes one span as OTLP JSON: `at` and `ms` are milliseconds after `START`."""
    return {
        "traceId": trace,
        "spanId": f"{number:016x}",
        "parentSpanId": "" if parent is None else f"{parent:016x}",
        "name": name,
        "kind": 1,
        "startTimeUnixNano": str(START + int(at * 1e6)),
        "endTimeUnixNano": str(START + int((at + ms) * 1e6)),
        "attributes": attributes({key.replace("__", "."): v for key, v in values.items()}),
        "events": events or [],
        "status": {} if error is None else {"code": 2, "message": error},
    }


def traces(*spans: dict[str, Any], service: str = "shop") -> dict[str, Any]:
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": attributes({"service.name": service})},
                "scopeSpans": [{"scope": {"name": "tests"}, "spans": list(spans)}],
            }
        ]
    }


def log(body: str, *, number: int | None = None, at: float = 0.0, severity: int = 9) -> Any:
    return {
        "timeUnixNano": str(START + int(at * 1e6)),
        "severityNumber": severity,
        "body": {"stringValue": body},
        **({} if number is None else {"traceId": TRACE, "spanId": f"{number:016x}"}),
    }


def logs(*records: dict[str, Any], service: str = "shop") -> dict[str, Any]:
    return {
        "resourceLogs": [
            {
                "resource": {"attributes": attributes({"service.name": service})},
                "scopeLogs": [{"scope": {"name": "shop.orders"}, "logRecords": list(records)}],
            }
        ]
    }
