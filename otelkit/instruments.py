"""The metric instruments that the decorators record to, and those that users make.

Histograms are the API's own. Counters that the decorators feed (tokens, cost, running calls) are
observable: a call adds to plain totals of ours, which the SDK reads at collection. That costs a
tenth of an ``add`` and needs no SDK.
"""

from __future__ import annotations

import logging
import math
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Counter, Histogram, Meter, Observation
from opentelemetry.util.types import Attributes, AttributeValue

from otelkit import _bounded, _recorder, semconv
from otelkit._bounded import OVERFLOW, SERIES_LIMIT, About, Series
from otelkit.errors import ConfigError

if TYPE_CHECKING:
    from contextlib import _GeneratorContextManager

    from opentelemetry.metrics import _Gauge as Gauge

    from otelkit.usage import Usage

_logger = logging.getLogger("otelkit")
T = TypeVar("T")

USER_SCOPE = "otelkit.user"  # the meter of what users make, told apart by the metrics endpoint

Key = tuple[tuple[str, AttributeValue], ...]


def _about(name: str) -> About:
    return About(name, semconv.UNITS.get(name, ""), semconv.DESCRIPTIONS.get(name, ""))


class Totals:
    """Running totals by attribute set, read by an observable instrument at collection.

    Args:
        name: Of the instrument.
        monotonic: They never go down.
    """

    def __init__(self, name: str, *, monotonic: bool = True) -> None:
        self.name = name
        self._series = Series(_about(name), totals=monotonic)
        self._totals: dict[Key, float] = {}
        # Re-entrant: the collector of garbage or a signal handler may end a traced call in here.
        self._lock = threading.RLock()
        _all_totals.append(self)

    def add(self, key: Key, amount: float) -> None:
        """Add ``amount`` to the series ``key``, a tuple of attribute pairs."""
        full = False
        with self._lock:
            before = self._totals.get(key)
            if before is None:
                full = len(self._totals) >= SERIES_LIMIT
                key = _OVERFLOW_KEY if full else key
                before = self._totals.setdefault(key, 0)
            self._totals[key] = before + amount
            cells = self._series.cells(key)
            if cells is not None:
                cells[0] = before + amount
        if full:  # a handler of the warning may count, too: not while the lock is held
            self._series.warn_of_overflow(SERIES_LIMIT, list(self._totals))

    def observe(self, _options: CallbackOptions) -> Iterable[Observation]:
        """The callback of the observable instrument, which every collection calls first."""
        _recorder.drain()
        with self._lock:
            totals = self._totals.copy()
        return [Observation(amount, dict(key)) for key, amount in totals.items()]

    def forget(self) -> None:
        """Start again at zero, with a new lock (a fork may have copied a held one)."""
        self._lock = threading.RLock()
        self._totals = {}


_OVERFLOW_KEY: Key = tuple(OVERFLOW.items())
_all_totals: list[Totals] = []
tokens = Totals(semconv.LLM_TOKENS)
cost = Totals(semconv.LLM_COST)
active = Totals(semconv.ACTIVE, monotonic=False)


def llm_key(
    provider: str | None, model: str | None, agent: str | None, workflow: str | None
) -> Key:
    """The series of tokens and cost that an LLM call belongs to."""
    pairs = (
        (semconv.PROVIDER_NAME, provider),
        (semconv.REQUEST_MODEL, model),
        (semconv.AGENT_NAME, agent),
        (semconv.WORKFLOW_NAME, workflow),
    )
    return tuple((name, value) for name, value in pairs if value is not None)


def count_llm(key: Key, used: Usage, usd: float | None) -> None:
    """Add the tokens and the cost of one LLM call."""
    for kind, count in (
        (semconv.TOKEN_INPUT, used.input_tokens),
        (semconv.TOKEN_OUTPUT, used.output_tokens),
        (semconv.TOKEN_CACHE_READ, used.cache_read_tokens),
        (semconv.TOKEN_CACHE_WRITE, used.cache_write_tokens),
        (semconv.TOKEN_REASONING, used.reasoning_tokens),
    ):
        if count:
            tokens.add((*key, (semconv.TOKEN_TYPE, kind)), count)
    if usd is not None:
        cost.add(key, usd)


def start_anew() -> None:
    """Forget the tokens and the cost counted so far, which a former telemetry has sent."""
    _recorder.drain()
    tokens.forget()
    cost.forget()


def _forget_totals() -> None:
    # A forked child reports its own work only; its parent goes on reporting its own.
    global _made_lock
    _made_lock = threading.Lock()
    for totals in _all_totals:
        totals.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_totals)


def _histogram(meter: Meter, name: str) -> Histogram:
    return _bounded.histogram(meter, _about(name), semconv.BUCKETS[name])


