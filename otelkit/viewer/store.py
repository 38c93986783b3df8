"""What was received, in SQLite: bounded by number, by size and by age, oldest dropped first."""

# ruff: noqa: S608 - the SQL is put together from constants of this package only

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from otelkit.viewer import rows, summaries
from otelkit.viewer.database import connect
from otelkit.viewer.decode import Record

# Signals of OTLP and the tables that keep them; the tables' names are those of the statistics.
_TABLES = {"traces": "spans", "logs": "logs", "metrics": "metrics"}
_COLUMNS = {"spans": rows.span, "logs": rows.log, "metrics": rows.point}
# What a row takes besides its body, about: columns and indexes.
_ROW_OVERHEAD = 300


@dataclass(frozen=True)
class Limits:
    """Bounds of the store, each for spans, log records and metric series separately.

    Attributes:
        items: How many are kept.
        bytes: How much they may take.
        age: How long they are kept, in seconds after they were received; looked at whenever a
            batch arrives.
    """

    items: int = 50_000
    bytes: int = 128 * 1024 * 1024
    age: float = 7 * 24 * 3600.0


class Store:
    """Keeps records and answers questions about them. Safe to use from several threads.

    Args:
        path: SQLite file; `None` keeps everything in memory.
        limits: When the oldest are dropped.

    Attributes:
        version: Grows with every stored batch.

    Raises:
        ConfigError: The file cannot be used.
    """

    def __init__(self, path: str | None = None, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._connection = connect(path)
        self._changed = threading.Condition()
        self._received = dict.fromkeys(_TABLES.values(), 0)
        self._dropped = dict.fromkeys(_TABLES.values(), 0)
        self.version = time.time_ns()  # never that of an earlier run, so that it can be an ETag

    def close(self) -> None:
        """Closes the database; using the store afterwards raises `sqlite3.ProgrammingError`."""
        with self._changed:
            self._connection.close()

    def add(self, signal: str, records: list[Record]) -> None:
        """Stores one batch: all of it or, when the database fails, nothing.

        A span that is already there (same trace id and span id) stays as it is; of a metric
        series only the latest point is kept.

        Args:
            signal: `"traces"`, `"logs"` or `"metrics"`.
            records: What `otelkit.viewer.decode` made of a request.

        Raises:
            sqlite3.Error: The database cannot be written, for example because the disk is full.
        """
        table = _TABLES[signal]
        received = time.time()
        with self._changed:
            with self._connection:
                for record in records:
                    self._insert(table, record, received)
                dropped = {table: self._drop_oldest(table) for table in _TABLES.values()}
            self._received[table] += len(records)
            for table, count in dropped.items():
                self._dropped[table] += count
            self.version += 1
            self._changed.notify_all()

    def wait_for(self, predicate: Callable[[Store], Any], timeout: float) -> Any:
        """Waits until the predicate is true of the store; asks it again after each stored batch.

        Returns:
            The predicate's last value: false when it was still false after `timeout` seconds.
        """
        with self._changed:
            return self._changed.wait_for(lambda: predicate(self), timeout)

    def spans(self, trace_id: str | None = None, *, limit: int = -1) -> list[Record]:
        """Gives the spans of a trace by start time, or all spans as they arrived."""
        if trace_id is None:
            return self._bodies("SELECT body FROM spans ORDER BY id LIMIT ?", limit)
        return self._bodies(
            "SELECT body FROM spans WHERE trace_id = ? ORDER BY start_ns, id LIMIT ?",
            trace_id,
            limit,
        )

    def logs(self, trace_id: str | None = None, *, limit: int = -1) -> list[Record]:
        """Gives the log records of a trace, or the latest of all, each by time, newest last."""
        if trace_id is None:
            return self._bodies(
                "SELECT body FROM logs ORDER BY time_ns DESC, id DESC LIMIT ?", limit
            )[::-1]
        return self._bodies(
            "SELECT body FROM logs WHERE trace_id = ? ORDER BY time_ns, id LIMIT ?",
            trace_id,
            limit,
        )

    def metrics(self) -> list[Record]:
        """Gives the latest point of each metric series, by service and name."""
        points = self._bodies("SELECT body FROM metrics")
        return sorted(
            points,
            key=lambda p: (p["service"], p["name"], json.dumps(p["attributes"], sort_keys=True)),
        )

    def services(self) -> list[str]:
        """Gives the names of all services that have spans."""
        with self._changed:
            return summaries.services(self._connection)

    def traces(
        self,
        *,
        limit: int = 100,
        service: str | None = None,
        text: str | None = None,
        errors: bool = False,
    ) -> list[Record]:
        """Gives summaries of traces, newest first; see `otelkit.viewer.summaries.find`."""
        with self._changed:
            return summaries.find(
                self._connection, limit=limit, service=service, text=text, errors=errors
            )

    def trace(self, trace_id: str, *, limit: int = -1) -> Record | None:
        """Gives the summary of a trace with its `spans` and `logs`; `None` when it has no spans.

        Args:
            trace_id: 32 hex digits.
            limit: How many spans, and how many log records, at most.
        """
        with self._changed:
            summary = summaries.one(self._connection, trace_id)
            if summary is None:
                return None
            summary["spans"] = self.spans(trace_id, limit=limit)
            summary["logs"] = self.logs(trace_id, limit=limit)
            return summary

    def stats(self) -> dict[str, dict[str, int]]:
        """Counts `spans`, `logs` and `metrics` (points received, series kept).

        Returns:
            For each: how many were `received` since the start, how many are `kept`, the `bytes`
            these take, and how many the bounds `dropped`.
        """
        with self._changed:
            counts = {}
            for table in _TABLES.values():
                kept, size = self._totals(table)
                counts[table] = {
                    "received": self._received[table],
                    "kept": kept,
                    "bytes": size,
                    "dropped": self._dropped[table],
                }
            return counts

    def _insert(self, table: str, record: Record, received: float) -> None:
        body = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
        row = _COLUMNS[table](record) | {
            "received": received,
            "size": len(body.encode()) + _ROW_OVERHEAD,
            "body": body,
        }
        # REPLACE gives the row a new id, so a series that is still written never is the oldest
        conflict = "REPLACE" if table == "metrics" else "IGNORE"
        self._connection.execute(
            f"INSERT OR {conflict} INTO {table} ({', '.join(row)})"
            f" VALUES ({', '.join('?' * len(row))})",
            tuple(row.values()),
        )

    def _drop_oldest(self, table: str) -> int:
        kept, size = self._totals(table)
        too_old = time.time() - self._limits.age
        dropped = last = 0
        oldest = self._connection.execute(f"SELECT id, size, received FROM {table} ORDER BY id")
        for row_id, row_size, received in oldest:
            within = kept - dropped <= self._limits.items and size <= self._limits.bytes
            if within and received >= too_old:
                break
            dropped, size, last = dropped + 1, size - row_size, row_id
        if dropped:
            self._connection.execute(f"DELETE FROM {table} WHERE id <= ?", (last,))
        return dropped

    def _totals(self, table: str) -> tuple[int, int]:
        query = f"SELECT count(*), coalesce(sum(size), 0) FROM {table}"
        kept, size = self._connection.execute(query).fetchone()
        return kept, size

    def _bodies(self, query: str, *parameters: Any) -> list[Record]:
        with self._changed:
            return [json.loads(body) for (body,) in self._connection.execute(query, parameters)]
