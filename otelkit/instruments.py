"""The metric instruments that the decorators record to, and those that users make.

Histograms are the API's own. Counters that the decorators feed (tokens, cost, running calls) are
observable: a call adds to plain totals of ours, which the SDK reads at collection. That costs a
tenth of an ``add`` and needs no SDK.
"""

from __future__ import annotations

import logging
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

from otelkit import _recorder, semconv
from otelkit.errors import ConfigError

if TYPE_CHECKING:
    from opentelemetry.metrics import _Gauge as Gauge

    from otelkit.usage import Usage

_logger = logging.getLogger("otelkit")
T = TypeVar("T")

SERIES_LIMIT = 2000  # of one instrument; the specification's advice
USER_SCOPE = "otelkit.user"  # the meter of what users make, told apart by the metrics endpoint

Key = tuple[tuple[str, AttributeValue], ...]


class Totals:
    """Running totals by attribute set, read by an observable instrument at collection."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._totals: dict[Key, float] = {}
        self._lock = threading.Lock()
        _all_totals.append(self)

    def add(self, key: Key, amount: float) -> None:
        """Add ``amount`` to the series ``key``, a tuple of attribute pairs."""
        with self._lock:
            total = self._totals.get(key)
            if total is None:
                if len(self._totals) >= SERIES_LIMIT:
                    key = (("otel.metric.overflow", True),)
                    if key not in self._totals:
                        _logger.warning(
                            "%s has more than %d series; the rest is counted under "
                            "otel.metric.overflow",
                            self._name,
                            SERIES_LIMIT,
                        )
                total = self._totals.get(key, 0)
            self._totals[key] = total + amount

    def observe(self, _options: CallbackOptions) -> Iterable[Observation]:
        """The callback of the observable instrument, which every collection calls first."""
        _recorder.drain()
        with self._lock:
            totals = list(self._totals.items())
        return [Observation(amount, dict(key)) for key, amount in totals]

    def forget(self) -> None:
        """Start again at zero, with a new lock (a fork may have copied a held one)."""
        self._lock = threading.Lock()
        self._totals = {}


_all_totals: list[Totals] = []
tokens = Totals(semconv.LLM_TOKENS)
cost = Totals(semconv.LLM_COST)
active = Totals(semconv.ACTIVE)


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


def _forget_totals() -> None:
    # A forked child reports its own work only; its parent goes on reporting its own.
    for totals in _all_totals:
        totals.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_totals)


def _histogram(meter: Meter, name: str) -> Histogram:
    return meter.create_histogram(
        name,
        unit=semconv.UNITS[name],
        explicit_bucket_boundaries_advisory=semconv.BUCKETS[name],
    )


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
        meter.create_observable_counter(
            semconv.LLM_TOKENS, [tokens.observe], semconv.UNITS[semconv.LLM_TOKENS]
        )
        meter.create_observable_counter(
            semconv.LLM_COST, [cost.observe], semconv.UNITS[semconv.LLM_COST]
        )
        meter.create_observable_up_down_counter(
            semconv.ACTIVE, [active.observe], semconv.UNITS[semconv.ACTIVE]
        )


_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_./-]{0,254}")
_made: dict[str, tuple[str, object]] = {}
_made_lock = threading.Lock()


def _user_instrument(kind: str, name: str, make: Callable[[Meter], T]) -> T:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError(
            f"{kind} {name!r}: a name is a letter, then letters, digits, underscores and ./-"
        )
    with _made_lock:
        if name not in _made:
            _made[name] = (kind, make(metrics.get_meter(USER_SCOPE)))
        made_as, instrument = _made[name]
    if made_as != kind:
        raise ConfigError(f"{kind} {name!r}: the name is taken by a {made_as}")
    return instrument  # type: ignore[return-value]


def counter(name: str, *, unit: str = "", description: str = "") -> Counter:
    """A counter of the application's own: ``otelkit.counter("uploads").add(1, {"status": "ok"})``.

    May be made before ``setup()``, and asked for again by the same name. Keep attribute values to
    a bounded set: every combination is a series of its own.

    Args:
        name: Starts with a letter, then letters, digits, ``_``, ``.``, ``-``, ``/``.
        unit: UCUM, such as ``"s"``, ``"By"`` or ``"{upload}"``.
        description: Shown by metric back ends.

    Raises:
        ConfigError: The name cannot be used, or names an instrument of another kind.
    """
    return _user_instrument("counter", name, lambda m: m.create_counter(name, unit, description))


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
        ConfigError: As for :func:`counter`, or ``buckets`` do not ascend.
    """
    bounds = None if buckets is None else [float(bound) for bound in buckets]
    if bounds is not None and bounds != sorted(set(bounds)):
        raise ConfigError(f"histogram {name!r}: buckets must ascend, got {list(buckets or ())}")
    return _user_instrument(
        "histogram",
        name,
        lambda m: m.create_histogram(
            name, unit, description, explicit_bucket_boundaries_advisory=bounds
        ),
    )


def gauge(name: str, *, unit: str = "", description: str = "") -> Gauge:
    """A gauge of the application's own, as :func:`counter`: ``gauge("active_users").set(7)``."""
    return _user_instrument("gauge", name, lambda m: m.create_gauge(name, unit, description))


@contextmanager
def timed(histogram: Histogram, attributes: Attributes = None) -> Iterator[None]:
    """Record how long the block took, in seconds, also when it raises.

    Args:
        histogram: From :func:`histogram`, with unit ``"s"``.
        attributes: Of the measurement; a dict may be filled inside the block.
    """
    started = time.perf_counter()
    try:
        yield
    finally:
        histogram.record(time.perf_counter() - started, attributes)
