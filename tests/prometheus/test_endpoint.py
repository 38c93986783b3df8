"""The page on a FastAPI application, over a real server."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from opentelemetry import metrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from starlette.responses import PlainTextResponse

import otelkit
from otelkit import integrations, prometheus, semconv
from otelkit.prometheus.exposition import Exposition
from otelkit.settings import Settings
from tests.integrations.conftest import Telemetry, client_of, telemetry  # noqa: F401 - a fixture

OPENMETRICS = {"accept": "application/openmetrics-text; version=1.0.0"}


@pytest.fixture
def install(telemetry: Telemetry) -> Iterator[Callable[..., None]]:  # noqa: F811
    """As ``setup()`` does."""

    def install(**fields: Any) -> None:
        settings = Settings(**fields)
        integrations.instrument(["fastapi"], excluded_paths=[settings.metrics_path])
        integrations.serve_endpoints()
        assert prometheus.install(settings, telemetry.reader.get_metrics_data) == []

    yield install
    prometheus.uninstall()


def shop() -> FastAPI:
    app = FastAPI()

    @app.get("/items/{id}")
    async def item(id: int) -> int:
        return id

    app.get("/customers-metrics-report")(item_report)
    return app


async def item_report() -> str:
    return "report"


def test_both_formats_plain_and_compressed(install: Callable[..., None]) -> None:
    install()
    with client_of(shop()) as client:
        assert client.get("/items/7").status_code == 200
        plain = client.get("/metrics", headers={"accept-encoding": "identity"})
        assert plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert 'http_route="/items/{id}"' in plain.text
        assert "content-encoding" not in plain.headers
        with client.stream("GET", "/metrics", headers=OPENMETRICS) as answer:
            raw = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert int(answer.headers["content-length"]) == len(raw)
    names = {family.name for family in read_openmetrics(gzip.decompress(raw).decode())}
    assert "http_server_request_duration_seconds" in names


def test_an_exemplar_leads_to_the_trace(
    install: Callable[..., None],
    telemetry: Telemetry,  # noqa: F811
) -> None:
    install(metrics_namespace="shop")
    with client_of(shop()) as client:
        client.get("/items/7")
        page = client.get("/metrics", headers=OPENMETRICS).text
    context = telemetry.span().get_span_context()
    assert context is not None
    found = {
        sample.exemplar.labels["trace_id"]
        for family in read_openmetrics(page)
        if family.name == "shop_http_request_duration_seconds"
        for sample in family.samples
        if sample.exemplar
    }
    assert found == {f"{context.trace_id:032x}"}


def test_head_has_the_headers_only_and_other_methods_are_the_applications(
    install: Callable[..., None],
) -> None:
    install()
    with client_of(shop()) as client:
        head = client.head("/metrics")
        assert (head.status_code, head.content) == (200, b"")
        assert client.post("/metrics").status_code == 404


def test_it_is_left_out_of_traces_and_metrics_by_exact_path(
    install: Callable[..., None],
    telemetry: Telemetry,  # noqa: F811
) -> None:
    install()
    with client_of(shop()) as client:
        for _ in range(3):
            client.get("/metrics")
        client.get("/customers-metrics-report")
        client.get("/metrics-old")
    assert [span.name for span in telemetry.spans(2)] == ["GET /customers-metrics-report", "GET"]
    assert sum(p.count for p in telemetry.points(semconv.HTTP_SERVER_DURATION)) == 2


@pytest.mark.parametrize("path", ["/metrics", "/internal/metrics"])
def test_the_path_can_be_another(install: Callable[..., None], path: str) -> None:
    install(metrics_path="/internal/metrics")
    with client_of(shop()) as client:
        assert client.get(path).status_code == (200 if path == "/internal/metrics" else 404)


def test_an_empty_path_leaves_the_application_alone(install: Callable[..., None]) -> None:
    install(metrics_path="")
    with client_of(shop()) as client:
        assert client.get("/metrics").status_code == 404


def test_a_route_of_the_applications_own_wins(install: Callable[..., None]) -> None:
    install()
    app = shop()
    app.get("/metrics")(lambda: PlainTextResponse("own"))
    with client_of(app) as client:
        assert client.get("/metrics").text == "own"
    app = shop()
    app.mount("/metrics", PlainTextResponse("mounted"))
    with client_of(app) as client:
        assert client.get("/metrics", follow_redirects=True).text == "mounted"
    app = FastAPI()
    app.get("/{page:path}")(lambda: PlainTextResponse("any page"))
    with client_of(app) as client:
        assert "version=0.0.4" in client.get("/metrics").headers["content-type"]


def test_without_a_page_the_answer_is_503(
    install: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    install()

    def broken(*_: object) -> None:
        raise TimeoutError("a callback took too long")

    monkeypatch.setattr(Exposition, "_page", broken)
    with client_of(shop()) as client:
        answer = client.get("/metrics")
    assert answer.status_code == 503
    assert answer.text == "no metrics: TimeoutError: a callback took too long\n"


def test_routes_are_in_progress_at_zero_once_they_were_asked_for(
    install: Callable[..., None],
) -> None:
    install(metrics_aliases=("instrumentator",))
    with client_of(shop()) as client:
        client.get("/items/7")
        page = client.get("/metrics").text
    assert 'http_requests_inprogress{method="GET",path="/items/{id}"} 0\n' in page


def test_the_event_loop_goes_on_meanwhile(install: Callable[..., None]) -> None:
    """A collection that waits for a request to be served would wait for ever in the loop."""
    install()
    collecting, answered = threading.Event(), threading.Event()
    in_time: list[bool] = []
    app = shop()

    @app.get("/free")
    async def free() -> None: ...

    def waits(_options: object) -> list[Any]:
        collecting.set()
        in_time.append(answered.wait(9))  # the SDK gives a collection ten seconds
        return []

    metrics.get_meter("test").create_observable_gauge("waits", [waits])
    with client_of(app) as client:
        answers: list[httpx.Response] = []
        scrape = threading.Thread(target=lambda: answers.append(client.get("/metrics")))
        scrape.start()
        assert collecting.wait(10)
        assert client.get("/free").status_code == 200
        answered.set()
        scrape.join()
    assert in_time == [True]
    assert answers[0].status_code == 200


def test_after_shutdown_there_is_no_page(install: Callable[..., None]) -> None:
    install()
    prometheus.uninstall()
    with client_of(shop()) as client:
        assert client.get("/metrics").status_code == 404


def test_metrics_of_the_applications_own_and_of_timed_blocks(
    install: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    from otelkit import instruments

    monkeypatch.setattr(instruments, "_made", {})
    install(metrics_namespace="shop")
    otelkit.counter("uploads", unit="{file}", description="Files.").add(2, {"kind": "video"})
    otelkit.gauge("active_users").set(7)
    with otelkit.timed(otelkit.histogram("encoding", unit="s", buckets=[1, 2]), {"codec": "av1"}):
        pass
    with client_of(shop()) as client:
        page = client.get("/metrics").text
    for prefix in ("", "shop_"):
        assert f'{prefix}uploads_total{{kind="video"}} 2\n' in page
        assert f"# HELP {prefix}uploads_total Files.\n" in page
        assert f"{prefix}active_users 7\n" in page
        assert f'{prefix}encoding_seconds_bucket{{codec="av1",le="1.0"}} 1\n' in page
