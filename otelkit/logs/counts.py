"""How many records were logged, by level and by the first part of the logger's name."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterable

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from otelkit import _current, semconv
from otelkit.logs.values import valid

ROOTS_LIMIT = 100  # different first parts of logger names; the rest is counted as "other"
_LEVELS_LIMIT = 20  # and different names of levels


class Count:
    """Running totals, read by an observable counter. (One that is added to costs ten times more.)

    Args:
        metric: The name of the counter.
    """

    def __init__(self, metric: str) -> None:
        self.metric = metric
        self.forget()

    def add(self, record: logging.LogRecord) -> None:
        """Count ``record``."""
        key = record.name.partition(".")[0], record.levelname
        with self._lock:
            try:
                self._totals[key] += 1
            except KeyError:
                self._totals[self._bounded(*key)] += 1

    def observe(self, _options: CallbackOptions) -> Iterable[Observation]:
        """The callback of the counter."""
        return [
            Observation(total, {semconv.LEVEL: level, semconv.LOGGER: root})
            for (root, level), total in list(self._totals.items())
        ]

    def forget(self) -> None:
        """Start again at zero."""
        self._lock = threading.RLock()  # a signal's handler may log while its thread counts
        self._totals: dict[tuple[str, str], int] = {}
        self._roots: set[str] = set()
        self._levels: set[str] = set()

    def _bounded(self, root: str, level: str) -> tuple[str, str]:
        """What ``root`` and ``level`` are counted as: "other" where there are too many."""
        root = _known(valid(root), self._roots, ROOTS_LIMIT)
        level = _known(valid(level), self._levels, _LEVELS_LIMIT)
        self._totals.setdefault((root, level), 0)
        return root, level


def _known(name: str, names: set[str], limit: int) -> str:
    if name not in names:
        if len(names) >= limit:
            return "other"
        names.add(name)
    return name


records = Count(semconv.LOG_RECORDS)
suppressed = Count(semconv.LOG_SUPPRESSED)


def observe() -> None:
    """Report the totals through the global meter provider, once for each."""
    _instruments()


def _make(meter: Meter) -> None:
    for count in (records, suppressed):
        unit = semconv.UNITS[count.metric]
        described = semconv.DESCRIPTIONS[count.metric]
        meter.create_observable_counter(count.metric, [count.observe], unit, described)


def _forget() -> None:
    # A forked child reports its own records only; its parent goes on reporting its own.
    records.forget()
    suppressed.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)

_instruments = _current.instruments("otelkit.logs", _make)
