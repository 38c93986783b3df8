from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, repeat
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from otelkit import health, integrations
from otelkit.health import heartbeat
from otelkit.redaction import scrub
from otelkit.settings import Settings
from tests.health.schemas import BY_PATH, checked
from tests.integrations.conftest import Telemetry, client_of, wait_until

RESOURCE = {
    "service.name": "shop",
    "service.version": "1.2",
    "deployment.environment.name": "staging",
}


@pytest.fixture
def serve(telemetry: Telemetry) -> Iterator[Callable[..., None]]:
    """As ``setup()`` does; ``telemetry`` undoes it."""

    def serve(**fields: Any) -> None:
        integrations.serve_endpoints()
        assert health.install(Settings(**fields), RESOURCE, dict) == []

    return serve


def test_every_route_answers_as_its_schema_says(serve: Callable[..., None]) -> None:
    serve()
    health.register("database", lambda: health.Result("degraded", "slow", {"pool": 3}))
    health.register("cache", lambda: None)
    with client_of(FastAPI()) as client:
        found = {path: checked(path, client.get(path)) for path in BY_PATH}
    assert found["/health"].items() >= {
        "status": "degraded", "app_name": "shop", "version": "1.2", "environment": "staging"
    }.items()  # fmt: skip
    assert found["/health/liveness"]["status"] == "alive"
    for path in ("/health/readiness", "/health/detailed"):
        assert found[path]["version"] == "1.2"
        assert found[path]["environment"] == "staging"
        assert list(found[path]["components"]) == ["database", "cache"]
        assert found[path]["components"]["database"].items() >= {
            "name": "database", "status": "degraded", "message": "slow", "metadata": {"pool": 3}
        }.items()  # fmt: skip


def test_an_unhealthy_service_is_alive_and_not_ready(serve: Callable[..., None]) -> None:
    serve()
    health.register("database", lambda: False)
    with client_of(FastAPI()) as client:
        answers = {path: client.get(path) for path in BY_PATH}
        bodies = {path: checked(path, answer) for path, answer in answers.items()}
    assert {path: answer.status_code for path, answer in answers.items()} == {
        "/health": 200,
        "/health/liveness": 200,
        "/health/readiness": 503,
        "/health/detailed": 503,
    }
    assert bodies["/health"]["status"] == "unhealthy"


@pytest.mark.parametrize("critical", [True, False])
def test_liveness_fails_with_a_check_of_its_own(serve: Callable[..., None], critical: bool) -> None:
    serve()
    answers = chain([True], repeat(False))
    health.register("worker", lambda: next(answers), liveness=True, critical=critical)
    health.register("database", lambda: False)
    with client_of(FastAPI()) as client:
        assert client.get("/health/liveness").status_code == 200
        wait_until(lambda: client.get("/health/liveness").status_code == 503)
        body = checked("/health/liveness", client.get("/health/liveness"))
    assert body["message"] == "worker: the check returned False"


@pytest.mark.parametrize("path", BY_PATH)
def test_head_is_get_without_a_body(serve: Callable[..., None], path: str) -> None:
    serve()
    with client_of(FastAPI()) as client:
        head = client.head(path)
        assert head.content == b""
        assert head.status_code == 200
        assert head.headers["cache-control"] == "no-store"
        assert int(head.headers["content-length"]) > 20
        assert client.get(path).status_code == 200  # on the same connection


def test_other_methods_are_the_applications(serve: Callable[..., None]) -> None:
    serve()
    with client_of(FastAPI()) as client:
        assert client.post("/health").status_code == 404
        assert client.options("/health/liveness").status_code == 404


def test_other_paths_are_the_applications(serve: Callable[..., None]) -> None:
    serve()
    with client_of(FastAPI()) as client:
        for path in ("/healthy", "/health/x", "/x/health", "/health/liveness/x", "/"):
            assert client.get(path).status_code == 404


def test_the_prefix_moves_the_routes(serve: Callable[..., None]) -> None:
    serve(health_prefix="/-/probes")
    with client_of(FastAPI()) as client:
        assert client.get("/-/probes/readiness").status_code == 200
        assert client.get("/health").status_code == 404


def test_an_empty_prefix_turns_the_routes_off(serve: Callable[..., None]) -> None:
    serve(health_prefix="")
    with client_of(FastAPI()) as client:
        assert {client.get(path).status_code for path in BY_PATH} == {404}
    settings = Settings.from_env({"OTELKIT_HEALTH_PREFIX": ""})
    assert (settings.health_prefix, settings.problems) == ("", ())


