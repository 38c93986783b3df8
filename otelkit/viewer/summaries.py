"""The list of traces: finding them, and what one line says about each."""

# ruff: noqa: S608 - the SQL is put together from constants of this module only

from __future__ import annotations

import json
import sqlite3

from otelkit.viewer.decode import Record

# The body is searched first, as one text; only where that hits is it taken apart, so that the
# names of its own fields ("events", "name") do not count.
_MATCHES = r"""
    body LIKE :encoded ESCAPE '\' AND (
        name LIKE :text ESCAPE '\'
        OR service LIKE :text ESCAPE '\'
        OR trace_id LIKE :text ESCAPE '\'
        OR json_extract(body, '$.status.message') LIKE :text ESCAPE '\'
        OR EXISTS (SELECT 1 FROM json_each(body, '$.attributes')
            WHERE key LIKE :text ESCAPE '\' OR value LIKE :text ESCAPE '\')
        OR EXISTS (SELECT 1 FROM json_tree(body, '$.events') WHERE atom LIKE :text ESCAPE '\')
    )
"""
_GROUPS = """
    SELECT trace_id, count(*), min(start_ns) AS start, max(end_ns), sum(failed) AS errors
    FROM spans WHERE {where} GROUP BY trace_id
"""
# The root, or while it has not arrived the earliest span.
_ROOT = """
    SELECT name, service, body FROM spans WHERE trace_id = ?
    ORDER BY parent_id IS NOT NULL, start_ns LIMIT 1
"""
# An instrumented client inside an instrumented call reports the same usage twice, as parent and
# child: there the parent's counts.
_USAGE = """
    SELECT sum(CASE WHEN parent.input_tokens IS NULL THEN span.input_tokens END),
        sum(CASE WHEN parent.output_tokens IS NULL THEN span.output_tokens END),
        sum(CASE WHEN parent.cost IS NULL THEN span.cost END)
    FROM spans AS span LEFT JOIN spans AS parent
        ON parent.trace_id = span.trace_id AND parent.span_id = span.parent_id
    WHERE span.trace_id = ? AND (span.input_tokens IS NOT NULL
        OR span.output_tokens IS NOT NULL OR span.cost IS NOT NULL)
"""


def find(
    connection: sqlite3.Connection,
    *,
    limit: int,
    service: str | None = None,
    text: str | None = None,
    errors: bool = False,
) -> list[Record]:
    """Gives summaries of traces, newest first.

    Args:
        connection: The database.
        limit: How many at most.
        service: Only traces with a span of this service.
        text: Only traces with this text in their id or in the name, service, status message,
            attributes or events of a span. Case matters beyond ASCII only.
        errors: Only traces with a span whose status is ERROR.
    """
    where = "1"
    if service:
        where += " AND trace_id IN (SELECT trace_id FROM spans WHERE service = :service)"
    if text:
        where += f" AND trace_id IN (SELECT trace_id FROM spans WHERE {_MATCHES})"
    having = "HAVING errors > 0" if errors else ""
    rows = connection.execute(
        f"{_GROUPS.format(where=where)} {having} ORDER BY start DESC LIMIT :limit",
        {
            "service": service,
            "text": _containing(text or ""),
            "encoded": _containing(json.dumps(text or "", ensure_ascii=False)[1:-1]),
            "limit": limit,
        },
    ).fetchall()
    return [_summary(connection, row) for row in rows]


def one(connection: sqlite3.Connection, trace_id: str) -> Record | None:
    """Gives the summary of a trace; `None` when it has no spans."""
    row = connection.execute(_GROUPS.format(where="trace_id = ?"), (trace_id,)).fetchone()
    return _summary(connection, row) if row else None


def services(connection: sqlite3.Connection) -> list[str]:
    """Gives the names of all services that have spans."""
    rows = connection.execute("SELECT DISTINCT service FROM spans ORDER BY service")
    return [service for (service,) in rows]


def _summary(connection: sqlite3.Connection, row: tuple[str, int, int, int, int]) -> Record:
    trace_id, count, start, end, errors = row
    name, service, root = connection.execute(_ROOT, (trace_id,)).fetchone()
    input_tokens, output_tokens, cost = connection.execute(_USAGE, (trace_id,)).fetchone()
    services_of_trace = connection.execute(
        "SELECT DISTINCT service FROM spans WHERE trace_id = ? ORDER BY service", (trace_id,)
    )
    return {
        "trace_id": trace_id,
        "name": name,
        "detail": _detail(json.loads(root)),
        "service": service,
        "services": [name for (name,) in services_of_trace],
        "start_unix_nano": start,
        "end_unix_nano": end,
        "duration_ms": (end - start) / 1e6,
        "span_count": count,
        "error_count": errors,
        "input_tokens": input_tokens or 0,
        "output_tokens": output_tokens or 0,
        "cost": cost,
    }


def _detail(root: Record) -> str | None:
    """What a request that no route has taken was for: its name is its method alone."""
    attributes = root["attributes"]
    path = attributes.get("url.path")
    if root["kind"] != "SERVER" or path is None or "http.route" in attributes:
        return None
    status = attributes.get("http.response.status_code")
    return f"{status} {path}" if status else str(path)


def _containing(text: str) -> str:
    for special in "\\%_":
        text = text.replace(special, "\\" + special)
    return f"%{text}%"
