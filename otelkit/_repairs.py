"""Variables that OpenTelemetry reads by itself and that would stop the application when wrong.

Each is checked before anything of OpenTelemetry reads it. Where that happens at import, the
variable itself is set right: there is no other way to tell it.
"""

from __future__ import annotations

import logging
import os
import sys
from importlib.metadata import entry_points

from otelkit.settings import Settings

_PROVIDERS = {
    "OTEL_PYTHON_TRACER_PROVIDER": "opentelemetry_tracer_provider",
    "OTEL_PYTHON_METER_PROVIDER": "opentelemetry_meter_provider",
    "OTEL_PYTHON_LOGGER_PROVIDER": "opentelemetry_logger_provider",
}
_W3C = ["tracecontext", "baggage"]


def repair(settings: Settings) -> list[str]:
    """Makes the environment harmless; returns what was wrong, one text each."""
    # It reads resource variables at import and after every fork, and complains every time about
    # what has been said once, with a traceback.
    logging.getLogger("opentelemetry.sdk.resources").addFilter(_not_about_the_environment)
    return [*_providers(), *_propagators(settings)]


def _providers() -> list[str]:
    problems = []
    for variable, group in _PROVIDERS.items():
        name = os.environ.get(variable)
        if name and not entry_points(group=group, name=name):
            del os.environ[variable]
            problems.append(f"{variable}={name!r}: not installed; using otelkit's instead")
    return problems


def _propagators(settings: Settings) -> list[str]:
    known = {point.name: point for point in entry_points(group="opentelemetry_propagator")}
    missing = [name for name in settings.propagators if name not in known and name != "none"]
    usable = [name for name in settings.propagators if name not in missing] or _W3C
    chosen = ",".join(usable)
    if chosen != os.environ.get("OTEL_PROPAGATORS", ",".join(_W3C)):
        os.environ["OTEL_PROPAGATORS"] = chosen
        if "opentelemetry.propagate" in sys.modules:
            propagators = [known[name].load()() for name in usable if name in known]
            from opentelemetry.propagate import set_global_textmap
            from opentelemetry.propagators.composite import CompositePropagator

            set_global_textmap(CompositePropagator(propagators))
    return [f"OTEL_PROPAGATORS={name!r}: not installed; using {chosen} instead" for name in missing]


def _not_about_the_environment(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(("Failed to load resource detector", "Invalid key value"))
