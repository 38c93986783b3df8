"""What applications wait for the connections of pools: how long, how many of them, and in vain.

SQLAlchemy has no event for somebody who begins to wait; so this stands around the method of its
class ``Engine`` by which every connection is taken, of engines made before it, too.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.metrics import Histogram, Meter

from otelkit import _current, semconv
from otelkit.instruments import Key, Totals
from otelkit.integrations import _databases

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

_log = logging.getLogger("otelkit")
_original: Callable[..., Any] | None = None
_pending = Totals(semconv.DB_CONNECTION_PENDING, monotonic=False)
_timeouts = Totals(semconv.DB_CONNECTION_TIMEOUTS)


def install(is_ours: Callable[[Engine], bool]) -> None:
    """Measure from now on.

    Args:
        is_ours: Says whether an engine is to be measured.
    """
    global _original
    from sqlalchemy.engine import Engine
    from sqlalchemy.exc import TimeoutError as Timeout

    _wait()
    if _original is not None:
        return
    original = _original = Engine.raw_connection

    @functools.wraps(original)
    def raw_connection(engine: Engine) -> Any:
        key = _key(engine) if is_ours(engine) else None
        if key is None:
            return original(engine)
        started = perf_counter()
        _pending.add(key, 1)
        try:
            connection = original(engine)
        except Timeout:
            _timeouts.add(key, 1)
            raise
        finally:
            _pending.add(key, -1)
        wait = _wait()
        if wait is not None:
            wait.record(perf_counter() - started, dict(key))
        return connection

    Engine.raw_connection = raw_connection  # type: ignore[method-assign, assignment]


def uninstall() -> None:
    """Measure no longer."""
    global _original
    from sqlalchemy.engine import Engine

    if _original is not None:
        Engine.raw_connection = _original  # type: ignore[method-assign]
        _original = None


def _key(engine: Engine) -> Key | None:
    """The series of the engine's pool; None where none is to be measured."""
    try:
        if is_instrumentation_enabled():
            return ((semconv.DB_POOL_NAME, _databases.of(engine).pool_name),)
    except Exception:
        _log.debug("a connection is taken unseen", exc_info=True)
    return None


def _make_wait(meter: Meter) -> Histogram:
    for totals, make in (
        (_pending, meter.create_observable_up_down_counter),
        (_timeouts, meter.create_observable_counter),
    ):
        name = totals.name
        make(name, [totals.observe], semconv.UNITS[name], semconv.DESCRIPTIONS[name])
    description = "Time until a connection of a pool was there."
    return _current.histogram(meter, semconv.DB_CONNECTION_WAIT, description)


_wait = _current.instruments("otelkit.sqlalchemy", _make_wait)
