"""The access records of uvicorn and gunicorn: what they hold as text and arguments, as fields."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from time import perf_counter
from typing import Any

from otelkit.logs import correlation

# They do not propagate to the root logger, and have handlers of their own.
LOGGERS = ("uvicorn", "uvicorn.error", "uvicorn.access", "gunicorn.error", "gunicorn.access")
ACCESS = ("uvicorn.access", "gunicorn.access")
_FIELDS = frozenset(("client", "method", "path", "route", "status", "duration_ms"))


def access(record: logging.LogRecord) -> dict[str, Any]:
    """The fields of an access record: client, method, path, route, status and ``duration_ms``.

    The duration is gunicorn's own. uvicorn has none and writes its record when the response
    begins, so there it is the time from the request's arrival to that moment. Route and, with
    uvicorn, duration need the request id middleware.
    """
    fields = _gunicorn(record.args) if isinstance(record.args, Mapping) else _uvicorn(record.args)
    request = correlation.request.get()
    if fields and request is not None:
        fields["route"] = request.route()
        fields.setdefault("duration_ms", round((perf_counter() - request.started) * 1000, 3))
    return {name: value for name, value in fields.items() if value is not None}


def is_left_out(record: logging.LogRecord) -> bool:
    """Whether an access record is that of a probe or a scrape which went well: nobody reads it."""
    request = correlation.request.get()
    if request is None or not request.left_out:
        return False
    status = access(record).get("status")
    return isinstance(status, int) and status < 400


def brief(message: str, fields: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The message of an access record with its duration, and the fields that it does not say."""
    more = {name: value for name, value in fields.items() if name not in _FIELDS}
    duration = fields.get("duration_ms")
    return message if duration is None else f"{message} - {duration:g} ms", more


def _uvicorn(args: Any) -> dict[str, Any]:
    if not isinstance(args, tuple) or len(args) != 5:
        return {}
    client, method, path, _version, status = args
    return {"client": client, "method": method, "path": path, "status": status}


def _gunicorn(atoms: Mapping[str, Any]) -> dict[str, Any]:
    status, microseconds = str(atoms.get("s")), atoms.get("D")
    return {
        "client": atoms.get("h"),
        "method": atoms.get("m"),
        "path": atoms.get("U"),
        "status": int(status) if status.isdecimal() else None,
        "duration_ms": microseconds / 1000 if isinstance(microseconds, int) else None,
    }