class Instruments:
    """Every instrument of the decorators, made by one meter."""

    def __init__(self, meter: Meter) -> None:
        self.operation_duration = _histogram(meter, semconv.CLIENT_OPERATION_DURATION)
        self.time_to_first_chunk = _histogram(meter, semconv.CLIENT_TIME_TO_FIRST_CHUNK)
        self.token_usage = _histogram(meter, semconv.CLIENT_TOKEN_USAGE)
        self.duration = {
            "agent": _histogram(meter, semconv.AGENT_DURATION),
            "tool": _histogram(meter, semconv.TOOL_DURATION),
            "workflow": _histogram(meter, semconv.WORKFLOW_DURATION),
            "stage": _histogram(meter, semconv.STAGE_DURATION),
        }
        for totals, make in (
            (tokens, meter.create_observable_counter),
            (cost, meter.create_observable_counter),
            (active, meter.create_observable_up_down_counter),
        ):
            about = _about(totals.name)
            make(about.name, [totals.observe], about.unit, about.description)


_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_./-]{0,254}")
_LONGEST_UNIT = 63  # characters
_made: dict[str, tuple[str, object, About]] = {}
_made_lock = threading.Lock()


def _user_instrument(
    kind: str, name: str, unit: str, description: str, make: Callable[[Meter, About], T]
) -> T:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError(
            f"{kind} {name!r}: a name is a letter, then letters, digits, underscores and ./-"
        )
    with _made_lock:
        if name not in _made:
            described = description if isinstance(description, str) else ""
            about = About(name.lower(), _usable_unit(name, unit), described, user=True)
            _made[name] = (kind, make(metrics.get_meter(USER_SCOPE), about), about)
        made_as, instrument, _ = _made[name]
    if made_as != kind:
        raise ConfigError(f"{kind} {name!r}: the name is taken by a {made_as}")
    return instrument  # type: ignore[return-value]


def _usable_unit(name: str, unit: object) -> str:
    """``unit`` as the SDK takes it: it raises on others, in the middle of ``setup()``."""
    if isinstance(unit, str) and unit.isascii() and len(unit) <= _LONGEST_UNIT:
        return unit
    _logger.warning(
        "otelkit: %s is measured without a unit: one is ASCII text of at most %d characters",
        name,
        _LONGEST_UNIT,
    )
    return ""


def made() -> list[tuple[str, About]]:
    """Kind and description of every instrument that the application has made so far."""
    with _made_lock:
        return [(kind, about) for kind, _, about in _made.values()]


def counter(name: str, *, unit: str = "", description: str = "") -> Counter:
    """A counter of the application's own: ``otelkit.counter("uploads").add(1, {"status": "ok"})``.

    May be made before ``setup()``, and asked for again by the same name. Keep attribute values to
    a bounded set: every combination is a series of its own, and of more than 2000 the rest is
    measured as one. What cannot be measured is ignored, with one warning; it never raises.

    Args:
        name: Starts with a letter, then letters, digits, ``_``, ``.``, ``-``, ``/``.
        unit: UCUM, such as ``"s"``, ``"By"`` or ``"{upload}"``.
        description: Shown by metric back ends.

    Raises:
        ConfigError: The name cannot be used, or names an instrument of another kind.
    """
    return _user_instrument("counter", name, unit, description, _bounded.counter)


def histogram(
    name: str, *, unit: str = "", description: str = "", buckets: Sequence[float] | None = None
) -> Histogram:
    """A histogram of the application's own, as :func:`counter`.

    Args:
        name: As for :func:`counter`.
        unit: As for :func:`counter`.
        description: As for :func:`counter`.
        buckets: Upper bounds, ascending; the SDK's own by default.

    Raises:
        ConfigError: As for :func:`counter`, or ``buckets`` are no ascending numbers.
    """
    bounds = None if buckets is None else _bounds(name, buckets)
    return _user_instrument(
        "histogram", name, unit, description, lambda m, about: _bounded.histogram(m, about, bounds)
    )


def _bounds(name: str, buckets: Sequence[float]) -> list[float]:
    try:
        bounds = [float(bound) for bound in buckets]
    except (TypeError, ValueError):
        raise ConfigError(f"histogram {name!r}: buckets are numbers, got {buckets!r}") from None
    if bounds[-1:] == [math.inf]:  # there always is one; Prometheus writes it
        bounds.pop()
    if bounds != sorted(set(bounds)) or not all(map(math.isfinite, bounds)):
        raise ConfigError(f"histogram {name!r}: buckets must ascend, got {buckets!r}")
    return bounds


def gauge(name: str, *, unit: str = "", description: str = "") -> Gauge:
    """A gauge of the application's own, as :func:`counter`: ``gauge("active_users").set(7)``."""
    return _user_instrument("gauge", name, unit, description, _bounded.gauge)


def timed(histogram: Histogram, attributes: Attributes = None) -> _GeneratorContextManager[None]:
    """Record how long the block took, in seconds, also when it raises.

    Args:
        histogram: From :func:`histogram`, with unit ``"s"``.
        attributes: Of the measurement; a dict may be filled inside the block.

    Raises:
        ConfigError: ``histogram`` is none. The block has not begun then.
    """
    # Where the block ends is too late: an error of the application's would be hidden by this one.
    if not isinstance(histogram, Histogram):
        raise ConfigError(
            f"timed() takes a histogram, such as otelkit.histogram('encoding', unit='s'),"
            f" not {type(histogram).__name__}"
        )
    return _timed(histogram, attributes)


@contextmanager
def _timed(histogram: Histogram, attributes: Attributes) -> Iterator[None]:
    started = time.perf_counter()
    try:
        yield
    finally:
        histogram.record(time.perf_counter() - started, attributes)
