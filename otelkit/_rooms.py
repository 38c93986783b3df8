"""What ``setup()`` hands to the rest of the package, and what ``shutdown()`` undoes there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from otelkit import (
    context,
    decorators,
    health,
    instruments,
    integrations,
    logs,
    pricing,
    prometheus,
    redaction,
)
from otelkit.errors import ConfigError
from otelkit.health.asgi import paths as probe_paths
from otelkit.settings import Settings


def configure(settings: Settings, given: Collection[str]) -> list[str]:
    """Gives everyone the settings; returns what of them could not be used, a text each.

    Args:
        settings: What was decided.
        given: The fields of it that were arguments.

    Raises:
        ConfigError: ``prices`` is an argument, and its file cannot be used.
    """
    problems = redaction.configure(settings.redact_keys, settings.redact_patterns)
    decorators.configure(settings)
    context.configure(settings)
    instruments.start_anew()
    if settings.prices:
        try:
            pricing.load(settings.prices)
        except ConfigError as error:
            if "prices" in given:
                raise
            problems.append(f"OTELKIT_PRICES: {error}; using the shipped prices instead")
    return problems


def install(settings: Settings, logger_provider: Any, *, sampler_follows_parent: bool) -> list[str]:
    """Installs logs and instrumentation; returns what could not be installed, a text each.

    Args:
        settings: What was decided.
        logger_provider: Where log records go; ``None`` when logs are off.
        sampler_follows_parent: No child of an unsampled parent is ever sampled.
    """
    decorators.configure(settings, sampler_follows_parent=sampler_follows_parent)
    decorators.prepare()
    problems = logs.install(settings, logger_provider)
    problems += integrations.instrument(
        settings.instrument,
        trust_inbound=settings.trust_inbound,
        excluded_paths=[*probe_paths(settings.health_prefix), *_metrics_paths(settings)],
    )
    return problems


def install_metrics(settings: Settings, read: prometheus.Read) -> list[str]:
    """Installs the metrics endpoint; returns what stands in the way, a text each.

    Args:
        settings: What was decided.
        read: Collects the metrics of this process.
    """
    if _metrics_paths(settings):
        integrations.serve_endpoints()
    return prometheus.install(settings, read)


def _metrics_paths(settings: Settings) -> list[str]:
    return [settings.metrics_path] if settings.metrics and settings.metrics_path else []


def install_health(
    settings: Settings, resource: Mapping[str, Any], status: Callable[[], Mapping[str, Any]]
) -> list[str]:
    """Installs health, also where telemetry is off: a service is probed all the same.

    Args:
        settings: What was decided.
        resource: The attributes of the service, as far as there are any.
        status: Gives the state of telemetry.
    """
    if settings.health_prefix:
        integrations.serve_endpoints()
    return health.install(settings, resource, status)


def uninstall() -> None:
    """Undoes :func:`install`, :func:`install_metrics` and :func:`install_health`."""
    integrations.uninstrument()
    prometheus.uninstall()
    health.uninstall()
    logs.uninstall()


def check(app: Any, engine: Any) -> None:
    """Raises what :func:`instrument` would, before anything has started.

    Raises:
        ConfigError: One of them is of another kind.
        MissingExtraError: FastAPI or SQLAlchemy is not installed.
    """
    if app is not None:
        from otelkit.integrations.fastapi import check_application

        check_application(app)
    if engine is not None:
        from otelkit.integrations.sqlalchemy import engine_of

        engine_of(engine)


def instrument(app: Any, engine: Any) -> None:
    """Instruments an application and an engine, where given.

    Raises:
        ConfigError: One of them is of another kind.
        MissingExtraError: FastAPI or SQLAlchemy is not installed.
    """
    if app is not None:
        from otelkit.integrations.fastapi import instrument_fastapi

        instrument_fastapi(app)
    if engine is not None:
        from otelkit.integrations.sqlalchemy import instrument_sqlalchemy

        instrument_sqlalchemy(engine)
