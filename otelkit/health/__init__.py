"""Health: checks that an application registers, and what they say together.

    otelkit.health.register("database", otelkit.health.sqlalchemy_check(engine))


    @otelkit.health.check("search", timeout=1.0, critical=False)
    async def search(): ...

Nothing here knows a web framework. Applications that ``setup()`` or ``instrument_fastapi()``
instruments answer ``/health``, ``/health/liveness``, ``/health/readiness`` and
``/health/detailed``; others await :func:`report`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from otelkit.health import gauge, service
from otelkit.health.database import sqlalchemy_check
from otelkit.health.disk import disk_check, writable_check
from otelkit.health.environment import environment_check
from otelkit.health.http import http_check
from otelkit.health.llm import llm_check
from otelkit.health.memory import memory_check
from otelkit.health.ping import ping_check
from otelkit.health.registry import check, register, report
from otelkit.health.results import Component, Report, Result
from otelkit.health.telemetry import telemetry_check
from otelkit.settings import Settings

__all__ = [
    "Component",
    "Report",
    "Result",
    "check",
    "disk_check",
    "environment_check",
    "http_check",
    "llm_check",
    "memory_check",
    "ping_check",
    "register",
    "report",
    "sqlalchemy_check",
    "telemetry_check",
    "writable_check",
]


def install(
    settings: Settings,
    resource: Mapping[str, Any],
    telemetry: Callable[[], Mapping[str, Any]],
) -> list[str]:
    """Serve the health routes and report the metric. For ``setup()``.

    Args:
        settings: What was decided.
        resource: The attributes of the service.
        telemetry: Gives the state of telemetry.

    Returns:
        What is wrong with the settings, a text each.
    """
    service.current = service.describe(settings, resource, telemetry)
    gauge.observe()
    return problems(settings)


def problems(settings: Settings) -> list[str]:
    """What is wrong with the settings of health, a text each."""
    if settings.health_details != "token" or settings.health_token:
        return []
    # Worded so that a name before a colon is not taken for that of a secret.
    variable = "OTELKIT_HEALTH_DETAILS='token'"
    return [f"{variable} needs OTELKIT_HEALTH_TOKEN, which is not set; nobody sees details"]


def uninstall() -> None:
    """Undo :func:`install`; checks stay registered."""
    service.current = service.Service()
