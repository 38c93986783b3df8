from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from otelkit import health, integrations
from otelkit.health import gauge
from otelkit.settings import Settings
from tests.health.conftest import report
from tests.integrations.conftest import Telemetry

NAME = "otelkit.health.status"


def values(telemetry: Telemetry) -> dict[Any, float]:
    return {
        (point.attributes or {})["otelkit.component"]: point.value
        for point in telemetry.points(NAME)
    }


def test_the_last_results_are_a_gauge_that_runs_no_check(telemetry: Telemetry) -> None:
    runs = []
    health.register("database", lambda: runs.append("run"))
    health.register("cache", lambda: health.Result("degraded"))
    health.register("search", lambda: False, critical=False)
    health.install(Settings(), {}, dict)
    assert values(telemetry) == {}
    assert runs == []
    report()
    assert values(telemetry) == {"database": 1.0, "cache": 0.5, "search": 0.0}
    assert runs == ["run"]


def test_a_second_setup_does_not_report_twice(telemetry: Telemetry) -> None:
    health.install(Settings(), {}, dict)
    health.install(Settings(), {}, dict)
    health.register("database", lambda: True)
    report()
    assert values(telemetry) == {"database": 1.0}


def test_a_result_that_no_probe_renews_is_no_longer_reported(
    telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    health.install(Settings(), {}, dict)
    health.register("database", lambda: True)
    report()
    monkeypatch.setattr(gauge, "STALE", 0.0)
    assert values(telemetry) == {}


def test_a_check_makes_no_spans(telemetry: Telemetry, tmp_path: Path) -> None:
    integrations.instrument("sqlalchemy")
    engine = create_engine(f"sqlite:///{tmp_path}/shop.db")
    health.register("database", health.sqlalchemy_check(engine))
    assert report().status == "healthy"
    engine.dispose()
    assert telemetry.spans() == []
    assert telemetry.points("db.client.operation.duration") == []
