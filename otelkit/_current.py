"""What is made from the global providers (a tracer, instruments), made once for each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from opentelemetry import metrics, trace
from opentelemetry.metrics import Histogram, Meter, MeterProvider
from opentelemetry.trace import Tracer, TracerProvider

from otelkit import _bounded, semconv
from otelkit._bounded import About

P = TypeVar("P")
T = TypeVar("T")


def _kept(provider: Callable[[], P], make: Callable[[P], T]) -> Callable[[], T]:
    """``make`` of the current provider, kept until the provider is another one."""
    kept: tuple[P, T] | None = None

    def get() -> T:
        nonlocal kept
        current = provider()
        if kept is None or kept[0] is not current:
            kept = (current, make(current))
        return kept[1]

    return get


def tracer(scope: str) -> Callable[[], Tracer]:
    """A function that gives the tracer named ``scope`` of the current global provider."""

    def make(provider: TracerProvider) -> Tracer:
        return provider.get_tracer(scope)

    return _kept(trace.get_tracer_provider, make)


def instruments(scope: str, make: Callable[[Meter], T]) -> Callable[[], T | None]:
    """A function that gives what ``make`` creates on the meter named ``scope``.

    None while no real provider is set: instruments of the API's stand-in would become real ones
    later, and each observable one would then report twice.

    To be called at installation, too: whoever comes with an observable instrument during a
    collection waits for it, and for every callback that hangs in it.
    """

    def make_from(provider: MeterProvider) -> T | None:
        if type(provider).__module__.startswith("opentelemetry.metrics"):
            return None
        return make(provider.get_meter(scope))

    return _kept(metrics.get_meter_provider, make_from)


def histogram(meter: Meter, name: str, description: str) -> Histogram:
    """The histogram ``name`` with the unit and the buckets that the conventions give it."""
    about = About(name, semconv.UNITS[name], description)
    return _bounded.histogram(meter, about, semconv.BUCKETS[name])
