"""Databases behind SQLAlchemy engines, synchronous and asynchronous."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from otelkit.errors import ConfigError, MissingExtraError
from otelkit.health.results import Result, failure

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine
    from sqlalchemy.ext.asyncio import AsyncEngine


def sqlalchemy_check(engine: Engine | AsyncEngine) -> Callable[[], Any]:
    """A check that a database answers ``SELECT 1`` through a connection of the engine's pool.

    A pool without a free connection is waited for, up to the timeout of the check. Connections
    that have no timeout of their own keep the check busy while a network swallows packets: give
    the driver one (``connect_args={"connect_timeout": 2}`` for psycopg).

    Args:
        engine: From ``create_engine()`` or ``create_async_engine()``.

    Returns:
        For ``health.register()``; its metadata has the state of the pool.

    Raises:
        ConfigError: ``engine`` is neither.
        MissingExtraError: SQLAlchemy is not installed.
    """
    try:
        from sqlalchemy.engine import Engine
        from sqlalchemy.ext.asyncio import AsyncEngine
    except ImportError:
        raise MissingExtraError("sqlalchemy", "sqlalchemy_check()") from None
    if isinstance(engine, AsyncEngine):
        return _asynchronous(engine)
    if isinstance(engine, Engine):
        return _synchronous(engine)
    raise ConfigError(
        f"sqlalchemy_check() takes an Engine or AsyncEngine, not {type(engine).__name__}"
    )


def _synchronous(engine: Engine) -> Callable[[], Any]:
    def ask() -> Exception | None:
        try:
            with engine.connect() as connection:
                _select_one(connection)
        except Exception as error:
            return error
        return None

    def check() -> Result:
        error = ask()
        if _was_stale(error):
            error = ask()
        return _result(engine, error)

    return check


def _asynchronous(engine: AsyncEngine) -> Callable[[], Any]:
    async def ask() -> Exception | None:
        try:
            async with engine.connect() as connection:
                await connection.run_sync(_select_one)
        except Exception as error:
            return error
        return None

    async def check() -> Result:
        error = await ask()
        if _was_stale(error):
            error = await ask()
        return _result(engine.sync_engine, error)

    return check


def _select_one(connection: Connection) -> None:
    from sqlalchemy import literal, select

    connection.execute(select(literal(1)))  # written as the dialect wants it


def _was_stale(error: Exception | None) -> bool:
    """Whether the pool gave a connection that had broken; the next one it gives is a new one."""
    return bool(getattr(error, "connection_invalidated", False))


def _result(engine: Engine, error: Exception | None) -> Result:
    found = failure(error) if error else Result("healthy")
    return replace(found, metadata=_pool(engine))


def _pool(engine: Engine) -> dict[str, Any]:
    from sqlalchemy.pool import QueuePool

    pool = engine.pool
    found: dict[str, Any] = {"pool": type(pool).__name__}
    if isinstance(pool, QueuePool):  # the others have no such numbers
        found |= {
            "size": pool.size(),
            "idle": pool.checkedin(),
            "in_use": pool.checkedout(),
            "overflow": max(0, pool.overflow()),  # negative before the pool was full once
        }
    return found
