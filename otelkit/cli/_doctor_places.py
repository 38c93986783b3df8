"""Files and ports that ``setup()`` would open: whether they can be, without leaving a trace."""

from __future__ import annotations

import os
import socket
import tempfile

from otelkit.settings import Settings


def obstacles(settings: Settings) -> list[str]:
    """What ``setup()`` would warn of, a text each."""
    return [*_log_file(settings.log_file), *_metrics_port(settings)]


def _log_file(path: str | None) -> list[str]:
    if not path:
        return []
    # Without the second flag a pipe that nobody reads would hold us up.
    flags = os.O_WRONLY | os.O_APPEND | getattr(os, "O_NONBLOCK", 0)
    try:
        if os.path.lexists(path):
            os.close(os.open(path, flags))
        else:
            with tempfile.TemporaryFile(dir=os.path.dirname(os.path.abspath(path))):
                pass
    except OSError as error:
        return [f"OTELKIT_LOG_FILE={path!r}: {error.strerror or error}; no file is written"]
    return []


def _metrics_port(settings: Settings) -> list[str]:
    port, host = settings.metrics_port, settings.metrics_host
    if not settings.metrics or port is None:
        return []
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except (OSError, ValueError) as error:  # the second: a host no name server is asked for
        return [
            f"OTELKIT_METRICS_PORT={port}: nobody can be answered there ({error}); "
            "as it should be while the service runs"
        ]
    return []
