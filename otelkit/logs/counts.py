"""How many records were logged, by level and by the first part of the logger's name."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterable

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation

from otelkit import semconv

ROOTS_LIMIT = 100  # different first parts of logger names; the rest is counted as "other"
_NAMES_LIMIT = 10_000


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
        name = record.name, record.levelname
        with self._lock:
            try:
                self._totals[name] += 1
            except KeyError:
                self._totals[self._known(name)] += 1

    def observe(self, _options: CallbackOptions) -> Iterable[Observation]:
        """The callback of the counter."""
        found: dict[tuple[str, str], int] = {}
        with self._lock:
            totals = list(self._totals.items())
        for (name, level), total in totals:
            key = name.partition(".")[0], level
            found[key] = found.get(key, 0) + total
        return [
            Observation(total, {semconv.LEVEL: level, semconv.LOGGER: root})
            for (root, level), total in found.items()
        ]

    def forget(self) -> None:
        """Start again at zero."""
        self._lock = threading.Lock()
        self._totals: dict[tuple[str, str], int] = {}

    def _known(self, name: tuple[str, str]) -> tuple[str, str]:
        """``name``, or "other" when there are too many."""
        roots = {known.partition(".")[0] for known, _level in self._totals}
        root = name[0].partition(".")[0]
        if root not in roots and len(roots) >= ROOTS_LIMIT:
            name = "other", name[1]
        elif len(self._totals) >= _NAMES_LIMIT:
            name = root, name[1]
        self._totals.setdefault(name, 0)
        return name


records = Count(semconv.LOG_RECORDS)
suppressed = Count(semconv.LOG_SUPPRESSED)
_observed_by: MeterProvider | None = None


def observe() -> None:
    """Report the totals through the global meter provider, once for each."""
    global _observed_by
    provider = metrics.get_meter_provider()
    # An instrument of the API's stand-in would become real later, beside the real provider's own.
    if provider is _observed_by or type(provider).__module__.startswith("opentelemetry.metrics"):
        return
    _observed_by = provider
    meter = provider.get_meter("otelkit.logs")
    for count in (records, suppressed):
        unit = semconv.UNITS[count.metric]
        meter.create_observable_counter(count.metric, [count.observe], unit)


def _forget() -> None:
    # A forked child reports its own records only; its parent goes on reporting its own.
    records.forget()
    suppressed.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
