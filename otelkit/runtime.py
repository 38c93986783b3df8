"""``setup()``: one call that makes a process observable, and the ``Telemetry`` it returns."""

from __future__ import annotations

import dataclasses
import importlib.util
import logging
import threading
from typing import Any

from otelkit import lifecycle
from otelkit.errors import ConfigError, MissingExtraError
from otelkit.settings import SIGNALS, Settings
from otelkit.telemetry import Result, Telemetry

logger = logging.getLogger("otelkit")


_lock = threading.RLock()
_current: Telemetry | None = None


def setup(
    service_name: str | None = None,
    *,
    app: Any = None,
    engine: Any = None,
    settings: Settings | None = None,
    **fields: Any,
) -> Telemetry:
    """Makes this process observable: traces, metrics and logs over OTLP, as the environment says.

    Called again it returns the same ``Telemetry`` (with a warning if the configuration differs),
    and instruments ``app`` and ``engine`` if they are given.

    Args:
        service_name: ``service.name``; else ``OTEL_SERVICE_NAME``, else the program's name.
        app: A FastAPI application to instrument.
        engine: A SQLAlchemy engine to instrument, synchronous or asynchronous.
        settings: All settings at once, in place of the environment and of single fields.
        **fields: Any field of :class:`~otelkit.settings.Settings`, over the environment.

    Raises:
        ConfigError: An argument cannot be used. The environment never raises.
        MissingExtraError: An argument asks for packages that are not installed.
    """
    global _current
    if settings is not None and (service_name is not None or fields):
        raise ConfigError("give either settings or single fields, not both")
    wanted = settings or Settings.from_env(service_name=service_name, **fields)
    with _lock:
        if _current is None:
            _current = _start(wanted, given=settings is not None or "protocol" in fields)
        else:
            _warn_of_difference(_current.settings, wanted)
        if app is not None or engine is not None:
            from otelkit import _rooms

            _rooms.instrument(app, engine)
        return _current


def flush(timeout: float | None = None) -> Result:
    """Sends what waits; see :meth:`Telemetry.flush`. Before ``setup()`` there is nothing."""
    return _current.flush(timeout) if _current else Result(True, {})


def shutdown(timeout: float | None = None) -> Result:
    """Ends telemetry; see :meth:`Telemetry.shutdown`. Before ``setup()`` there is nothing."""
    return _current.shutdown(timeout) if _current else Result(True, {})


def status() -> dict[str, Any]:
    """The state of telemetry; see :meth:`Telemetry.status`. Before ``setup()`` all is off."""
    return (_current or Telemetry(Settings(), None, _forget)).status()


def _start(settings: Settings, *, given: bool) -> Telemetry:
    """A running telemetry, or a silent one where the environment says so."""
    if settings.disabled:
        return _off(settings, "otelkit: off, because OTEL_SDK_DISABLED=true")
    if settings.config_file:
        return _off(settings, "otelkit: OTEL_CONFIG_FILE is set; otelkit leaves providers to it")
    from otelkit import _repairs, _rooms

    problems = [*settings.problems, *_repairs.repair(settings)]
    settings, more = _without_missing_extras(settings, given)
    from otelkit import providers as building

    providers = building.build(settings)
    telemetry = Telemetry(settings, providers, _forget)
    problems += more + providers.problems
    problems += _rooms.configure(settings, sampler_follows_parent=providers.samples_like_parents)
    problems += _rooms.install(settings, providers.logger_provider)
    telemetry.problems = problems
    lifecycle.install(telemetry, sigterm=settings.sigterm)
    for problem in problems:
        logger.warning("otelkit: %s", problem)
    logger.info("otelkit: %s", _summary(telemetry))
    return telemetry


def _forget(telemetry: Telemetry) -> None:
    """Undoes what :func:`setup` did around ``telemetry``, which is about to end."""
    global _current
    with _lock:
        if telemetry is not _current:
            return
        from otelkit import _rooms

        _rooms.uninstall()
        lifecycle.uninstall(telemetry)
        _current = None


def _off(settings: Settings, why: str) -> Telemetry:
    for problem in settings.problems:
        logger.warning("otelkit: %s", problem)
    logger.info(why)
    return Telemetry(settings, None, _forget)


def _without_missing_extras(settings: Settings, given: bool) -> tuple[Settings, list[str]]:
    """gRPC where it is not installed: an argument raises, the environment gets HTTP instead."""
    over_grpc = [signal for signal in SIGNALS if settings.otlp(signal).protocol == "grpc"]
    if not over_grpc or importlib.util.find_spec("grpc"):
        return settings, []
    missing = MissingExtraError("grpc", "OTLP over gRPC")
    if given:
        raise missing
    over_http: dict[str, Any] = dict.fromkeys(
        ["protocol", *(f"{signal}_protocol" for signal in over_grpc)]
    )
    over_http["protocol"] = "http/protobuf"
    return dataclasses.replace(settings, **over_http), [f"{missing}; using HTTP instead"]


def _summary(telemetry: Telemetry) -> str:
    """One line: ``traces, metrics, logs -> http://localhost:4318 (service=api)``."""
    state = telemetry.status()
    where: dict[str, list[str]] = {}
    for signal in SIGNALS:
        for name, destination in state[signal]["destinations"].items():
            base = destination["endpoint"].removesuffix(f"/v1/{signal}")
            where.setdefault(base if name == "otlp" else name, []).append(signal)
    flows = "; ".join(f"{', '.join(signals)} -> {base}" for base, signals in where.items())
    about = f"service={state['service']}"
    if state["instrumented"]:
        about += f", instrumented: {', '.join(state['instrumented'])}"
    return f"{flows or 'nothing is exported'} ({about})"


def _warn_of_difference(running: Settings, wanted: Settings) -> None:
    names = [
        field.name
        for field in dataclasses.fields(Settings)
        if field.compare and getattr(running, field.name) != getattr(wanted, field.name)
    ]
    if names:
        logger.warning(
            "otelkit: setup() was called before; these settings differ and are ignored: %s",
            ", ".join(names),
        )
