"""The databases that statements go to, told apart by pool: attributes, and the use of the pools."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

from opentelemetry.metrics import CallbackOptions, Observation

from otelkit import semconv

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine
    from sqlalchemy.pool import Pool

# Names that the conventions give, where they are not SQLAlchemy's own.
_SYSTEMS = {"mssql": "microsoft.sql_server", "oracle": "oracle.db"}


class Database(NamedTuple):
    """What is the same for every statement that goes through one pool."""

    attributes: dict[str, Any]
    pool_name: str
    mysql: bool


# Replaced by a larger one and never written to, so that it can be read without a lock.
_databases: WeakKeyDictionary[Pool, Database] = WeakKeyDictionary()


def of(engine: Engine) -> Database:
    """The database behind ``engine``; its pool is observed from now on."""
    global _databases
    pool = engine.pool  # a copy of an engine with other options shares it
    known = _databases.get(pool)
    if known is None:
        larger = _databases.copy()
        known = larger[pool] = _describe(engine)
        _databases = larger
    return known


def _describe(engine: Engine) -> Database:
    url, system = engine.url, engine.dialect.name
    known = {
        semconv.DB_SYSTEM_NAME: _SYSTEMS.get(system, system),
        semconv.DB_NAMESPACE: url.database,
        semconv.SERVER_ADDRESS: url.host,
        semconv.SERVER_PORT: url.port,
    }
    address = f"{url.host or ''}:{url.port or ''}".strip(":")
    return Database(
        attributes={name: value for name, value in known.items() if value},
        pool_name=engine.pool.logging_name
        or "/".join(filter(None, (address, url.database)))
        or system,
        mysql=system in ("mysql", "mariadb"),
    )


def observe_used(_options: CallbackOptions) -> Iterable[Observation]:
    """The callback of ``db.client.connection.count``."""
    # Asked of the pools, not counted along: a count that begins in the middle goes below zero.
    counts: dict[tuple[str, str], int] = {}
    for pool, database in _databases.items():
        for state, method in (("idle", "checkedin"), ("used", "checkedout")):
            if hasattr(pool, method):  # pools that keep nothing have no numbers
                key = (database.pool_name, state)
                counts[key] = counts.get(key, 0) + max(0, getattr(pool, method)())
    for (name, state), count in counts.items():
        labels = {semconv.DB_POOL_NAME: name, semconv.DB_CONNECTION_STATE: state}
        yield Observation(count, labels)


def observe_limits(_options: CallbackOptions) -> Iterable[Observation]:
    """The callback of ``db.client.connection.max``; pools without a limit are left out."""
    limits: dict[str, int] = {}
    for pool, database in _databases.items():
        size = pool.size() if hasattr(pool, "size") and callable(pool.size) else 0
        overflow = getattr(pool, "_max_overflow", -1)  # there is no public name for it
        if size > 0 and overflow >= 0:
            limits[database.pool_name] = limits.get(database.pool_name, 0) + size + overflow
    for name, limit in limits.items():
        yield Observation(limit, {semconv.DB_POOL_NAME: name})
