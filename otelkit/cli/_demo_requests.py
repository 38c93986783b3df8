"""What the demo asks of the service: four requests, of which two go wrong on purpose."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from otelkit.cli import _demo_service
from otelkit.cli._demo_http import send


@dataclass(frozen=True)
class Sent:
    """One request and what came back.

    Attributes:
        about: What it shows.
        status: Of HTTP; 0 when there was no answer.
        start: When it was sent, in nanoseconds since 1970.
        end: When its answer was complete.
    """

    about: str
    path: str
    status: int
    body: str
    start: int
    end: int

    @property
    def milliseconds(self) -> float:
        """How long it took."""
        return (self.end - self.start) / 1e6


# A caller that does not sample: what is sent with it leaves no trace.
_UNSAMPLED = {"traceparent": f"00-{'1' * 32}-{'1' * 16}-00"}


def warm_up(service_url: str) -> None:
    """Send a request that is not shown: the first of a process imports, connects and compiles."""
    schema = json.loads(_demo_service.sample().read_text(encoding="utf-8"))
    _post(service_url, "warm-up", "/generate", schema, _UNSAMPLED)


def send_all(service_url: str) -> Iterator[Sent]:
    """Send the requests one after the other."""
    schema = json.loads(_demo_service.sample().read_text(encoding="utf-8"))
    failing = {**schema, "llm": {"coder": "gpt-5-mini@error=500"}}
    broken = {
        "tables": [
            {
                "name": "orders",
                "columns": [
                    {"name": "id", "type": "integr", "primary_key": True},
                    {"name": "customer_id", "type": "uuid", "foreign_key": "customers.id"},
                ],
            }
        ]
    }
    yield _post(service_url, "success", "/generate", schema)
    yield _post(service_url, "failing agent", "/generate", failing)
    yield _post(service_url, "bad schema", "/generate", broken)
    yield _post(service_url, "streaming", "/generate/stream", schema)


def summary(sent: Sent) -> str:
    """Say in a line what came back."""
    if sent.path.endswith("/stream"):
        events = [line[7:] for line in sent.body.splitlines() if line.startswith("event: ")]
        return f"{len(events)} events, the last: {events[-1] if events else 'none'}"
    if sent.status not in (200, 422, 502):
        return sent.body
    body = json.loads(sent.body)
    if sent.status == 200:
        return f"{len(body['models'])} models, {len(body['files'])} files, {body['lines']} lines"
    detail = body["detail"]
    return detail if isinstance(detail, str) else "; ".join(one["msg"] for one in detail)


def _post(
    service_url: str, about: str, path: str, body: Any, headers: dict[str, str] | None = None
) -> Sent:
    start = time.time_ns()
    try:
        status, text = send(service_url + path, body, headers)
    except (OSError, http.client.HTTPException) as error:
        status, text = 0, f"no answer: {error!r}"
    return Sent(about, path, status, text, start, time.time_ns())
