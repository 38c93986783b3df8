"""``setup()``: one call that makes a process observable, and the ``Telemetry`` it returns."""

from __future__ import annotations

import dataclasses
import importlib.util
import logging
import threading
from collections.abc import Collection
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
    if service_name is not None:
        fields["service_name"] = service_name
    if settings is not None and fields:
        raise ConfigError("give either settings or single fields, not both")
    if app is not None or engine is not None:
        from otelkit import _rooms

        _rooms.check(app, engine)
    wanted = settings or Settings.from_env(**fields)
    given = vars(settings) if settings else fields
    with _lock:
        if _current is None:
            _current = _start(wanted, given)
        else:
            _warn_of_difference(_current.settings, wanted, given)
        if _current.is_on and (app is not None or engine is not None):
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


def _start(settings: Settings, given: Collection[str]) -> Telemetry:
    """A running telemetry, or a silent one where the environment says so."""
    from otelkit import _repairs, _rooms

    problems = [*settings.problems, *_repairs.repair(settings)]
    settings, without_extras = without_missing_extras(settings, given)
    problems += [*without_extras, *_rooms.configure(settings, given)]
    resource: dict[str, Any] = {}
    note = ""
    if why := off(settings):
        telemetry = Telemetry(settings, None, _forget)
    else:
        from otelkit import providers as building

        providers = building.build(settings)
        telemetry = Telemetry(settings, providers, _forget)
        resource = providers.attributes
        problems += providers.problems
        note = providers.note
        problems += _rooms.install(
            settings,
            providers.logger_provider,
            sampler_follows_parent=providers.samples_like_parents,
        )
        if providers.scraped is not None:
            problems += _rooms.install_metrics(settings, providers.scraped.read)
        lifecycle.install(telemetry, sigterm=settings.sigterm)
    problems += _rooms.install_health(settings, resource, telemetry.status)
    telemetry.problems = problems
    for problem in problems:
        logger.warning("otelkit: %s", problem)
    logger.info("otelkit: %s", why or _summary(telemetry))
    if note:
        logger.info("otelkit: %s", note)
    return telemetry


def off(settings: Settings) -> str:
    """Why no provider is made; empty when one is."""
    if settings.disabled:
        return "off, because OTEL_SDK_DISABLED=true"
    if settings.config_file:
        return "OTEL_CONFIG_FILE is set, and providers are left to it"
    return ""


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


def without_missing_extras(
    settings: Settings, given: Collection[str]
) -> tuple[Settings, list[str]]:
    """gRPC where it is not installed: an argument raises, the environment gets HTTP instead."""
    over_grpc = [signal for signal in SIGNALS if settings.otlp(signal).protocol == "grpc"]
    if not over_grpc or importlib.util.find_spec("h2"):
        return settings, []
    missing = MissingExtraError("grpc", "OTLP over gRPC")
    if any(name.endswith("protocol") for name in given):
        raise missing
    over_http: dict[str, Any] = dict.fromkeys(
        ["protocol", *(f"{signal}_protocol" for signal in over_grpc)]
    )
    over_http["protocol"] = "http/protobuf"
    name = "OTEL_EXPORTER_OTLP_PROTOCOL"
    if settings.protocol != "grpc":
        name = f"OTEL_EXPORTER_OTLP_{over_grpc[0].upper()}_PROTOCOL"
    problem = f"{name}='grpc': {missing}; using http/protobuf instead"
    return dataclasses.replace(settings, **over_http), [problem]


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


def _warn_of_difference(running: Settings, wanted: Settings, given: Collection[str]) -> None:
    names = [
        name
        for name in given
        if name != "problems" and getattr(running, name) != getattr(wanted, name)
    ]
    if names:
        logger.warning(
            "otelkit: setup() was called before; these settings differ and are ignored: %s",
            ", ".join(names),
        )
