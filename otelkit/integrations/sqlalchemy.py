"""SQLAlchemy: a client span and a duration for every statement, and the use of the pools.

Why not opentelemetry-instrumentation-sqlalchemy: it refuses SQLAlchemy 2.1, sees only engines made
after it by names imported after it, has no durations, and its count of connections can go below
zero. Listeners on the class ``Engine`` see every engine, async ones (which run a sync one) and
those made before included.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakSet

from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.metrics import Histogram, Meter
from opentelemetry.trace import Span, SpanKind, StatusCode

from otelkit import _current, _exceptions, semconv
from otelkit.errors import ConfigError, MissingExtraError
from otelkit.integrations import _databases, _sql, _waits

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

_log = logging.getLogger("otelkit")
_every_engine = False
_engines: WeakSet[Engine] = WeakSet()  # those that instrument_sqlalchemy() named


class _Running(NamedTuple):
    """A statement that is being executed; kept on SQLAlchemy's execution context."""

    span: Span
    started: float
    labels: dict[str, Any]


def instrument_sqlalchemy(engine: Engine | AsyncEngine) -> None:
    """Give every statement of ``engine`` a client span and a duration.

    Needed only where ``setup()`` does not instrument by itself (``OTELKIT_INSTRUMENT``). May be
    called at any time, before ``setup()`` included; a second call does nothing.

    Args:
        engine: From ``create_engine()`` or ``create_async_engine()``.

    Raises:
        ConfigError: ``engine`` is neither.
        MissingExtraError: SQLAlchemy is not installed.
    """
    inner = engine_of(engine)
    if not _every_engine and inner not in _engines:
        _engines.add(inner)
        _listen(inner)
        _waits.install(_is_ours)


def engine_of(engine: Any) -> Engine:
    """The engine itself, of an asynchronous one too; raises as :func:`instrument_sqlalchemy`."""
    try:
        from sqlalchemy.engine import Engine
    except ImportError:
        raise MissingExtraError("sqlalchemy", "instrument_sqlalchemy()") from None
    inner = getattr(engine, "sync_engine", engine)
    if not isinstance(inner, Engine):
        raise ConfigError(
            f"instrument_sqlalchemy() takes an Engine or AsyncEngine, not {type(engine).__name__}"
        )
    return inner


def install() -> None:
    """Instrument every engine of the process.

    Raises:
        ConfigError: opentelemetry-instrumentation-sqlalchemy is active; both would double spans.
    """
    global _every_engine
    from sqlalchemy.engine import Engine

    contrib = sys.modules.get("opentelemetry.instrumentation.sqlalchemy")
    if contrib is not None and contrib.SQLAlchemyInstrumentor().is_instrumented_by_opentelemetry:
        raise ConfigError("opentelemetry-instrumentation-sqlalchemy is active and is left to it")
    if not _every_engine:
        _every_engine = True
        _listen(Engine)
        _waits.install(_is_ours)


def uninstall() -> None:
    """Take every listener away."""
    global _every_engine
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    targets: list[Any] = list(_engines)
    if _every_engine:
        targets.append(Engine)
    for target in targets:
        for name, listener in _LISTENERS.items():
            event.remove(target, name, listener)
    _waits.uninstall()
    _every_engine = False
    _engines.clear()


def _is_ours(engine: Engine) -> bool:
    return _every_engine or engine in _engines


def _listen(target: Any) -> None:
    from sqlalchemy import event

    _duration()
    for name, listener in _LISTENERS.items():
        event.listen(target, name, listener)


def _before(
    conn: Any, _cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
) -> None:
    try:
        # An engine that was named and the class may both call this for one statement.
        if context is None or hasattr(context, _KEPT) or not is_instrumentation_enabled():
            return
        batch = len(parameters) if executemany and isinstance(parameters, list) else 1
        setattr(context, _KEPT, _begin(conn.engine, statement, batch))
    except Exception:
        _log.debug("a statement is executed without a span", exc_info=True)


def _after(
    _conn: Any, _cursor: Any, _statement: str, _parameters: Any, context: Any, _many: bool
) -> None:
    _finish(context)


def _failed(failure: Any) -> None:
    # SQLAlchemy's exception is the one that reaches the application.
    error = failure.sqlalchemy_exception or failure.original_exception
    _finish(failure.execution_context, error, failure.original_exception)


_LISTENERS: dict[str, Callable[..., None]] = {
    "before_cursor_execute": _before,
    "after_cursor_execute": _after,
    "handle_error": _failed,  # also what is no error of the database, such as a cancellation
}
_KEPT = "_otelkit_statement"


def _begin(engine: Engine, statement: str, batch: int) -> _Running:
    database = _databases.of(engine)
    described = _sql.describe(statement, mysql=database.mysql)
    labels = dict(database.attributes)
    if described.operation:
        labels[semconv.DB_OPERATION_NAME] = described.operation
    if described.table:
        labels[semconv.DB_COLLECTION_NAME] = described.table
    attributes = {**labels, semconv.DB_QUERY_TEXT: described.text}
    if batch > 1:
        attributes[semconv.DB_OPERATION_BATCH_SIZE] = batch
    target = described.table or labels.get(semconv.DB_NAMESPACE)
    words = (described.operation, target) if described.operation else (engine.dialect.name,)
    span = _tracer().start_span(
        " ".join(filter(None, words)), kind=SpanKind.CLIENT, attributes=attributes
    )
    return _Running(span, perf_counter(), labels)


def _finish(
    context: Any, error: BaseException | None = None, cause: BaseException | None = None
) -> None:
    """End the statement that ``context`` executes, if it has a span; never raises."""
    try:
        running: _Running | None = getattr(context, _KEPT, None)
        if running is None:
            return
        delattr(context, _KEPT)
        seconds = perf_counter() - running.started
        outcome = _outcome(error, cause)
        if semconv.ERROR_TYPE in outcome:
            running.span.set_status(StatusCode.ERROR)
        elif isinstance(error, asyncio.CancelledError):
            running.span.set_attribute(semconv.CANCELLED, True)
        running.span.set_attributes(outcome)
        running.span.end()
        duration = _duration()
        if duration is not None:
            duration.record(seconds, {**running.labels, **outcome})
    except Exception:
        _log.debug("a statement could not be reported", exc_info=True)


def _outcome(error: BaseException | None, cause: BaseException | None) -> dict[str, Any]:
    """How the statement failed. No exception event: messages of databases quote rows and values."""
    if not isinstance(error, Exception):
        return {}
    outcome: dict[str, Any] = {semconv.ERROR_TYPE: _exceptions.error_type(error)}
    code = getattr(cause, "sqlstate", None)
    if code:
        outcome[semconv.DB_RESPONSE_STATUS_CODE] = str(code)
    return outcome


def _make_duration(meter: Meter) -> Histogram:
    meter.create_observable_up_down_counter(
        semconv.DB_CONNECTION_COUNT,
        callbacks=[_databases.observe_used],
        unit=semconv.UNITS[semconv.DB_CONNECTION_COUNT],
        description="Connections of the pools, by state.",
    )
    meter.create_observable_up_down_counter(
        semconv.DB_CONNECTION_MAX,
        callbacks=[_databases.observe_limits],
        unit=semconv.UNITS[semconv.DB_CONNECTION_MAX],
        description="Connections that the pools may have at most, overflow included.",
    )
    return _current.histogram(meter, semconv.DB_CLIENT_DURATION, "Duration of SQL statements.")


_tracer = _current.tracer("otelkit.sqlalchemy")
_duration = _current.instruments("otelkit.sqlalchemy", _make_duration)
