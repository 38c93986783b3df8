"""The two formats of log lines: ``json`` for machines, ``detailed`` for people."""

from __future__ import annotations

import json
import logging
import time
from functools import lru_cache
from typing import Any

from otelkit.logs import entry, servers

_COLOURS = {"DEBUG": 36, "INFO": 32, "WARNING": 33, "ERROR": 31, "CRITICAL": 35}
# A log line must not move the cursor or forge the next line: line breaks are kept, indented.
_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))} | {
    ord("\t"): "\t",
    ord("\n"): "\n    ",
    0x2028: "\\u2028",
    0x2029: "\\u2029",
}


class JsonFormatter(logging.Formatter):
    """One JSON object a line, always with the same keys.

    ``timestamp`` (UTC, milliseconds), ``level``, ``logger``, ``message``, ``trace_id``,
    ``span_id``, ``request_id``, ``service``, ``environment``, ``context`` (extra fields and what
    ``bind()`` holds) and ``exception`` (``type``, ``message``, ``stack``); null for what is not.

    Args:
        service: As ``service.name``.
        environment: As ``deployment.environment.name``.
        ascii_only: Escape every other character, for streams that cannot write them.
    """

    def __init__(self, service: str, environment: str, *, ascii_only: bool = False) -> None:
        super().__init__()
        self._service = service
        self._environment = environment
        self._encode = json.JSONEncoder(
            ensure_ascii=ascii_only, check_circular=False, separators=(",", ":")
        ).encode

    def format(self, record: logging.LogRecord) -> str:
        """The line for ``record``, without a line break."""
        made = entry.of(record)
        sent = made.sent
        line: dict[str, Any] = {
            "timestamp": timestamp(record.created),
            "level": record.levelname,
            "logger": record.name,
            "message": sent.body,
            "trace_id": f"{sent.trace_id:032x}" if sent.trace_id else None,
            "span_id": f"{sent.span_id:016x}" if sent.span_id else None,
            "request_id": made.request_id,
            "service": self._service,
            "environment": self._environment,
            "context": made.fields,
            "exception": made.raised and made.raised._asdict(),
        }
        return self._encode(line)


class DetailedFormatter(logging.Formatter):
    """A line for the event, then an indented line for each field, then the traceback.

    Args:
        brief: For somebody who watches: trace and request are named when they change, without the
            span, and access records, whose message says most, are a line with their duration.
        colours: Colour the level.
        ascii_only: As of :class:`JsonFormatter`.
    """

    def __init__(
        self, *, brief: bool = False, colours: bool = False, ascii_only: bool = False
    ) -> None:
        super().__init__()
        self._brief = brief
        self._colours = colours
        self._ascii_only = ascii_only
        self._shown_ids: list[str] = []

    def format(self, record: logging.LogRecord) -> str:
        """The lines for ``record``, without a final line break."""
        made = entry.of(record)
        level = record.levelname
        if self._colours and level in _COLOURS:
            level = f"\x1b[{_COLOURS[level]}m{level}\x1b[0m"
        moment = f"{_second(int(record.created), False)},{int(record.created % 1 * 1000):03d}"
        where = f"{record.name}:{record.lineno}"
        message, fields = made.message.rstrip(), made.fields
        if self._brief and record.name in servers.ACCESS:
            message, fields = servers.brief(message, fields)
        lines = [f"{moment} - {level} - {where} - {_shown(message)}", *self._ids(made)]
        lines += [f"    {_shown(name)}: {_shown(value)}" for name, value in fields.items()]
        if made.raised:
            lines.append(f"    {_shown(made.raised.stack.rstrip())}")
        text = "\n".join(lines)
        return text.encode("ascii", "backslashreplace").decode() if self._ascii_only else text

    def _ids(self, made: entry.Entry) -> list[str]:
        ids = [f"    trace_id: {made.sent.trace_id:032x}"] if made.sent.trace_id else []
        if made.sent.span_id and not self._brief:
            ids.append(f"    span_id: {made.sent.span_id:016x}")
        if made.request_id:
            ids.append(f"    request_id: {_shown(made.request_id)}")
        repeated = self._brief and ids == self._shown_ids
        self._shown_ids = ids
        return [] if repeated else ids


def timestamp(seconds: float) -> str:
    """``seconds`` since the epoch in UTC, as ``2025-10-03T10:30:45.123Z``."""
    return f"{_second(int(seconds), True)}.{int(seconds % 1 * 1000):03d}Z"


@lru_cache(maxsize=8)
def _second(second: int, utc: bool) -> str:
    if utc:
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))


def _shown(value: Any) -> str:
    text = str(value)
    if text.isprintable():
        return text
    return text.translate(_CONTROL)
