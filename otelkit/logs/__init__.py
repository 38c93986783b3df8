"""Structured, correlated logs, whatever logging library the application uses.

``setup()`` installs it all; an application goes on logging with what it has.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from opentelemetry._logs import LoggerProvider
from wrapt import register_post_import_hook

from otelkit import semconv
from otelkit.logs import counts, entry, foreign, loguru, stdlib, structlog, values
from otelkit.logs.console import Console
from otelkit.logs.file import LogFile
from otelkit.logs.formatters import JsonFormatter
from otelkit.logs.otlp import OtlpHandler
from otelkit.logs.outputs import Outputs
from otelkit.logs.request_id import RequestIdMiddleware
from otelkit.settings import Settings

__all__ = [
    "RequestIdMiddleware",
    "destinations",
    "disabled_loggers",
    "install",
    "last_words",
    "say_kept_back",
    "uninstall",
]

_logger = logging.getLogger("otelkit")


@dataclass(slots=True)
class _Installed:
    """What :func:`uninstall` has to undo."""

    outputs: Outputs
    console: Console
    stdlib: stdlib.Bridge
    file: LogFile | None
    packaged: list[logging.Handler]
    bridges: dict[str, loguru.Bridge | structlog.Bridge] = field(default_factory=dict)


_installed: _Installed | None = None
_awaited: set[str] = set()
_left: Console | None = None  # by an uninstall, for a while


def install(settings: Settings, logger_provider: LoggerProvider | None) -> list[str]:
    """Bring every log record to OTLP and, as the settings say, to the console and a file.

    loguru and structlog are served as soon as the application imports them. Called again, it
    changes nothing until :func:`uninstall`.

    Args:
        settings: The ``log_*`` fields.
        logger_provider: Where records are emitted; None for no OTLP.

    Returns:
        What of the settings could not be used, one text each.
    """
    global _installed, _left
    if _installed is not None:
        return []
    if _left is not None:
        _left.detach()
        _left = None
    values.forget()
    problems: list[str] = []
    service = _service_name(settings, logger_provider)
    handlers: list[logging.Handler] = []
    packaged: list[logging.Handler] = []
    file: LogFile | None = None
    if logger_provider is not None:
        handlers.append(OtlpHandler(logger_provider, settings))
        packaged = _remove_packaged_handlers()
    if settings.log_file:
        try:
            file = LogFile(settings.log_file)
        except OSError as error:
            problems.append(f"OTELKIT_LOG_FILE={settings.log_file!r}: {error}; no file is written")
        else:
            file.setFormatter(JsonFormatter(service, settings.environment))
            handlers.append(file)
    outputs = Outputs(handlers, settings.log_rate_limit)
    console = Console(settings, service)
    console.attach()
    bridge = stdlib.Bridge(settings, outputs, console)
    _installed = _Installed(outputs, console, bridge, file, packaged)
    counts.observe()
    for name in (loguru.NAME, structlog.NAME):
        if name in sys.modules:
            _imported(sys.modules[name])
        elif name not in _awaited:
            _awaited.add(name)
            register_post_import_hook(_imported, name)
    return problems


def uninstall() -> None:
    """Undo :func:`install`: loggers, levels, handlers and formatters are as they were."""
    global _installed
    if _installed is None:
        return
    say_kept_back()
    for bridge in _installed.bridges.values():
        bridge.remove()
    _installed.stdlib.remove()
    _installed.console.detach()
    _installed.outputs.close()
    for handler in _installed.packaged:
        logging.root.addHandler(handler)
    _installed = None


@contextmanager
def last_words(settings: Settings, service: str) -> Iterator[None]:
    """After :func:`uninstall`: the console in its format, for what is said while telemetry ends.

    Args:
        settings: Those of :func:`install`.
        service: As ``service.name``.
    """
    global _left
    if _installed is not None or _left is not None:  # two console handlers would leave it empty
        yield
        return
    left = _left = Console(settings, service)
    left.attach()
    try:
        yield
    finally:
        left.detach()
        _left = None


def say_kept_back() -> None:
    """Log how many lines the rate limit kept back, where no later line of that kind has said it."""
    if _installed is None:
        return
    for number, name, level, line in _installed.outputs.kept_back():
        text = f"otelkit: {number} more of the same from {name}: {line}"
        place = entry.Place(__file__, 0, say_kept_back.__name__)
        record = foreign.record(
            _logger.name, level, text, {"otelkit.suppressed": number}, place=place
        )
        _logger.handle(record)  # whatever level this logger has: the line's own let it pass


def _forget() -> None:
    # What the parent kept back, wrote and lost, the parent says.
    if _installed is not None:
        _installed.outputs.kept_back()
        if _installed.file is not None:
            _installed.file.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def destinations() -> dict[str, dict[str, Any]]:
    """What became of the lines of the log file, if there is one, as of what is sent elsewhere."""
    file = _installed.file if _installed is not None else None
    return {"file": file.status()} if file is not None else {}


def disabled_loggers() -> list[str]:
    """The loggers that the application disabled: what they log goes nowhere."""
    return stdlib.disabled()


def _imported(library: ModuleType) -> None:
    """Serve a logging library, which is there now; runs inside an import of the application."""
    name = library.__name__
    if _installed is None or name in _installed.bridges:
        return
    outputs, console = _installed.outputs, _installed.console
    try:
        if name == loguru.NAME:
            bridge = loguru.Bridge(library, outputs, console)
            _installed.bridges[name] = bridge
            _installed.stdlib.forwarded = bridge.forwarding
        else:
            _installed.bridges[name] = structlog.Bridge(library, outputs, console)
    except Exception as error:
        _logger.warning("otelkit: records of %s are not seen: %s", name, error)


def _remove_packaged_handlers() -> list[logging.Handler]:
    """Take OpenTelemetry's own handlers off the root logger; with them, records would go twice."""
    packaged = [
        handler
        for handler in logging.root.handlers
        if type(handler).__name__ == "LoggingHandler"
        and type(handler).__module__.startswith("opentelemetry.")
    ]
    for handler in packaged:
        logging.root.removeHandler(handler)
    return packaged


def _service_name(settings: Settings, provider: LoggerProvider | None) -> str:
    resource = getattr(provider, "resource", None)
    attributes = getattr(resource, "attributes", {})
    return str(attributes.get(semconv.SERVICE_NAME) or settings.service_name or "unknown_service")
