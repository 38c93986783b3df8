"""Statements on a real PostgreSQL, through the synchronous and the asynchronous driver."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from opentelemetry.sdk.trace import ReadableSpan
from sqlalchemy.ext.asyncio import create_async_engine

from otelkit import integrations
from tests import postgres
from tests.integrations.conftest import Telemetry

TABLE = sa.Table(
    "accounts",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("owner", sa.String, unique=True),
)


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Postgres]:
    with postgres.running() as started:
        yield started


def work(connection: sa.Connection) -> None:
    """Insert twice the same: the second is refused; then read."""
    TABLE.metadata.drop_all(connection)
    TABLE.metadata.create_all(connection)
    connection.execute(TABLE.insert(), {"owner": "secret name"})
    with pytest.raises(sa.exc.IntegrityError), connection.begin_nested():
        connection.execute(TABLE.insert(), {"owner": "secret name"})
    rows = connection.execute(sa.select(TABLE.c.owner).where(TABLE.c.id == 1)).all()
    assert rows == [("secret name",)]


def through_psycopg(url: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        work(connection)
    engine.dispose()


def through_asyncpg(url: str) -> None:
    async def main() -> None:
        engine = create_async_engine(url)
        async with engine.begin() as connection:
            await connection.run_sync(work)
        await engine.dispose()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("driver", "through", "placeholder"),
    [
        ("psycopg", through_psycopg, "%(id_1)s"),
        ("asyncpg", through_asyncpg, "$1"),
    ],
)
def test_both_drivers_give_the_same_spans(
    server: postgres.Postgres, telemetry: Telemetry, driver: str, through: Any, placeholder: str
) -> None:
    integrations.instrument("sqlalchemy")
    through(server.url(driver))
    spans = telemetry.spans()
    assert not [span for span in spans if "secret" in span.to_json()]
    everywhere = {
        "db.system.name": "postgresql",
        "db.namespace": postgres.NAME,
        "server.address": "127.0.0.1",
        "server.port": server.port,
    }
    assert all(everywhere.items() <= dict(span.attributes or {}).items() for span in spans)
    first, refused = named(spans, "INSERT accounts")
    assert "error.type" not in (first.attributes or {})
    assert (refused.attributes or {})["error.type"] == "sqlalchemy.exc.IntegrityError"
    assert (refused.attributes or {})["db.response.status_code"] == "23505"
    (select,) = named(spans, "SELECT accounts")
    text = str((select.attributes or {})["db.query.text"])
    assert f"WHERE accounts.id = {placeholder}" in text


def named(spans: list[ReadableSpan], name: str) -> list[ReadableSpan]:
    return [span for span in spans if span.name == name]


def test_a_server_that_goes_away_is_an_error_and_not_the_end(
    server: postgres.Postgres, telemetry: Telemetry
) -> None:
    engine = sa.create_engine(server.url("psycopg"))
    integrations.instrument("sqlalchemy")
    with engine.connect() as connection:
        connection.execute(sa.text("SELECT 1"))
        server.stop()
        telemetry.clear()
        with pytest.raises(sa.exc.OperationalError):
            connection.execute(sa.text("SELECT 2"))
    assert (telemetry.span().attributes or {})["error.type"] == "sqlalchemy.exc.OperationalError"
    server.start()
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT 3")).scalar() == 3
    engine.dispose()
