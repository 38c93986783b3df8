"""Structured, correlated logs, whatever logging library the application uses.

``setup()`` installs it all; an application goes on logging with what it has.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from opentelemetry._logs import LoggerProvider

from otelkit import semconv
from otelkit.logs import stdlib
from otelkit.logs.console import Console
from otelkit.logs.otlp import OtlpHandler
from otelkit.logs.outputs import Outputs
from otelkit.settings import Settings


@dataclass(slots=True)
class _Installed:
    outputs: Outputs
    console: Console
    bridge: stdlib.Bridge
    foreign: list[logging.Handler]


_installed: _Installed | None = None


def install(settings: Settings, logger_provider: LoggerProvider | None) -> list[str]:
    """Bring every log record to OTLP and, as the settings say, to the console and a file.

    Called again, it changes nothing until :func:`uninstall`.

    Args:
        settings: The ``log_*`` fields.
        logger_provider: Where records are emitted; None for no OTLP.

    Returns:
        What of the settings could not be used, one text each.
    """
    global _installed
    if _installed is not None:
        return []
    problems: list[str] = []
    handlers: list[logging.Handler] = []
    if logger_provider is not None:
        handlers.append(
            OtlpHandler(
                logger_provider,
                settings.log_attribute_count_limit,
                settings.log_attribute_length_limit,
            )
        )
    foreign = _packaged_handlers() if logger_provider is not None else []
    for handler in foreign:
        logging.root.removeHandler(handler)
    outputs = Outputs(handlers)
    console = Console(settings, _service_name(settings, logger_provider))
    console.attach()
    _installed = _Installed(outputs, console, stdlib.Bridge(settings, outputs, console), foreign)
    return problems


def uninstall() -> None:
    """Undo :func:`install`: loggers, levels, handlers and formatters are as they were."""
    global _installed
    if _installed is None:
        return
    _installed.bridge.remove()
    _installed.console.detach()
    _installed.outputs.close()
    for handler in _installed.foreign:
        logging.root.addHandler(handler)
    _installed = None


def disabled_loggers() -> list[str]:
    """The loggers that the application disabled: what they log goes nowhere."""
    return stdlib.disabled()


def _packaged_handlers() -> list[logging.Handler]:
    """OpenTelemetry's own handlers on the root logger; beside ours, every record would go twice."""
    return [
        handler
        for handler in logging.root.handlers
        if type(handler).__name__ == "LoggingHandler"
        and type(handler).__module__.startswith("opentelemetry.")
    ]


def _service_name(settings: Settings, provider: LoggerProvider | None) -> str:
    resource = getattr(provider, "resource", None)
    attributes = getattr(resource, "attributes", {})
    return str(attributes.get(semconv.SERVICE_NAME) or settings.service_name or "unknown_service")
