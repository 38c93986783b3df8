"""One call gives a Python LLM backend traces, metrics, logs and costs in plain OpenTelemetry.

    import otelkit

    otelkit.setup(service_name="api")  # everything else comes from the environment


    @otelkit.traced_agent
    def architect(task): ...

Importing this package loads the OpenTelemetry API only; the SDK and the frameworks are loaded by
:func:`setup`, as far as they are installed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from otelkit import _propagators as _propagators  # first: what follows reads OTEL_PROPAGATORS
from otelkit.context import bind
from otelkit.decorators import (
    record_usage,
    traced,
    traced_agent,
    traced_llm,
    traced_stage,
    traced_tool,
    traced_workflow,
)
from otelkit.errors import ConfigError, MissingExtraError, OtelkitError
from otelkit.instruments import counter, gauge, histogram, timed
from otelkit.pricing import set_price
from otelkit.runtime import flush, setup, shutdown, status
from otelkit.settings import Settings
from otelkit.telemetry import Telemetry

if TYPE_CHECKING:
    from otelkit import health as health
    from otelkit.integrations.fastapi import instrument_fastapi
    from otelkit.integrations.sqlalchemy import instrument_sqlalchemy

__all__ = [
    "ConfigError",
    "MissingExtraError",
    "OtelkitError",
    "Settings",
    "Telemetry",
    "bind",
    "counter",
    "flush",
    "gauge",
    "health",
    "histogram",
    "instrument_fastapi",
    "instrument_sqlalchemy",
    "record_usage",
    "set_price",
    "setup",
    "shutdown",
    "status",
    "timed",
    "traced",
    "traced_agent",
    "traced_llm",
    "traced_stage",
    "traced_tool",
    "traced_workflow",
]

# Loaded when first asked for: what they import takes as long as all the rest.
_MODULES = ("health", "langsmith")
_LATER = {
    "instrument_fastapi": "otelkit.integrations.fastapi",
    "instrument_sqlalchemy": "otelkit.integrations.sqlalchemy",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"otelkit.{name}")
    if name not in _LATER:
        raise AttributeError(f"module 'otelkit' has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)
