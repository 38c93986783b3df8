"""Waiting for the connections of pools that are too small, with real engines on SQLite."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from otelkit import integrations, semconv
from otelkit.integrations import _waits
from otelkit.integrations.sqlalchemy import instrument_sqlalchemy
from tests.integrations.conftest import Telemetry, wait_until

SMALL: dict[str, Any] = {"poolclass": sa.QueuePool, "pool_size": 1, "max_overflow": 0}


@pytest.fixture(autouse=True)
def _at_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    for totals in (_waits._pending, _waits._timeouts):
        monkeypatch.setattr(totals, "_totals", {})


def value(telemetry: Telemetry, name: str, pool: str = "main") -> Any:
    points = [p for p in telemetry.points(name) if p.attributes == {semconv.DB_POOL_NAME: pool}]
    return points[0].value if points else None


def test_waits_are_measured_of_engines_made_before(telemetry: Telemetry, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    engine = sa.create_engine(url, pool_logging_name="main", pool_timeout=10, **SMALL)
    integrations.instrument(["sqlalchemy"])
    first = engine.connect()
    waiting = threading.Thread(target=lambda: engine.connect().close())
    waiting.start()
    wait_until(lambda: value(telemetry, semconv.DB_CONNECTION_PENDING) == 1)
    first.close()
    waiting.join()
    assert value(telemetry, semconv.DB_CONNECTION_PENDING) == 0
    (wait,) = telemetry.points(semconv.DB_CONNECTION_WAIT)
    assert wait.attributes == {semconv.DB_POOL_NAME: "main"}
    assert wait.count == 2
    assert value(telemetry, semconv.DB_CONNECTION_TIMEOUTS) is None
    engine.dispose()


def test_who_gives_up_is_counted(telemetry: Telemetry, tmp_path: Path) -> None:
    integrations.instrument(["sqlalchemy"])
    url = f"sqlite:///{tmp_path / 'a.db'}"
    engine = sa.create_engine(url, pool_logging_name="main", pool_timeout=0.01, **SMALL)
    with engine.connect():
        for _ in range(3):
            with pytest.raises(sa.exc.TimeoutError):
                engine.connect()
    assert value(telemetry, semconv.DB_CONNECTION_TIMEOUTS) == 3
    assert value(telemetry, semconv.DB_CONNECTION_PENDING) == 0
    engine.dispose()


def test_asynchronous_engines_wait_as_well(telemetry: Telemetry, tmp_path: Path) -> None:
    async def wait() -> None:
        url = f"sqlite+aiosqlite:///{tmp_path / 'a.db'}"
        small = {**SMALL, "poolclass": sa.AsyncAdaptedQueuePool}
        engine = create_async_engine(url, pool_logging_name="main", pool_timeout=0.01, **small)
        instrument_sqlalchemy(engine)
        async with engine.connect():
            with pytest.raises(sa.exc.TimeoutError):
                await engine.connect()
        await engine.dispose()

    asyncio.run(wait())
    assert value(telemetry, semconv.DB_CONNECTION_TIMEOUTS) == 1
    assert telemetry.points(semconv.DB_CONNECTION_WAIT)[0].count == 1


def test_only_engines_that_are_asked_for_and_only_while_they_are(
    telemetry: Telemetry, tmp_path: Path
) -> None:
    before = sa.Engine.raw_connection
    named, other = (sa.create_engine(f"sqlite:///{tmp_path / n}") for n in ("a.db", "b.db"))
    instrument_sqlalchemy(named)
    instrument_sqlalchemy(named)
    for engine in (named, other):
        engine.connect().close()
    assert [p.count for p in telemetry.points(semconv.DB_CONNECTION_WAIT)] == [1]
    integrations.uninstrument()
    assert sa.Engine.raw_connection is before
    named.connect().close()
    assert [p.count for p in telemetry.points(semconv.DB_CONNECTION_WAIT)] == [1]
