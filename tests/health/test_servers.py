"""The example, under real servers, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.health import servers
from tests.health.schemas import BY_PATH, checked
from tests.health.test_checks import http_server
from tests.logs.receiver import attributes_of, receiving

OF_THE_MACHINE = {"disk", "memory"}  # the only ones that may be low where the tests run
EVERY_CHECK = {
    *("database", "reports", "folder", "environment", "search", "cache"),
    *("openai", "anthropic", "telemetry", "jobs"),
}


@pytest.fixture
def redis() -> Iterator[servers.Redis]:
    with servers.Redis() as server:
        yield server


def messages(client: httpx.Client) -> set[str]:
    """What there is to say, as of a check that a busy machine gave no time to."""
    found = client.get("/health/detailed").json()["components"]
    return {found[name]["message"] for name in EVERY_CHECK} - {""}


@pytest.mark.parametrize("server", servers.COMMANDS)
def test_a_service_with_every_check(server: str, redis: servers.Redis, tmp_path: Path) -> None:
    console = tmp_path / "console"
    with receiving() as received, http_server() as (web, _):
        environ = {
            "DATA_FOLDER": str(tmp_path),
            "SEARCH_URL": f"http://{web}/200",
            "CACHE": redis.address,
            "OPENAI_API_KEY": "sk-secret",
            "ANTHROPIC_API_KEY": "sk-ant-secret",
            "ANTHROPIC_BASE_URL": f"http://{web}/401",
            "OTEL_EXPORTER_OTLP_ENDPOINT": received.address,
            "OTEL_BLRP_SCHEDULE_DELAY": "100",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "OTEL_RESOURCE_ATTRIBUTES": "service.version=1.2",
            "APP_ENV": "staging",
        }
        with servers.serving(servers.COMMANDS[server], console, **environ) as client:
            bodies = {path: checked(path, client.get(path)) for path in BY_PATH}
            assert all(client.head(path).status_code == 200 for path in BY_PATH)
            about = bodies["/health"]
            assert (about["app_name"], about["version"]) == ("healthy", "1.2")
            assert about["environment"] == "staging"
            found = bodies["/health/detailed"]["components"]
            assert set(found) == EVERY_CHECK | OF_THE_MACHINE
            assert "secret" not in str(bodies)
            servers.until(lambda: messages(client) == set())

            redis.stop()
            servers.until(lambda: client.get("/health").json()["status"] == "degraded")
            servers.until(lambda: received.of("otelkit.health"))
        servers.until(lambda: received.spans)
        (record, *_) = received.of("otelkit.health")
        assert record.body.string_value.startswith("cache is unhealthy")
        assert attributes_of(record)["otelkit.component"] == "cache"
        assert {span.name for span in received.spans} == {"GET /"}
    assert "Traceback" not in console.read_text()


def test_a_service_without_telemetry_is_probed_all_the_same(tmp_path: Path) -> None:
    environ = {
        "OTEL_SDK_DISABLED": "true",
        "OTELKIT_HEALTH_DETAILS": "token",
        "OTELKIT_HEALTH_TOKEN": "s3cret",
        "OTELKIT_HEALTH_PREFIX": "/-/health",
        "DATA_FOLDER": str(tmp_path),
    }
    console = tmp_path / "console"
    with servers.serving(servers.COMMANDS["uvicorn"], console, **environ) as client:
        assert client.get("/health").status_code == 404
        assert client.get("/-/health/liveness").json()["status"] == "alive"
        assert client.get("/-/health").json()["app_name"] == "healthy"
        hidden = client.get("/-/health/readiness")
        assert (hidden.status_code, hidden.json()["components"]) == (200, {})
        headers = {"Authorization": "Bearer s3cret"}
        shown = client.get("/-/health/readiness", headers=headers).json()["components"]
        assert shown["telemetry"]["message"] == "nothing is exported"
        assert shown["search"]["status"] == "unhealthy"
