"""No lock of the SDK that another thread held at a fork is still held in the child."""

from __future__ import annotations

import threading
from typing import Any

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

from otelkit.providers.locks import free_locks


def locks_of(thing: Any) -> dict[str, Any]:
    return {
        name: value
        for name, value in vars(thing).items()
        if isinstance(value, type(threading.Lock()))
    }


def test_locks_of_providers_and_of_what_they_hold_are_free_again() -> None:
    tracers = TracerProvider(shutdown_on_exit=False)
    meters = MeterProvider(shutdown_on_exit=False)
    loggers = LoggerProvider(shutdown_on_exit=False)
    meter = meters.get_meter("meter")
    for thing in (tracers, meters, loggers, meter):
        held = locks_of(thing)
        assert held
        for lock in held.values():
            lock.acquire()
    for provider in (tracers, meters, loggers):
        free_locks(provider)
    for thing in (tracers, meters, loggers, meter):
        assert not any(lock.locked() for lock in locks_of(thing).values())
    meter.create_counter("counter").add(1)
    tracers.get_tracer("tracer")
    loggers.get_logger("logger")


def test_what_is_not_the_sdks_is_left_alone() -> None:
    class Theirs:
        def __init__(self) -> None:
            self.lock = threading.Lock()

    theirs = Theirs()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.theirs = theirs  # type: ignore[attr-defined]
    before = theirs.lock
    free_locks(provider)
    assert theirs.lock is before
