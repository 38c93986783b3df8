"""What ``setup()`` says of the service and of its health routes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from otelkit import semconv
from otelkit.settings import Settings


@dataclass(frozen=True)
class Service:
    """Who answers, where, and what strangers may see.

    Attributes:
        app_name: ``service.name``.
        version: ``service.version``.
        environment: ``deployment.environment.name``.
        prefix: Of the paths; empty where there are no routes.
        details: Who sees components: ``"public"``, ``"token"``, ``"off"``.
        token: What shows them to whoever has it.
        telemetry: Gives the state of telemetry, as ``otelkit.status()`` does.
    """

    app_name: str = "unknown_service"
    version: str = "unknown"
    environment: str = Settings.environment
    prefix: str = ""
    details: str = "public"
    token: str | None = None
    telemetry: Callable[[], Mapping[str, Any]] = dict


current = Service()
_started = time.monotonic()


def describe(
    settings: Settings, resource: Mapping[str, Any], telemetry: Callable[[], Mapping[str, Any]]
) -> Service:
    """The service as settings and resource attributes have it, these first."""
    described = {**settings.resource_attributes, **resource}
    return Service(
        app_name=str(
            described.get(semconv.SERVICE_NAME) or settings.service_name or Service.app_name
        ),
        version=str(described.get(semconv.SERVICE_VERSION) or Service.version),
        environment=str(described.get(semconv.DEPLOYMENT_ENVIRONMENT) or settings.environment),
        prefix=settings.health_prefix,
        details=settings.health_details,
        token=settings.health_token,
        telemetry=telemetry,
    )


def uptime() -> float:
    """Seconds since this process, or this child of a fork, began to use otelkit."""
    return time.monotonic() - _started


def _restart() -> None:
    global _started
    _started = time.monotonic()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_restart)
