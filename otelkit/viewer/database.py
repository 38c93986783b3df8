"""Opens the SQLite database of the viewer: a file that only its owner reads, or memory."""

from __future__ import annotations

import os
import sqlite3

from otelkit.errors import ConfigError

# "otel" in ASCII: tells a file of ours from any other SQLite file (PRAGMA application_id).
_APPLICATION_ID = 0x6F74656C
_SCHEMA_VERSION = 1

# `body` is the whole record as JSON; the other columns are what queries need of it. Indexes carry
# all that lists and bounds read, so that neither has to touch the bodies.
_SCHEMA = f"""
CREATE TABLE spans (
    id INTEGER PRIMARY KEY, received REAL NOT NULL, size INTEGER NOT NULL,
    trace_id TEXT NOT NULL, span_id TEXT NOT NULL, parent_id TEXT, name TEXT NOT NULL,
    service TEXT NOT NULL, start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL,
    failed INTEGER NOT NULL, input_tokens INTEGER, output_tokens INTEGER, cost REAL,
    body TEXT NOT NULL
);
CREATE UNIQUE INDEX spans_by_ids ON spans (trace_id, span_id);
CREATE INDEX spans_by_trace ON spans (trace_id, start_ns, end_ns, failed, service, parent_id);
CREATE INDEX spans_by_service ON spans (service, trace_id);
CREATE INDEX spans_with_usage ON spans (trace_id)
    WHERE input_tokens IS NOT NULL OR output_tokens IS NOT NULL OR cost IS NOT NULL;
CREATE INDEX spans_by_size ON spans (size);
CREATE TABLE logs (
    id INTEGER PRIMARY KEY, received REAL NOT NULL, size INTEGER NOT NULL,
    trace_id TEXT, time_ns INTEGER NOT NULL, body TEXT NOT NULL
);
CREATE INDEX logs_by_trace ON logs (trace_id, time_ns);
CREATE INDEX logs_by_size ON logs (size);
CREATE TABLE metrics (
    id INTEGER PRIMARY KEY, received REAL NOT NULL, size INTEGER NOT NULL,
    series TEXT NOT NULL UNIQUE, body TEXT NOT NULL
);
CREATE INDEX metrics_by_size ON metrics (size);
PRAGMA application_id = {_APPLICATION_ID};
PRAGMA user_version = {_SCHEMA_VERSION};
"""


def connect(path: str | None) -> sqlite3.Connection:
    """Opens the database and creates its tables where they are missing.

    Args:
        path: The file; `None` keeps everything in memory.

    Raises:
        ConfigError: The file cannot be opened, or is not one that the viewer wrote.
    """
    try:
        if path is not None:
            # SQLite would create the file readable to everybody; its journal takes this mode over
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(path or ":memory:", check_same_thread=False)
    except (OSError, sqlite3.Error, ValueError) as error:
        raise ConfigError(f"cannot open the database {path}: {error}") from error
    try:
        _prepare(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise ConfigError(f"cannot use the database {path}: {error}") from error
    except ConfigError:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: str | None) -> None:
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables:
        identity = [
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("application_id", "user_version")
        ]
        if identity != [_APPLICATION_ID, _SCHEMA_VERSION]:
            raise ConfigError(
                f"{path} was not written by this version of otelkit view; name another file"
            )
    else:
        connection.executescript(_SCHEMA)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
