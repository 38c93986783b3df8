"""Instruments that cannot hurt: a limit of series each, and wrong use that never raises.

The SDK keeps every combination of attribute values for as long as the process lives, and one
identifier among them fills the memory of the process and of every back end (its own limit is newer
than the releases that otelkit supports). Here an instrument has :data:`SERIES_LIMIT` of them; what
goes beyond is measured in one series more, under the attribute that the specification has for it.
Values of attributes are cut where they are long.
"""

from __future__ import annotations

import logging
import math
import os
import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol
from weakref import WeakSet

from opentelemetry.context import Context
from opentelemetry.metrics import Counter, Histogram, Meter
from opentelemetry.metrics import _Gauge as Gauge

_log = logging.getLogger("otelkit")

SERIES_LIMIT = 2000  # of one instrument; the specification's advice
LONGEST_VALUE = 1024  # characters of an attribute's value
OVERFLOW = {"otel.metric.overflow": True}
# What the SDK uses where no boundaries are given (metrics SDK specification).
DEFAULT_BOUNDS = (
    *(0.0, 5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 250.0),
    *(500.0, 750.0, 1000.0, 2500.0, 5000.0, 7500.0, 10000.0),
)

Attributes = Mapping[str, Any]


class About(NamedTuple):
    """What an instrument is; ``bounds`` are those of a histogram, else None."""

    name: str
    unit: str = ""
    description: str = ""
    bounds: tuple[float, ...] | None = None
    user: bool = False


class Cells(Protocol):
    """The total of one series where other processes can read it.

    One cell for a counter; for a histogram one for each bucket, and the sum.
    """

    def __getitem__(self, place: int, /) -> float: ...
    def __setitem__(self, place: int, value: float, /) -> None: ...


Open = Callable[[About, Attributes], Cells | None]

_open: Open | None = None  # None while nobody else wants to read


def share(open_cells: Open | None) -> None:
    """Keep the totals of all counters and histograms in cells, too, from zero on.

    Args:
        open_cells: Gives the cells of a new series, holding zeros; None where there is no room.
    """
    global _open
    _open = open_cells
    for series in list(_all_series):
        series.forget()


def shared() -> bool:
    """Whether somebody else reads the totals, at any moment."""
    return _open is not None


class Series:
    """The series of one instrument, as many as it may have.

    Args:
        about: The instrument.
        totals: What is measured adds up; others may want to read it.
    """

    def __init__(self, about: About, *, totals: bool) -> None:
        self.about = about
        self._totals = totals
        self._warned: set[str] = set()
        self.forget()
        _all_series.add(self)

    def forget(self) -> None:
        """Start again with none, and with a new lock (a fork may have copied a held one)."""
        self.lock = threading.RLock()
        self._cells: dict[Hashable, Cells | None] = {}

    def admit(self, attributes: Attributes | None) -> tuple[Attributes | None, Cells | None]:
        """The attributes to measure under, which are ``attributes`` or those of the overflow."""
        try:
            key: Hashable = frozenset(attributes.items()) if attributes else None
            return attributes, self._cells[key]
        except KeyError:
            pass
        except TypeError:  # a value is a list
            key = repr(attributes)
            if key in self._cells:
                return attributes, self._cells[key]
        except AttributeError:
            self.warn("attributes are ignored, they are no mapping", attributes)
            return self.admit(None)
        return self._admit(key, attributes)

    def _admit(
        self, key: Hashable, attributes: Attributes | None
    ) -> tuple[Attributes | None, Cells | None]:
        short = self._shortened(attributes)
        if short is not attributes:
            return self.admit(short)
        with self.lock:
            full = len(self._cells) >= SERIES_LIMIT
            if full and key not in self._cells:
                attributes, key = OVERFLOW, _OVERFLOW_KEY
            if key not in self._cells:
                self._cells[key] = self._open(attributes or {})
            cells = self._cells[key]
        if full:  # a handler of the warning may measure, too: not while the lock is held
            keys = (k for k in list(self._cells) if isinstance(k, frozenset))
            self.warn_of_overflow(SERIES_LIMIT, keys)
        return attributes, cells

    def _shortened(self, attributes: Attributes | None) -> Attributes | None:
        cut = {
            name: value[:LONGEST_VALUE]
            for name, value in (attributes or {}).items()
            if isinstance(value, str) and len(value) > LONGEST_VALUE
        }
        for name, value in cut.items():
            self.warn(f"attribute {name} is cut to {LONGEST_VALUE} characters", value)
        return {**attributes, **cut} if attributes and cut else attributes

    def cells(self, key: tuple[tuple[str, Any], ...]) -> Cells | None:
        """The cells of the series with the attribute pairs ``key``, if others want to read it."""
        if _open is None:
            return None
        if key not in self._cells:
            self._cells[key] = self._open(dict(key))
        return self._cells[key]

    def _open(self, attributes: Attributes) -> Cells | None:
        return _open(self.about, attributes) if _open is not None and self._totals else None

    def warn_of_overflow(self, limit: int, keys: Iterable[Iterable[tuple[str, Any]]]) -> None:
        """Say which attribute has the most values, once."""
        if "overflow" in self._warned:
            return
        self._warned.add("overflow")
        values: dict[str, set[Any]] = defaultdict(set)
        for key in keys:
            for attribute, value in key:
                values[attribute].add(value)
        most = max(values, key=lambda attribute: len(values[attribute]), default="")
        _warn(
            "otelkit: %s has more than %d series, attribute %s has %d values; the rest is measured "
            "as otel.metric.overflow",
            self.about.name, limit, most, len(values[most]),
        )  # fmt: skip

    def warn(self, problem: str, value: object) -> None:
        """Say once of each problem what is wrong with a measurement."""
        if problem not in self._warned:
            self._warned.add(problem)
            kind = type(value).__name__  # its own text could be anything, and raise
            _warn("otelkit: %s: %s (%s)", self.about.name, problem, kind)