def test_routes_are_found_behind_a_proxy_that_adds_a_path(serve: Callable[..., None]) -> None:
    serve()
    inner = FastAPI()

    async def behind(scope: Any, receive: Any, send: Any) -> None:
        await inner({**scope, "root_path": "/api"}, receive, send)

    with client_of(behind) as client:
        assert client.get("/health").status_code == 200
        assert client.get("/api/health").status_code == 200


def test_before_setup_and_after_shutdown_there_are_no_routes(serve: Callable[..., None]) -> None:
    app = FastAPI()
    with client_of(app) as client:
        assert client.get("/health").status_code == 404
        serve()
        assert client.get("/health").status_code == 200
        health.uninstall()
        assert client.get("/health").status_code == 404


# --- The application's own routes


def own() -> str:
    return "own"


def routed() -> FastAPI:
    app = FastAPI()
    app.get("/health")(own)
    return app


def included() -> FastAPI:
    app, router = FastAPI(), APIRouter(prefix="/health")
    router.get("/")(own)
    app.include_router(router)
    return app


def with_parameter() -> FastAPI:
    app = FastAPI()
    app.get("/{first}")(lambda first: "catch-all")
    app.get("/health/{kind}")(own)
    return app


def mounted() -> FastAPI:
    app = FastAPI()
    app.mount("/health", PlainTextResponse('"own"'))
    return app


def mounted_application() -> FastAPI:
    app = FastAPI()
    app.mount("/", Starlette(routes=[Route("/health", lambda _: PlainTextResponse('"own"'))]))
    return app


@pytest.mark.parametrize(
    ("make", "path"),
    [
        (routed, "/health"),
        (included, "/health"),
        (with_parameter, "/health/liveness"),
        (mounted, "/health/liveness"),
        (mounted_application, "/health"),
    ],
)
def test_the_applications_own_route_wins(
    serve: Callable[..., None], make: Callable[[], FastAPI], path: str
) -> None:
    serve()
    with client_of(make()) as client:
        assert client.get(path, follow_redirects=True).text == '"own"'


def catching_all() -> FastAPI:
    app = FastAPI()
    app.get("/{path:path}")(own)
    return app


def posting() -> FastAPI:
    app = FastAPI()
    app.post("/health")(own)
    return app


def mounting_others() -> FastAPI:
    app = FastAPI()
    app.mount("/heal", PlainTextResponse("own"))
    app.mount("/", PlainTextResponse("own"))
    return app


@pytest.mark.parametrize("make", [routed, catching_all, posting, mounting_others])
def test_a_route_for_something_else_does_not(
    serve: Callable[..., None], make: Callable[[], FastAPI]
) -> None:
    serve()
    with client_of(make()) as client:
        checked("/health/liveness", client.get("/health/liveness"))
        if make is not routed:
            checked("/health", client.get("/health"))


# --- Details


def components(client: httpx.Client, **headers: str) -> dict[str, Any]:
    found: dict[str, Any] = checked(
        "/health/readiness", client.get("/health/readiness", headers=headers)
    )["components"]
    return found


def test_details_are_for_whoever_has_the_token(serve: Callable[..., None]) -> None:
    serve(health_details="token", health_token="s3cret-ü")
    health.register("database", lambda: False, liveness=True)
    token = "s3cret-ü".encode()
    with client_of(FastAPI()) as client:
        for headers in (
            {"Authorization": b"Bearer " + token},
            {"Authorization": b"bearer " + token},
            {"X-Health-Token": token},
        ):
            assert components(client, **headers)  # type: ignore[arg-type]
            dead = client.get("/health/liveness", headers=headers)
            assert checked("/health/liveness", dead)["message"]
        for wrong in (
            {},
            {"Authorization": b"Bearer wrong"},
            {"Authorization": b"Basic " + token},
            {"Authorization": token},
            {"X-Health-Token": b""},
            {"X-Health-Token": token + b"x"},
        ):
            assert components(client, **wrong) == {}  # type: ignore[arg-type]
            dead = client.get("/health/liveness", headers=wrong)
            assert checked("/health/liveness", dead)["message"] == ""


def test_a_token_of_any_bytes_is_one(serve: Callable[..., None]) -> None:
    serve(health_details="token", health_token=os.fsdecode(b"s3cret-\xe9"))  # as of a variable
    health.register("database", lambda: True)
    with client_of(FastAPI()) as client:
        assert components(client, **{"X-Health-Token": b"s3cret-\xe9"})  # type: ignore[arg-type]
        assert components(client, **{"X-Health-Token": b"s3cret-"}) == {}  # type: ignore[arg-type]


