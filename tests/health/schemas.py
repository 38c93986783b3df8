"""What each health route answers, as JSON schemas."""

from __future__ import annotations

from typing import Any

import jsonschema

STATUS = {"enum": ["healthy", "degraded", "unhealthy"]}
TEXT = {"type": "string"}
NOT_EMPTY = {"type": "string", "minLength": 1}
TIMESTAMP = {"type": "number", "minimum": 1.6e9, "maximum": 1e10}  # Unix time in seconds


def _exactly(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


COMPONENT = _exactly(
    name=NOT_EMPTY,
    status=STATUS,
    message={"type": "string", "maxLength": 300},
    response_time_ms={"type": "number", "minimum": 0},
    metadata={"type": "object"},
)
ABOUT = _exactly(
    status=STATUS,
    app_name=NOT_EMPTY,
    version=NOT_EMPTY,
    environment=NOT_EMPTY,
    timestamp=TIMESTAMP,
)
ALIVE = _exactly(status={"const": "alive"}, timestamp=TIMESTAMP)
DEAD = _exactly(status={"const": "dead"}, timestamp=TIMESTAMP, message=TEXT)
READINESS = _exactly(
    status=STATUS,
    timestamp=TIMESTAMP,
    uptime_seconds={"type": "number", "minimum": 0},
    version=NOT_EMPTY,
    environment=NOT_EMPTY,
    components={"type": "object", "additionalProperties": COMPONENT},
)
BY_PATH = {
    "/health": {200: ABOUT},
    "/health/liveness": {200: ALIVE, 503: DEAD},
    "/health/readiness": {200: READINESS, 503: READINESS},
    "/health/detailed": {200: READINESS, 503: READINESS},
}


def checked(path: str, response: Any) -> dict[str, Any]:
    """The body of a response, which must be what ``path`` promises; headers, too."""
    body: dict[str, Any] = response.json()
    jsonschema.validate(body, BY_PATH[path][response.status_code])
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["content-type"] == "application/json"
    if path in ("/health/readiness", "/health/detailed"):
        assert (response.status_code == 503) == (body["status"] == "unhealthy")
        assert all(name == each["name"] for name, each in body["components"].items())
    return body
