"""Every test starts without checks; what the machine cannot give is left out, and said so."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator

import pytest

from otelkit import health
from otelkit.health import heartbeat, registry
from otelkit.health.results import Component, Report
from tests import postgres
from tests.health import limits
from tests.integrations.conftest import telemetry  # noqa: F401 - a fixture

LEFT_OUT = {
    "test_postgres.py": (
        postgres.binaries() is None,
        "PostgreSQL is not installed (Debian package postgresql)",
    ),
    "test_full_disk.py": (
        subprocess.run([*limits.NAMESPACE, "true"], capture_output=True, check=False).returncode,
        "no file system may be mounted here",
    ),
    "test_memory_limit.py": (not limits.may_make_groups(), "no control group may be made here"),
}
collect_ignore = [name for name, (missing, _) in LEFT_OUT.items() if missing]


def pytest_report_collectionfinish() -> list[str]:
    return [f"without {name}: {why}" for name, (missing, why) in LEFT_OUT.items() if missing]


@pytest.fixture(autouse=True)
def nothing_registered() -> Iterator[None]:
    registry.clear()
    heartbeat._hearts.clear()
    yield
    registry.clear()
    health.uninstall()


def report() -> Report:
    """A report from an event loop of its own."""
    return asyncio.run(health.report())


def only() -> Component:
    """The component of the only check."""
    (component,) = report().components.values()
    return component
