"""Who is speaking: service, environment, process, host, operating system, one id per process."""

from __future__ import annotations

import os
import platform
import socket
import sys
import uuid
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import PurePath
from typing import Any

from otelkit import semconv
from otelkit.settings import Settings

_BUILT_IN = ("service_instance", "process", "host", "os", "otel")


def describe(settings: Settings) -> tuple[dict[str, Any], list[str]]:
    """The attributes of this process (OpenTelemetry resource conventions), and what was wrong.

    ``OTEL_RESOURCE_ATTRIBUTES`` wins over what is found out, ``service_name`` over both.
    """
    extra, problems = _detected(settings.resource_detectors)
    found = {
        semconv.SERVICE_NAME: f"unknown_service:{_program()}",
        semconv.DEPLOYMENT_ENVIRONMENT: settings.environment,
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": _version("opentelemetry-sdk"),
        "telemetry.distro.name": "otelkit",
        "telemetry.distro.version": _version("otelkit"),
        "host.name": socket.gethostname(),
        "host.arch": platform.machine(),
        "os.type": platform.system().lower(),
        "os.version": platform.release(),
        "process.runtime.name": sys.implementation.name,
        "process.runtime.version": platform.python_version(),
        "process.executable.name": PurePath(sys.executable or "").name,
        **_identity(),
        **extra,
        **settings.resource_attributes,
    }
    if settings.service_name:
        found[semconv.SERVICE_NAME] = settings.service_name
    if settings.environment != Settings.environment:
        found[semconv.DEPLOYMENT_ENVIRONMENT] = settings.environment
    return found, problems


def renewed(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """``attributes`` as they are in a forked child: another process, another instance."""
    return {**attributes, **_identity()}


def encoded(attributes: Mapping[str, Any]) -> Any:
    """The resource as OTLP has it."""
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource

    resource = Resource()
    for key, value in attributes.items():
        _fill(resource.attributes.add(key=key).value, value)
    return resource


def _identity() -> dict[str, Any]:
    return {
        semconv.SERVICE_INSTANCE_ID: str(uuid.uuid4()),
        "process.pid": os.getpid(),
        "process.parent_pid": os.getppid(),
    }


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:  # an application frozen into one file may have no metadata
        return "unknown"


def _program() -> str:
    """What was started: the script, or the package of ``python -m``."""
    path = PurePath(sys.argv[0] if sys.argv else "")
    if path.name == "__main__.py":
        return path.parent.name
    return path.stem if path.name not in ("", "-c", "-m") else PurePath(sys.executable or "").name


def _detected(names: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """What further detectors find; one that cannot be used costs a line, nothing else."""
    attributes: dict[str, Any] = {}
    problems = []
    known = {point.name: point for point in entry_points(group="opentelemetry_resource_detector")}
    wanted = sorted(known) if "*" in names else names
    for name in wanted:
        if name in _BUILT_IN:
            continue
        try:
            attributes.update(known[name].load()().detect().attributes)
        except Exception as error:
            why = "not installed" if name not in known else f"{type(error).__name__}: {error}"
            problems.append(f"OTEL_EXPERIMENTAL_RESOURCE_DETECTORS={name!r}: {why}; it is left out")
    return attributes, problems


def _fill(slot: Any, value: Any) -> None:
    if isinstance(value, bool):
        slot.bool_value = value
    elif isinstance(value, int):
        slot.int_value = value
    elif isinstance(value, float):
        slot.double_value = value
    elif isinstance(value, (list, tuple)):
        for item in value:
            _fill(slot.array_value.values.add(), item)
    else:
        slot.string_value = str(value)
