"""Statements of real engines on SQLite: spans, parents, durations, pools."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.trace import SpanKind, StatusCode
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from otelkit import integrations
from otelkit.errors import ConfigError, MissingExtraError
from otelkit.integrations.sqlalchemy import instrument_sqlalchemy
from tests.integrations.conftest import Telemetry

Create = Callable[..., sa.Engine]

DURATION = "db.client.operation.duration"
CONNECTIONS = "db.client.connection.count"
LIMIT = "db.client.connection.max"


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)


@pytest.fixture
def create_engine() -> Iterator[Create]:
    """``sa.create_engine``; the engines are disposed of after the test."""
    made: list[sa.Engine] = []

    def create(url: str, **options: Any) -> sa.Engine:
        made.append(sa.create_engine(url, **options))
        return made[-1]

    yield create
    for engine in made:
        engine.dispose()


@pytest.fixture
def engine(telemetry: Telemetry, tmp_path: Path, create_engine: Create) -> sa.Engine:
    """An engine with the table, made before it is instrumented."""
    made = create_engine(f"sqlite:///{tmp_path}/users.db")
    Base.metadata.create_all(made)
    assert integrations.instrument("sqlalchemy") == []
    return made


def test_a_statement_gives_one_client_span_with_the_stable_names(
    telemetry: Telemetry, engine: sa.Engine
) -> None:
    with telemetry.tracer.start_as_current_span("work"), engine.connect() as connection:
        connection.execute(sa.select(User).where(User.name == "secret name"))
    work, query = telemetry.spans(2)
    assert (query.name, query.kind) == ("SELECT users", SpanKind.CLIENT)
    assert query.parent is not None
    assert query.parent.span_id == work.context.span_id
    assert dict(query.attributes or {}) == {
        "db.system.name": "sqlite",
        "db.namespace": engine.url.database,
        "db.operation.name": "SELECT",
        "db.collection.name": "users",
        "db.query.text": "SELECT users.id, users.name \nFROM users \nWHERE users.name = ?",
    }


def test_a_statement_is_measured_in_seconds(telemetry: Telemetry, engine: sa.Engine) -> None:
    with engine.connect() as connection:
        for _ in range(3):
            connection.execute(sa.select(User))
    (duration,) = telemetry.points(DURATION)
    assert dict(duration.attributes) == {
        "db.system.name": "sqlite",
        "db.namespace": engine.url.database,
        "db.operation.name": "SELECT",
        "db.collection.name": "users",
    }
    assert duration.count == 3
    assert 0 < duration.sum < 2
    assert duration.explicit_bounds[0] == 0.001


def test_connections_open_before_are_seen(telemetry: Telemetry, create_engine: Create) -> None:
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        connection.execute(sa.text("SELECT 1"))
        integrations.instrument("sqlalchemy")
        connection.execute(sa.text("SELECT 2"))
    assert telemetry.span().name == "SELECT"


def test_raw_and_textual_statements_lose_their_literals(
    telemetry: Telemetry, engine: sa.Engine
) -> None:
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT 'secret' FROM users WHERE id = 7")
        connection.execute(sa.text("SELECT id FROM users WHERE name = 'secret'"))
    texts = [(span.attributes or {})["db.query.text"] for span in telemetry.spans(2)]
    assert texts == ["SELECT ? FROM users WHERE id = ?", "SELECT id FROM users WHERE name = ?"]


def test_many_rows_are_one_span_with_their_number(telemetry: Telemetry, engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.insert(User), [{"name": "a"}, {"name": "b"}, {"name": "c"}])
    span = telemetry.span()
    assert span.name == "INSERT users"
    assert (span.attributes or {})["db.operation.batch.size"] == 3


def test_rows_inserted_in_pages_give_a_span_for_each_statement(
    telemetry: Telemetry, engine: sa.Engine
) -> None:
    with Session(engine) as session:
        session.add_all([User(name=str(number)) for number in range(2500)])
        session.commit()
    spans = telemetry.spans()
    assert len(spans) > 1
    assert {span.name for span in spans} == {"INSERT users"}
    assert all(len((span.attributes or {})["db.query.text"]) < 5000 for span in spans)


def test_a_failing_statement_is_an_error_without_the_message_of_the_database(
    telemetry: Telemetry, engine: sa.Engine
) -> None:
    with engine.begin() as connection:
        connection.execute(sa.insert(User), {"name": "secret name"})
        telemetry.clear()
        with pytest.raises(sa.exc.IntegrityError):
            connection.execute(sa.insert(User), {"name": "secret name"})
    span = telemetry.span()
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, None)
    assert (span.attributes or {})["error.type"] == "sqlalchemy.exc.IntegrityError"
    assert span.events == ()
    failed = [p for p in telemetry.points(DURATION) if "error.type" in p.attributes]
    assert [point.count for point in failed] == [1]


def test_an_error_handler_of_the_applications_own_still_works(
    telemetry: Telemetry, engine: sa.Engine
) -> None:
    class Missing(Exception):
        pass

    @event.listens_for(engine, "handle_error")
    def translate(context: Any) -> None:
        raise Missing from context.original_exception

    with engine.connect() as connection, pytest.raises(Missing):
        connection.execute(sa.text("SELECT * FROM nowhere"))
    assert telemetry.span().status.status_code is StatusCode.ERROR


def test_statements_of_listeners_and_transactions_are_spans_of_their_own(
    telemetry: Telemetry, engine: sa.Engine
) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.select(User))
    with Session(engine) as session, session.begin_nested():
        session.execute(sa.select(User))
    names = [span.name for span in telemetry.spans(4)]
    assert names[0] == names[2] == "SELECT users"
    assert names[1].startswith("SAVEPOINT")
    assert names[3].startswith("RELEASE")


def test_rows_that_are_streamed_leave_no_span_open(telemetry: Telemetry, engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.insert(User), [{"name": str(number)} for number in range(50)])
        telemetry.clear()
        rows = connection.execution_options(yield_per=10).execute(sa.select(User))
        next(iter(rows))
        assert telemetry.span().name == "SELECT users"


def test_two_engines_are_told_apart(
    telemetry: Telemetry, tmp_path: Path, create_engine: Create
) -> None:
    integrations.instrument("sqlalchemy")
    engines = [create_engine(f"sqlite:///{tmp_path}/{name}.db") for name in "ab"]
    for engine in engines:
        with engine.connect() as connection:
            connection.execute(sa.text("SELECT 1"))
    found = [(span.attributes or {})["db.namespace"] for span in telemetry.spans(2)]
    assert found == [f"{tmp_path}/a.db", f"{tmp_path}/b.db"]


def test_an_async_engine_gives_the_same_spans_under_the_right_parents(
    telemetry: Telemetry, tmp_path: Path
) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/users.db")
    integrations.instrument("sqlalchemy")

    async def task(name: str) -> None:
        with telemetry.tracer.start_as_current_span(name):
            async with async_sessionmaker(engine)() as session:
                await session.execute(sa.select(User))
                await asyncio.sleep(0)
                await session.execute(sa.select(User.name))

    async def main() -> None:
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        telemetry.clear()
        await asyncio.gather(*(task(str(number)) for number in range(5)))
        await engine.dispose()

    asyncio.run(main())
    spans = telemetry.spans(15)
    tasks = {span.context.span_id for span in spans if span.name != "SELECT users"}
    parents = [span.parent.span_id for span in spans if span.parent]
    assert sorted(parents) == sorted([*tasks, *tasks])


def test_a_cancelled_statement_is_no_error(telemetry: Telemetry) -> None:
    engine = create_async_engine("sqlite+aiosqlite://")
    integrations.instrument("sqlalchemy")
    endless = "WITH RECURSIVE n(i) AS (VALUES(0) UNION ALL SELECT i FROM n LIMIT 3000000) "

    async def main() -> None:
        running = asyncio.Event()
        event.listen(engine.sync_engine, "before_cursor_execute", lambda *_: running.set())
        async with engine.connect() as connection:
            query = connection.execute(sa.text(endless + "SELECT count(*) FROM n"))
            task = asyncio.create_task(query)
            await running.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await engine.dispose()

    asyncio.run(main())
    span = telemetry.span()
    assert span.status.status_code is StatusCode.UNSET
    assert (span.attributes or {})["otelkit.cancelled"] is True


def test_connections_are_counted_by_state_and_never_below_zero(
    telemetry: Telemetry, tmp_path: Path, create_engine: Create
) -> None:
    def counts() -> dict[str, int]:
        points = telemetry.points(CONNECTIONS)
        assert {p.attributes["db.client.connection.pool.name"] for p in points} == {"main"}
        return {p.attributes["db.client.connection.state"]: p.value for p in points}

    url = f"sqlite:///{tmp_path}/users.db"
    engine = create_engine(url, pool_size=2, max_overflow=1, pool_logging_name="main")
    early = engine.connect()  # checked out before anything counts
    integrations.instrument("sqlalchemy")
    early.execute(sa.text("SELECT 1"))
    assert counts() == {"idle": 0, "used": 1}
    second, third = engine.connect(), engine.connect()
    assert counts() == {"idle": 0, "used": 3}
    for connection in (early, second, third):
        connection.close()
    assert counts() == {"idle": 2, "used": 0}
    engine.dispose()
    with engine.connect() as connection:
        connection.execute(sa.text("SELECT 1"))
    assert all(count >= 0 for count in counts().values())


def test_the_most_connections_of_a_pool_are_told_where_there_is_a_limit(
    telemetry: Telemetry, tmp_path: Path, create_engine: Create
) -> None:
    integrations.instrument("sqlalchemy")
    url = f"sqlite:///{tmp_path}/users.db"
    pools: dict[str, dict[str, Any]] = {
        "main": {"pool_size": 2, "max_overflow": 3},
        "unlimited": {"pool_size": 2, "max_overflow": -1},
        "any": {"pool_size": 0, "max_overflow": 3},
        "none": {"poolclass": sa.NullPool},
    }
    for name, options in pools.items():
        engine = create_engine(url, pool_logging_name=name, **options)
        with engine.connect() as connection:
            connection.execute(sa.text("SELECT 1"))
    (point,) = telemetry.points(LIMIT)
    assert (point.attributes["db.client.connection.pool.name"], point.value) == ("main", 5)


def test_engines_of_one_address_are_counted_together(
    telemetry: Telemetry, tmp_path: Path, create_engine: Create
) -> None:
    integrations.instrument("sqlalchemy")
    engines = [create_engine(f"sqlite:///{tmp_path}/users.db") for _ in range(2)]
    engines.append(engines[0].execution_options(isolation_level="AUTOCOMMIT"))  # the same pool
    for engine in engines:
        with engine.connect() as connection:
            connection.execute(sa.text("SELECT 1"))
    points = telemetry.points(CONNECTIONS)
    idle = [p.value for p in points if p.attributes["db.client.connection.state"] == "idle"]
    assert idle.count(2) == 1


def test_pools_are_read_while_others_appear(
    telemetry: Telemetry, tmp_path: Path, create_engine: Create
) -> None:
    integrations.instrument("sqlalchemy")
    stop = threading.Event()
    failures: list[BaseException] = []

    def collect() -> None:
        try:
            while not stop.is_set():
                telemetry.points(CONNECTIONS)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=collect)
    thread.start()
    for number in range(30):
        engine = create_engine(f"sqlite:///{tmp_path}/{number}.db")
        with engine.connect() as connection:
            connection.execute(sa.text("SELECT 1"))
        engine.dispose()
    stop.set()
    thread.join()
    assert failures == []


def test_only_named_engines_are_instrumented_by_hand(
    telemetry: Telemetry, create_engine: Create
) -> None:
    named, other = create_engine("sqlite://"), create_async_engine("sqlite+aiosqlite://")
    instrument_sqlalchemy(named)
    instrument_sqlalchemy(named)

    async def ask(engine: AsyncEngine) -> None:
        async with engine.connect() as connection:
            await connection.execute(sa.text("SELECT 1"))
        await engine.dispose()

    with named.connect() as connection:
        connection.execute(sa.text("SELECT 1"))
    asyncio.run(ask(other))
    telemetry.span()
    instrument_sqlalchemy(other)
    asyncio.run(ask(other))
    telemetry.spans(2)
    integrations.instrument("sqlalchemy")  # on top of both
    with named.connect() as connection:
        connection.execute(sa.text("SELECT 1"))
    asyncio.run(ask(other))
    telemetry.spans(4)


def test_what_is_no_engine_is_refused() -> None:
    with pytest.raises(ConfigError, match="takes an Engine or AsyncEngine, not str"):
        instrument_sqlalchemy("sqlite://")  # type: ignore[arg-type]


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, create_engine: Create) -> None:
    engine = create_engine("sqlite://")
    monkeypatch.setitem(sys.modules, "sqlalchemy.engine", None)
    with pytest.raises(MissingExtraError, match=r"otelkit\[sqlalchemy\]"):
        instrument_sqlalchemy(engine)


def test_nothing_is_recorded_where_instrumentation_is_suppressed(
    telemetry: Telemetry, engine: sa.Engine
) -> None:
    with suppress_instrumentation(), engine.connect() as connection:
        connection.execute(sa.select(User))
    assert telemetry.spans() == []


def test_a_failure_of_telemetry_does_not_reach_the_statement(
    telemetry: Telemetry, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("telemetry is broken")

    with engine.connect() as connection:
        monkeypatch.setattr(telemetry.tracer_provider, "get_tracer", broken)
        monkeypatch.setattr("otelkit.integrations._sql.describe", broken)
        assert connection.execute(sa.text("SELECT 1")).scalar() == 1


def test_nothing_stays_behind_when_it_is_undone(
    telemetry: Telemetry, engine: sa.Engine, create_engine: Create
) -> None:
    named = create_engine("sqlite://")
    instrument_sqlalchemy(named)
    integrations.uninstrument()
    for each in (engine, named):
        with each.connect() as connection:
            connection.execute(sa.text("SELECT 1"))
    assert telemetry.spans() == []
