"""How many records were logged, by level and by the first part of the logger's name."""

from __future__ import annotations

import logging

from opentelemetry import metrics
from opentelemetry.metrics import MeterProvider

from otelkit import semconv
from otelkit.instruments import Key, Totals

ROOTS_LIMIT = 100  # different first parts of logger names; the rest is counted as "other"

_records = Totals(semconv.LOG_RECORDS)
_suppressed = Totals(semconv.LOG_SUPPRESSED)
_keys: dict[tuple[str, str], Key] = {}
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
    for name, totals in (
        (semconv.LOG_RECORDS, _records),
        (semconv.LOG_SUPPRESSED, _suppressed),
    ):
        meter.create_observable_counter(name, [totals.observe], semconv.UNITS[name])


def record(made: logging.LogRecord) -> None:
    """Count a record."""
    _records.add(_key(made), 1)


def suppressed(made: logging.LogRecord) -> None:
    """Count a record that the rate limit kept from all outputs."""
    _suppressed.add(_key(made), 1)


def _key(made: logging.LogRecord) -> Key:
    name = made.name, made.levelname
    key = _keys.get(name)
    if key is None:
        root = made.name.partition(".")[0]
        known = {key[1][1] for key in _keys.values()}
        if root not in known and len(known) >= ROOTS_LIMIT:
            root = "other"
        key = ((semconv.LEVEL, made.levelname), (semconv.LOGGER, root))
        if len(_keys) < 100 * ROOTS_LIMIT:
            _keys[name] = key
    return key