def test_details_that_are_off_are_for_nobody(serve: Callable[..., None]) -> None:
    serve(health_details="off", health_token="s3cret")
    health.register("database", lambda: False)
    with client_of(FastAPI()) as client:
        assert client.get("/health/readiness").status_code == 503
        assert components(client, Authorization="Bearer s3cret") == {}


def test_a_token_that_is_missing_opens_nothing(telemetry: Telemetry) -> None:
    integrations.serve_endpoints()
    settings = Settings(health_details="token")
    (problem,) = health.install(settings, {}, dict)
    assert "OTELKIT_HEALTH_TOKEN" in scrub(problem)  # as a log record has it
    health.register("database", lambda: True)
    with client_of(FastAPI()) as client:
        assert components(client) == {}
        assert components(client, Authorization="Bearer") == {}


def test_a_word_that_is_misspelt_hides_the_details() -> None:
    settings = Settings.from_env({"OTELKIT_HEALTH_DETAILS": "privat"})
    assert settings.health_details == "off"
    (problem,) = settings.problems
    assert "OTELKIT_HEALTH_DETAILS='privat'" in problem
    assert "using off instead" in problem


def test_the_token_is_a_secret() -> None:
    assert "s3cret" not in repr(Settings(health_token="s3cret"))


# --- Under load, unseen by telemetry, and with an event loop that is stuck


def test_a_storm_of_probes_costs_one_run(serve: Callable[..., None]) -> None:
    serve()
    runs = []
    go = threading.Event()
    health.register("database", lambda: (runs.append(1), go.wait(5)), timeout=5)
    with client_of(FastAPI()) as client, ThreadPoolExecutor(20) as pool:
        probes = [pool.submit(client.get, "/health/readiness") for _ in range(60)]
        wait_until(lambda: runs)
        go.set()
        assert {probe.result().status_code for probe in probes} == {200}
    assert len(runs) <= 2  # the storm may take longer than a second


def test_a_check_that_hangs_delays_a_probe_by_its_timeout_only(
    serve: Callable[..., None],
) -> None:
    serve()
    release = threading.Event()
    health.register("database", lambda: release.wait(30), timeout=0.1)
    health.register("cache", lambda: True)
    with client_of(FastAPI()) as client:
        found = checked("/health/readiness", client.get("/health/readiness"))
        assert client.get("/health/liveness").status_code == 200
    release.set()
    assert found["components"]["database"]["message"].startswith("no answer for")
    assert found["components"]["cache"]["status"] == "healthy"


def test_probes_make_no_spans_and_no_metrics(
    serve: Callable[..., None], telemetry: Telemetry
) -> None:
    integrations.instrument("fastapi")
    serve()
    app = FastAPI()
    app.get("/orders-health")(own)
    with client_of(app) as client:
        for path in BY_PATH:
            client.get(path)
        client.get("/orders-health")
    assert [span.name for span in telemetry.spans(1)] == ["GET /orders-health"]
    (point,) = telemetry.points("http.server.request.duration")
    assert point.count == 1


def test_a_stuck_event_loop_is_told_from_a_thread_and_by_the_probe_that_waited(
    serve: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "STUCK_AFTER", 1.5)
    serve()
    app = FastAPI()
    blocked, release = threading.Event(), threading.Event()

    @app.get("/block")
    async def block() -> None:
        blocked.set()
        release.wait(10)

    with client_of(app) as client, ThreadPoolExecutor(2) as pool:
        assert client.get("/health/liveness").status_code == 200
        assert heartbeat.trouble() is None
        pool.submit(client.get, "/block")
        assert blocked.wait(5)
        probe = pool.submit(client.get, "/health/liveness")
        wait_until(heartbeat.trouble)
        assert "the event loop has been blocked for" in (heartbeat.trouble() or "")
        release.set()
        body = checked("/health/liveness", probe.result())
        assert body["status"] == "dead"
        assert "the event loop" in body["message"]
        wait_until(lambda: client.get("/health/liveness").status_code == 200)


def test_an_event_loop_that_has_ended_is_not_stuck(serve: Callable[..., None]) -> None:
    serve()
    with client_of(FastAPI()) as client:
        client.get("/health/liveness")
    for heart in heartbeat._hearts.values():
        heart._last = time.monotonic() - 1e6
    assert heartbeat.trouble() is None
