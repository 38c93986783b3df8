"""Requests of real applications over real sockets: one span each, with the right numbers."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, BackgroundTasks, FastAPI, HTTPException, Request, WebSocket
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import PlainTextResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from opentelemetry import baggage, trace
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.trace import SpanKind, StatusCode
from starlette.routing import Route, Router
from websockets.sync.client import connect

from otelkit import integrations
from otelkit.errors import ConfigError, MissingExtraError
from otelkit.integrations.fastapi import instrument_fastapi
from tests.integrations.conftest import Telemetry, client_of, serving, wait_until

DURATION = "http.server.request.duration"
ACTIVE = "http.server.active_requests"
REQUEST_SIZE = "http.server.request.body.size"
RESPONSE_SIZE = "http.server.response.body.size"


@pytest.fixture
def app(telemetry: Telemetry) -> FastAPI:
    """An instrumented application without routes."""
    assert integrations.instrument("fastapi") == []
    return FastAPI()


def attributes(telemetry: Telemetry) -> dict[str, Any]:
    return dict(telemetry.span().attributes or {})


def test_a_request_gives_one_server_span_with_the_stable_names(
    telemetry: Telemetry, app: FastAPI
) -> None:
    @app.get("/items/{id}")
    async def item(id: int) -> dict[str, int]:
        return {"id": id}

    with client_of(app) as client:
        headers = {"user-agent": "test", "x-request-id": "r1"}
        client.get("/items/3", params={"q": "shoes"}, headers=headers)
        port = client.base_url.port
    span = telemetry.span()
    assert (span.name, span.kind) == ("GET /items/{id}", SpanKind.SERVER)
    assert span.status.status_code is StatusCode.UNSET
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "http.route": "/items/{id}",
        "url.path": "/items/3",
        "url.query": "q=shoes",
        "url.scheme": "http",
        "server.address": "127.0.0.1",
        "server.port": port,
        "client.address": "127.0.0.1",
        "user_agent.original": "test",
        "network.protocol.version": "1.1",
        "otelkit.request.id": "r1",
    }


def test_a_request_is_measured_by_route(telemetry: Telemetry, app: FastAPI) -> None:
    @app.post("/items/{id}")
    async def item(id: int, body: dict[str, str]) -> str:
        return "fine"

    with client_of(app) as client:
        for id in range(3):
            client.post(f"/items/{id}", json={"a": "b"})
        chunks, kind = iter([b'{"a"', b':"b"}']), {"content-type": "application/json"}
        client.post("/items/4", content=chunks, headers=kind)  # without a length
    labels = {
        "http.request.method": "POST",
        "http.route": "/items/{id}",
        "http.response.status_code": 200,
        "url.scheme": "http",
        "network.protocol.version": "1.1",
    }
    (duration,) = telemetry.points(DURATION)
    assert (dict(duration.attributes), duration.count) == (labels, 4)
    assert 0 < duration.sum < 2, "seconds"
    (size,) = telemetry.points(REQUEST_SIZE)
    assert (dict(size.attributes), size.count, size.sum) == (labels, 4, 4 * len('{"a":"b"}'))
    (size,) = telemetry.points(RESPONSE_SIZE)
    assert (dict(size.attributes), size.count, size.sum) == (labels, 4, 4 * len('"fine"'))
    assert duration.explicit_bounds[0] == 0.005
    assert size.explicit_bounds[0] == 256


def test_whoever_has_an_answer_finds_it_counted(telemetry: Telemetry, app: FastAPI) -> None:
    """Counted afterwards, it would be missing where the worker is killed in between."""
    counts = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            counts.append(sum(point.count for point in telemetry.points(DURATION)))

    app.get("/")(lambda: "here")
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
    asyncio.run(app(scope, None, send))  # type: ignore[arg-type]
    assert counts == [1]


def test_requests_in_flight_are_counted_while_they_are(telemetry: Telemetry, app: FastAPI) -> None:
    release = threading.Event()

    @app.get("/slow/{id}")
    def slow(id: int) -> None:
        release.wait(5)

    def active() -> list[int]:
        points = telemetry.points(ACTIVE)
        return [p.value for p in points if p.attributes.get("http.route") == "/slow/{id}"]

    with client_of(app) as client:
        threads = [threading.Thread(target=client.get, args=(f"/slow/{id}",)) for id in range(2)]
        for thread in threads:
            thread.start()
        wait_until(lambda: active() == [2])
        release.set()
        for thread in threads:
            thread.join()
    assert active() == [0]


def behind(root_path: str, app: Any, *, stripped: bool) -> Any:
    """``app`` as a server calls it behind a proxy, which may strip the root path or not."""

    async def proxied(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            path = scope["path"] if stripped else root_path + scope["path"]
            scope = {**scope, "root_path": root_path, "path": path}
        await app(scope, receive, send)

    return proxied


def test_routes_carry_the_prefixes_of_routers_mounts_and_proxies(
    telemetry: Telemetry, app: FastAPI
) -> None:
    inner, outer, mounted = APIRouter(prefix="/deep/{d}"), APIRouter(prefix="/v1"), FastAPI()

    @inner.get("/x/{y}")
    @app.get("/x/{y}")
    @mounted.get("/x/{y}")
    def x(y: str) -> None: ...

    outer.include_router(inner, prefix="/in")
    app.include_router(outer, prefix="/api")
    app.mount("/sub/{tenant}", mounted)
    with client_of(behind("/proxy", app, stripped=False)) as client:
        paths = ("/x/1", "/api/v1/in/deep/2/x/3", "/sub/acme/x/4", "/sub/acme/nothing", "/docs")
        for path in paths:
            client.get(path)
    assert [span.name for span in telemetry.spans(len(paths))] == [
        "GET /proxy/x/{y}",
        "GET /proxy/api/v1/in/deep/{d}/x/{y}",
        "GET /proxy/sub/{tenant}/x/{y}",
        "GET /proxy/sub/{tenant}/{path}",
        "GET /proxy/docs",
    ]


def test_routes_are_found_below_middleware_routers_and_hosts(
    telemetry: Telemetry, app: FastAPI
) -> None:
    app.add_middleware(CORSMiddleware, allow_origins=["*"])
    app.add_middleware(GZipMiddleware, minimum_size=100)

    @app.middleware("http")  # runs the rest in a task of its own
    async def around(request: Request, call_next: Any) -> Any:
        with telemetry.tracer.start_as_current_span("around"):
            return await call_next(request)

    def plain(request: Request) -> PlainTextResponse:
        return PlainTextResponse("x" * 1000)

    router = APIRouter()
    router.add_route("/plain/{x}", plain)
    app.include_router(router, prefix="/pre")
    app.host("other.example", Router([Route("/h/{x}", plain)]))
    with client_of(app) as client:
        client.get("/pre/plain/1")
        client.get("/h/1", headers={"host": "other.example"})
        client.options("/", headers={"origin": "http://a", "access-control-request-method": "GET"})
        spans = telemetry.spans(6)
    assert [span.name for span in spans if span.kind is SpanKind.SERVER] == [
        "GET /pre/plain/{x}",
        "GET /h/{x}",
        "OPTIONS",
    ]
    parents = [span.parent.span_id if span.parent else None for span in spans]
    ids = [span.context.span_id for span in spans]
    assert parents == [None, ids[0], None, ids[2], None, ids[4]]
    sizes = {p.attributes.get("http.route"): p.sum for p in telemetry.points(RESPONSE_SIZE)}
    assert sizes["/h/{x}"] < 100, "what goes over the wire"


def test_what_mounts_a_file_server_names_the_mount(
    telemetry: Telemetry, app: FastAPI, tmp_path: Any
) -> None:
    (tmp_path / "file.txt").write_text("x" * 100_000)
    app.mount("/static", StaticFiles(directory=tmp_path))
    with client_of(app) as client:
        assert len(client.get("/static/file.txt").content) == 100_000
    assert telemetry.span().name == "GET /static/{path}"
    assert telemetry.points(RESPONSE_SIZE)[0].sum == 100_000


def test_no_raw_path_becomes_a_name_or_label(telemetry: Telemetry, app: FastAPI) -> None:
    with client_of(app) as client:
        for id in range(3):
            assert client.get(f"/nothing/{id}").status_code == 404
    assert {span.name for span in telemetry.spans(3)} == {"GET"}
    (duration,) = telemetry.points(DURATION)
    assert duration.count == 3
    assert "http.route" not in duration.attributes


def test_methods_that_are_refused_or_unknown_are_told_apart(
    telemetry: Telemetry, app: FastAPI
) -> None:
    @app.get("/items")
    def items() -> None: ...

    with client_of(app) as client:
        for method in ("HEAD", "OPTIONS", "BREW", "get"):
            client.request(method, "/items")
    spans = telemetry.spans(4)
    # httpx writes methods in capitals.
    assert [span.name for span in spans] == [
        "HEAD /items",
        "OPTIONS /items",
        "HTTP /items",
        "GET /items",
    ]
    brew = dict(spans[2].attributes or {})
    assert brew["http.request.method"] == "_OTHER"
    assert brew["http.request.method_original"] == "BREW"
    labelled = {point.attributes["http.request.method"] for point in telemetry.points(DURATION)}
    assert labelled == {"HEAD", "OPTIONS", "_OTHER", "GET"}
    heads = [
        p for p in telemetry.points(RESPONSE_SIZE) if p.attributes["http.request.method"] == "HEAD"
    ]
    assert heads[0].sum == 0, "the server sends no body"


def test_the_known_methods_can_be_replaced(
    telemetry: Telemetry, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", "GET,BREW")
    with client_of(app) as client:
        client.request("BREW", "/")
        client.post("/")
    assert [span.name for span in telemetry.spans(2)] == ["BREW", "HTTP"]


def test_an_exception_is_recorded_once_with_status_500(telemetry: Telemetry, app: FastAPI) -> None:
    @app.get("/boom")
    async def boom() -> None:
        raise LookupError("no such thing")

    with client_of(app) as client:
        assert client.get("/boom").status_code == 500
    span = telemetry.span()
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["http.response.status_code"] == 500
    assert (span.attributes or {})["error.type"] == "LookupError"
    (event,) = span.events
    assert event.name == "exception"
    assert (event.attributes or {})["exception.message"] == "no such thing"
    (duration,) = telemetry.points(DURATION)
    assert (duration.count, duration.attributes["error.type"]) == (1, "LookupError")


def test_an_answer_of_503_is_an_error_and_404_is_none(telemetry: Telemetry, app: FastAPI) -> None:
    @app.get("/{status}")
    async def answer(status: int) -> None:
        raise HTTPException(status)

    with client_of(app) as client:
        client.get("/503")
        client.get("/404")
    failed, missing = telemetry.spans(2)
    assert failed.status.status_code is StatusCode.ERROR
    assert (failed.attributes or {})["error.type"] == "503"
    assert missing.status.status_code is StatusCode.UNSET
    assert "error.type" not in (missing.attributes or {})


def test_a_streamed_response_is_measured_to_its_end(telemetry: Telemetry, app: FastAPI) -> None:
    @app.get("/stream/{chunks}")
    async def stream(chunks: int) -> StreamingResponse:
        async def body() -> AsyncIterator[bytes]:
            for _ in range(chunks):
                with telemetry.tracer.start_as_current_span("chunk"):
                    await asyncio.sleep(0.05)
                yield b"x" * 1000

        return StreamingResponse(body())

    with client_of(app) as client:
        client.get("/stream/4")
        telemetry.spans(5)
        telemetry.clear()
        assert len(client.get("/stream/2").content) == 2000
        request, *chunks = telemetry.spans(3)
    assert request.name == "GET /stream/{chunks}"
    assert {chunk.parent.span_id for chunk in chunks if chunk.parent} == {request.context.span_id}
    assert (request.end_time or 0) >= (chunks[-1].end_time or 0)
    (size,) = telemetry.points(RESPONSE_SIZE)
    assert (size.count, size.sum, size.min) == (2, 6000, 2000)
    assert telemetry.points(DURATION)[0].min >= 0.1


def test_a_stream_that_breaks_is_an_error_of_the_request(
    telemetry: Telemetry, app: FastAPI
) -> None:
    @app.get("/stream")
    async def stream() -> StreamingResponse:
        def body() -> Iterator[bytes]:
            yield b"x"
            raise OSError("disk on fire")

        return StreamingResponse(body())

    with client_of(app) as client, pytest.raises(httpx.RemoteProtocolError):
        client.get("/stream")
    span = telemetry.span()
    assert "error.type" in (span.attributes or {})
    assert (span.attributes or {})["http.response.status_code"] == 200
    assert span.status.status_code is StatusCode.ERROR
    assert len(span.events) == 1


def test_a_client_that_leaves_is_no_error(telemetry: Telemetry, app: FastAPI) -> None:
    @app.get("/endless")
    async def endless() -> StreamingResponse:
        async def body() -> AsyncIterator[bytes]:
            while True:
                yield b"x" * 1000
                await asyncio.sleep(0.01)

        return StreamingResponse(body())

    with serving(app) as address:
        with httpx.stream("GET", address + "/endless") as response:
            next(response.iter_bytes())
        span = telemetry.span()
    assert span.status.status_code is StatusCode.UNSET
    assert telemetry.points(RESPONSE_SIZE)[0].sum >= 1000


def test_background_tasks_belong_to_the_trace_and_not_to_the_duration(
    telemetry: Telemetry, app: FastAPI
) -> None:
    release = threading.Event()

    def work() -> None:
        with telemetry.tracer.start_as_current_span("work"):
            release.wait(5)

    @app.post("/jobs")
    async def jobs(tasks: BackgroundTasks) -> None:
        tasks.add_task(work)

    with client_of(app) as client:
        client.post("/jobs")
        request = telemetry.span()  # ended, and measured, though the task runs
        assert telemetry.points(DURATION)[0].count == 1
        release.set()
        telemetry.spans(2)
    work_span = next(span for span in telemetry.spans(2) if span.name == "work")
    assert work_span.parent is not None
    assert work_span.parent.span_id == request.context.span_id


def test_a_websocket_is_one_span_from_accept_to_close(telemetry: Telemetry, app: FastAPI) -> None:
    @app.websocket("/rooms/{room}")
    async def room(socket: WebSocket, room: str) -> None:
        await socket.accept()
        while True:  # until the client leaves: WebSocketDisconnect
            await socket.send_text(await socket.receive_text())

    with serving(app) as address:
        with connect(address.replace("http", "ws") + "/rooms/7") as socket:
            socket.send("hello")
            assert socket.recv() == "hello"
            assert telemetry.spans() == []
        span = telemetry.span()
    assert (span.name, span.kind) == ("WS /rooms/{room}", SpanKind.SERVER)
    assert (span.attributes or {})["network.protocol.name"] == "websocket"
    assert span.status.status_code is StatusCode.UNSET
    assert telemetry.points(DURATION) == []


def test_the_trace_of_a_caller_is_continued(telemetry: Telemetry, app: FastAPI) -> None:
    seen: dict[str, object] = {}

    @app.get("/")
    def root() -> None:  # in a worker thread
        seen["baggage"] = baggage.get_baggage("tenant")
        seen["trace"] = trace.get_current_span().get_span_context().trace_id

    headers = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01", "baggage": "tenant=acme"}
    with client_of(app) as client:
        client.get("/", headers=headers)
    span = telemetry.span()
    assert span.parent is not None
    assert span.parent.is_remote
    assert f"{span.context.trace_id:032x}" == "a" * 32
    assert seen == {"baggage": "acme", "trace": span.context.trace_id}


def test_a_caller_that_is_not_trusted_is_linked_to(telemetry: Telemetry) -> None:
    integrations.instrument("fastapi", trust_inbound=False)
    app, seen = FastAPI(), []

    @app.get("/")
    async def root() -> None:
        seen.append(baggage.get_all())

    headers = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-00", "baggage": "tenant=acme"}
    with client_of(app) as client:
        client.get("/", headers=headers)
    span = telemetry.span()  # sampled, though the caller's flag says no
    assert span.parent is None
    assert f"{span.context.trace_id:032x}" != "a" * 32
    assert [f"{link.context.trace_id:032x}" for link in span.links] == ["a" * 32]
    assert seen == [{}]


def test_secrets_in_the_query_are_taken_out(telemetry: Telemetry, app: FastAPI) -> None:
    with client_of(app) as client:
        client.get("/?page=2&api_key=abc&X-Amz-Signature=def&sig=ghi&user%5Bpassword%5D=jkl&empty")
    query = attributes(telemetry)["url.query"]
    assert query.startswith("page=2&")
    assert query.endswith("&empty")
    assert not any(secret in query for secret in ("abc", "def", "ghi", "jkl"))


def test_left_out_paths_are_left_out_exactly(telemetry: Telemetry) -> None:
    integrations.instrument("fastapi", excluded_paths=["/metrics", "/health"])
    app = FastAPI()

    @app.get("/metrics")
    @app.get("/health")
    def probe() -> None: ...

    with client_of(app) as client:
        for path in ("/metrics", "/health", "/metrics?x=1", "/health/"):
            assert client.get(path, follow_redirects=True).status_code == 200
        assert telemetry.spans() == []
        assert telemetry.points(DURATION) == []
        paths = ("/customers-metrics-report", "/health/detailed", "/metrics2", "/x/metrics")
        for path in paths:
            client.get(path)
    assert [(span.attributes or {})["url.path"] for span in telemetry.spans(4)] == list(paths)


@pytest.mark.parametrize("stripped", [True, False])
def test_left_out_paths_are_the_applications_own_behind_a_proxy(
    telemetry: Telemetry, stripped: bool
) -> None:
    integrations.instrument("fastapi", excluded_paths=["/health"])
    with client_of(behind("/api", FastAPI(), stripped=stripped)) as client:
        client.get("/health")
    assert telemetry.spans() == []


def test_only_named_applications_are_instrumented_by_hand(telemetry: Telemetry) -> None:
    named, other = FastAPI(), FastAPI()
    instrument_fastapi(named)
    instrument_fastapi(named)
    for app in (named, other):
        with client_of(app) as client:
            client.get("/")
    scopes = [span.instrumentation_scope for span in telemetry.spans()]
    # FastAPI's own telemetry, where it has one, serves what is not ours.
    assert [scope.name for scope in scopes if scope and scope.name != "fastapi"] == [
        "otelkit.fastapi"
    ]


def test_naming_an_application_and_all_of_them_still_gives_one_span(telemetry: Telemetry) -> None:
    app = FastAPI()
    instrument_fastapi(app)
    integrations.instrument("fastapi")
    instrument_fastapi(app)
    with client_of(app) as client:
        client.get("/")
    telemetry.span()


def test_what_is_no_application_is_refused_with_advice() -> None:
    with pytest.raises(ConfigError, match=r"takes a FastAPI application, not APIRouter; give it"):
        instrument_fastapi(APIRouter())  # type: ignore[arg-type]


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fastapi.applications", None)
    with pytest.raises(MissingExtraError, match=r"otelkit\[fastapi\]"):
        instrument_fastapi(FastAPI())


def test_an_application_that_contrib_instruments_is_left_to_it(telemetry: Telemetry) -> None:
    integrations.instrument("fastapi")
    app = FastAPI()
    FastAPIInstrumentor.instrument_app(app, exclude_spans=["send", "receive"])
    with client_of(app) as client:
        client.get("/")
    assert telemetry.span().instrumentation_scope is not None
    assert telemetry.span().instrumentation_scope.name.endswith("instrumentation.fastapi")
    FastAPIInstrumentor.uninstrument_app(app)


def test_contribs_flag_without_its_middleware_leaves_no_request_without_a_span(
    telemetry: Telemetry,
) -> None:
    integrations.instrument("fastapi")
    app = FastAPI()
    with client_of(app) as client:
        client.get("/")
        FastAPIInstrumentor.instrument_app(app)  # too late for contrib: the stack is built
        client.get("/")
    assert [span.name for span in telemetry.spans(2)] == ["GET", "GET"]
    FastAPIInstrumentor.uninstrument_app(app)


def test_fastapis_own_exporters_stay_off(
    telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    app = FastAPI()  # reads the variable
    integrations.instrument("fastapi")
    added: list[object] = []
    monkeypatch.setattr(telemetry.tracer_provider, "add_span_processor", added.append)
    with client_of(app) as client:
        client.get("/")
    assert added == []
    telemetry.span()


def test_nothing_stays_behind_when_it_is_undone(telemetry: Telemetry) -> None:
    from starlette.routing import Mount, WebSocketRoute

    def hooked() -> list[object]:
        return [FastAPI.__call__, Route.handle, WebSocketRoute.handle, Mount.handle]

    before = hooked()
    for by_hand in (False, True):
        instrument_fastapi(FastAPI()) if by_hand else integrations.instrument("fastapi")
        assert not set(before) & set(hooked())
        integrations.uninstrument()
        assert hooked() == before


def test_a_request_that_cannot_be_described_is_served_all_the_same(
    telemetry: Telemetry, app: FastAPI
) -> None:
    @app.get("/")
    async def root() -> str:
        return "served"

    async def hostile(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope["scheme"] = ["not", "text"]
        await app(scope, receive, send)

    with client_of(hostile) as client:
        assert client.get("/").json() == "served"
