"""Variables that OpenTelemetry reads by itself and that would stop the application when wrong.

Each is checked before anything of OpenTelemetry reads it. Where that happens at import, the
variable itself is set right: there is no other way to tell it.
"""

from __future__ import annotations

import logging
import os
from importlib.metadata import entry_points

from opentelemetry import trace

from otelkit import _propagators
from otelkit._environment import variables
from otelkit.settings import Settings
from otelkit.spool import files

_PROVIDERS = {
    "OTEL_PYTHON_TRACER_PROVIDER": "opentelemetry_tracer_provider",
    "OTEL_PYTHON_METER_PROVIDER": "opentelemetry_meter_provider",
    "OTEL_PYTHON_LOGGER_PROVIDER": "opentelemetry_logger_provider",
}
# The SDK reads them at import, or wherever somebody makes limits without arguments.
_COUNTS = (
    "OTEL_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_SPAN_EVENT_COUNT_LIMIT",
    "OTEL_SPAN_LINK_COUNT_LIMIT",
)
_INTERNAL_METRICS = "OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED"


def repair(settings: Settings) -> list[str]:
    """Makes the environment harmless; returns what was wrong, one text each."""
    # It reads resource variables at import and after every fork, and complains every time about
    # what has been said once, with a traceback.
    logging.getLogger("opentelemetry.sdk.resources").addFilter(_not_about_the_environment)
    if settings.propagators:
        _propagators.choose(settings.propagators)
    for variable in _COUNTS:
        if not _is_count(os.environ.get(variable, "0").strip() or "0"):
            del os.environ[variable]  # Settings has said so
    return [
        *_providers(),
        *_config_file(settings),
        *_propagators.problems,
        *_internal_metrics(),
        *_files(settings),
        *_spool(settings),
    ]


def _providers() -> list[str]:
    problems = []
    for variable, group in _PROVIDERS.items():
        name = os.environ.get(variable)
        if name and not entry_points(group=group, name=name):
            del os.environ[variable]
            problems.append(f"{variable}={name!r}: not installed; using otelkit's instead")
    return problems


def _config_file(settings: Settings) -> list[str]:
    """A declarative configuration that nobody has made providers of: nothing is recorded."""
    if not settings.config_file or settings.disabled:
        return []
    if not os.access(settings.config_file, os.R_OK):
        why = "cannot be read"
    elif isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        why = "nobody has made providers of it; start with opentelemetry-instrument, or unset it"
    else:
        return []
    return [f"OTEL_CONFIG_FILE={settings.config_file!r}: {why}; nothing is recorded"]


def _internal_metrics() -> list[str]:
    value = os.environ.get(_INTERNAL_METRICS)
    if value is None or value.strip().lower() in ("true", "false"):
        return []
    del os.environ[_INTERNAL_METRICS]  # or every part of the SDK warns of it anew
    return [f"{_INTERNAL_METRICS}={value!r}: expected true or false; using false instead"]


def _files(settings: Settings) -> list[str]:
    """Certificates and keys that are named and not there: nothing will be sent without them."""
    named = {
        row.metadata["variables"][0]: getattr(settings, row.name)
        for row in variables(Settings)
        if row.name.endswith(("certificate", "client_key"))
    }
    return [
        f"{variable}={file!r}: cannot be read; nothing can be sent over TLS"
        for variable, file in named.items()
        if file and not os.access(file, os.R_OK)
    ]


def _spool(settings: Settings) -> list[str]:
    if not settings.spool_dir or not (why := files.obstacle(settings.spool_dir)):
        return []
    return [f"OTELKIT_SPOOL_DIR={settings.spool_dir!r}: {why}; using memory instead"]


def _is_count(text: str) -> bool:
    try:
        return int(text) >= 0
    except ValueError:
        return False


def _not_about_the_environment(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(("Failed to load resource detector", "Invalid key value"))
