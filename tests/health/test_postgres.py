"""A database that is stopped and started again, as a Kubernetes prober sees it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx

from tests import postgres
from tests.health import servers
from tests.health.schemas import checked

PERIOD = 1.1  # seconds between two probes; Kubernetes allows no less than 1
NO_EXPORT = {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")}


class Prober:
    """Asks for readiness and liveness, once in a period."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def probe(self) -> tuple[int, dict[str, Any]]:
        """Readiness: status and components. The service is alive whatever becomes of it."""
        assert self._client.get("/health/liveness").status_code == 200
        answer = self._client.get("/health/readiness")
        return answer.status_code, checked("/health/readiness", answer)["components"]

    def after_two_periods(self) -> tuple[int, dict[str, Any]]:
        for _ in range(2):
            time.sleep(PERIOD)
            found = self.probe()
        return found


def test_readiness_follows_the_database_within_two_periods(tmp_path: Path) -> None:
    with postgres.running() as database:
        environ = {
            **NO_EXPORT,
            "DATABASE_URL": database.url("psycopg"),
            "ASYNC_DATABASE_URL": database.url("asyncpg"),
            "DATA_FOLDER": str(tmp_path),
        }
        console = tmp_path / "console"
        with servers.serving(servers.COMMANDS["uvicorn"], console, **environ) as client:
            prober = Prober(client)
            status, found = prober.probe()
            assert status == 200
            for name in ("database", "reports"):
                assert found[name]["status"] == "healthy"
                assert found[name]["metadata"]["size"] == 5
            database.stop()
            status, found = prober.after_two_periods()
            assert status == 503
            for name in ("database", "reports"):
                assert found[name]["status"] == "unhealthy"
                assert postgres.PASSWORD not in found[name]["message"]
            database.start()
            status, found = prober.after_two_periods()
            assert (status, found["database"]["status"]) == (200, "healthy")
            assert found["reports"]["status"] == "healthy"
            # Restarted between two probes: the connections of the pools are broken, and replaced.
            database.stop()
            database.start()
            for _ in range(2):
                time.sleep(PERIOD)
                assert prober.probe()[0] == 200
    told = console.read_text()
    assert told.count("database is unhealthy (was healthy)") == 1
    assert told.count("database is healthy (was unhealthy)") == 1
    assert postgres.PASSWORD not in told
