"""Providers of one test, and what needs Debian's package prometheus."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from otelkit import _bounded
from otelkit.prometheus import translate
from otelkit.prometheus.families import Family

# These need its programs; where they are not, the rest of the tests still runs.
NEEDS_PROMETHEUS = ["test_queries.py", "test_rules.py"]
collect_ignore = [] if shutil.which("prometheus") and shutil.which("promtool") else NEEDS_PROMETHEUS


def pytest_report_collectionfinish() -> list[str]:
    if not collect_ignore:
        return []
    return [f"without {', '.join(collect_ignore)}: the package prometheus is not installed"]


class Measuring:
    """A provider, and the families of what was measured with it."""

    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()
        self.provider = MeterProvider([self.reader], shutdown_on_exit=False)
        self.meter = self.provider.get_meter("test")

    def families(self) -> dict[str, Family]:
        return translate.families(self.reader.get_metrics_data())


@pytest.fixture
def measuring() -> Measuring:
    return Measuring()


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A temporary folder that no other process looks into; totals are not shared afterwards."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    yield tmp_path
    _bounded.share(None)
