"""The JSON API that the page reads, and that programs may read too."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from otelkit.viewer.body import Refused
from otelkit.viewer.store import Store

# More than anybody reads; a page that tried to show it all would stand still.
_MAX_IN_TRACE = 5_000
_MAX_LIMIT = 1_000
_MAX_SEARCH = 200


def answer(store: Store, path: str, query: str) -> Any:
    """Answers one question.

    | Path | Parameters | Answer |
    |---|---|---|
    | `/api/traces` | `limit`, `service`, `q`, `errors=1` | `traces` (summaries), `services` |
    | `/api/traces/{trace_id}` | | the summary with `spans` and `logs` |
    | `/api/logs` | `limit`, `trace_id` | `logs`, newest last |
    | `/api/metrics` | | `metrics`: the latest point of each series |
    | `/api/stats` | | counts of spans, log records and metric points |

    Args:
        store: Where the records are.
        path: The path of the request.
        query: Its query string.

    Returns:
        What becomes JSON.

    Raises:
        Refused: The path or the trace is not known (404), or a parameter is malformed (400).
    """
    parameters = {name: values[-1] for name, values in parse_qs(query).items()}
    if path == "/api/traces":
        return {
            "traces": store.traces(
                limit=_limit(parameters, default=100),
                service=parameters.get("service"),
                text=parameters.get("q", "").strip()[:_MAX_SEARCH],
                errors=parameters.get("errors", "0") not in ("0", "false"),
            ),
            "services": store.services(),
        }
    if path.startswith("/api/traces/"):
        return _trace(store, path.removeprefix("/api/traces/"))
    if path == "/api/logs":
        limit, trace_id = _limit(parameters, default=200), parameters.get("trace_id")
        return {"logs": store.logs(trace_id.lower() if trace_id else None, limit=limit)}
    if path == "/api/metrics":
        return {"metrics": store.metrics()}
    if path == "/api/stats":
        return store.stats()
    raise Refused(HTTPStatus.NOT_FOUND, f"there is nothing at {path}")


def _trace(store: Store, trace_id: str) -> Any:
    trace = store.trace(trace_id.lower(), limit=_MAX_IN_TRACE)
    if trace is None:
        raise Refused(
            HTTPStatus.NOT_FOUND,
            f"trace {trace_id} is not here: it has not arrived, or was dropped as too old",
        )
    return trace


def _limit(parameters: dict[str, str], default: int) -> int:
    text = parameters.get("limit", str(default))
    if not (text.isascii() and text.isdigit() and 1 <= len(text) <= 9 and int(text) > 0):
        raise Refused(HTTPStatus.BAD_REQUEST, f"limit must be a positive number, not {text!r}")
    return min(int(text), _MAX_LIMIT)