def _warn(text: str, *values: object) -> None:
    try:
        _log.warning(text, *values)
    except Exception:
        pass  # a handler of the application's that raises must not cost a measurement


_OVERFLOW_KEY: Hashable = frozenset(OVERFLOW.items())
_all_series: WeakSet[Series] = WeakSet()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: share(None))


_NUMBERS = (int, float)


def _number(amount: Any) -> float | None:
    """``amount`` as a number; numbers of NumPy and ``decimal`` are some, strings are not."""
    return float(amount) if hasattr(amount, "__float__") else None


class _Measuring:
    """What the three kinds of instruments have in common."""

    _signed = False
    _totals = True

    def __init__(self, about: About, record: Callable[..., None]) -> None:
        self._series = Series(about, totals=self._totals)
        self._record = record

    def _measure(self, amount: Any, attributes: Any, context: Context | None) -> None:
        try:
            value = amount if type(amount) in _NUMBERS else _number(amount)
            if value is None or not math.isfinite(value):
                self._series.warn("a measurement is ignored, it is no finite number", amount)
            elif value < 0 and not self._signed:
                self._series.warn("a measurement is ignored, it is negative", amount)
            else:
                attributes, cells = self._series.admit(attributes)
                self._record(value, attributes, context)
                if cells is not None:
                    with self._series.lock:
                        self._note(cells, value)
        except Exception as error:
            self._series.warn("a measurement is ignored, it cannot be recorded", error)

    def _note(self, cells: Cells, value: float) -> None:
        cells[0] += value


class BoundedCounter(_Measuring, Counter):
    """A counter that ignores what is not a number from zero up."""

    def add(self, amount: float, attributes: Any = None, context: Context | None = None) -> None:
        """Add ``amount``; never raises."""
        self._measure(amount, attributes, context)


class BoundedHistogram(_Measuring, Histogram):
    """A histogram that ignores what is not a number from zero up."""

    def record(self, amount: float, attributes: Any = None, context: Context | None = None) -> None:
        """Record ``amount``; never raises."""
        self._measure(amount, attributes, context)

    def _note(self, cells: Cells, value: float) -> None:
        cells[bisect_left(self._series.about.bounds or (), value)] += 1
        cells[-1] += value


class BoundedGauge(_Measuring, Gauge):
    """A gauge that ignores what is not a number."""

    _signed = True
    _totals = False

    def set(self, amount: float, attributes: Any = None, context: Context | None = None) -> None:
        """Set the value to ``amount``; never raises."""
        self._measure(amount, attributes, context)


def counter(meter: Meter, about: About) -> BoundedCounter:
    """A counter made by ``meter``."""
    made = meter.create_counter(about.name, about.unit, about.description)
    return BoundedCounter(about, made.add)


def histogram(meter: Meter, about: About, bounds: Sequence[float] | None) -> BoundedHistogram:
    """A histogram made by ``meter``, with the SDK's own bounds by default."""
    about = about._replace(bounds=DEFAULT_BOUNDS if bounds is None else tuple(bounds))
    made = meter.create_histogram(
        about.name,
        about.unit,
        about.description,
        explicit_bucket_boundaries_advisory=about.bounds,
    )
    return BoundedHistogram(about, made.record)


def gauge(meter: Meter, about: About) -> BoundedGauge:
    """A gauge made by ``meter``."""
    made = meter.create_gauge(about.name, about.unit, about.description)
    return BoundedGauge(about, made.set)
