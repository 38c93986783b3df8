"""The request id middleware, driven as ASGI."""

from __future__ import annotations

import asyncio
import logging
import uuid
from typing import Any

import pytest
from opentelemetry import trace
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from otelkit import context
from otelkit.logs import RequestIdMiddleware, correlation
from tests.logs.conftest import Exported

Headers = list[tuple[bytes, bytes]]


class Connection:
    """One request to an application, and what came back."""

    def __init__(self, app: Any, headers: Headers = [], type: str = "http") -> None:  # noqa: B006
        self.messages: list[Any] = []
        self.scope: dict[str, Any] = {"type": type, "path": "/", "headers": headers}
        self._app = app

    async def _receive(self) -> Any:
        return {"type": "http.request"}

    async def _send(self, message: Any) -> None:
        self.messages.append(message)

    async def serve(self) -> None:
        await self._app(self.scope, self._receive, self._send)

    def run(self) -> Connection:
        asyncio.run(self.serve())
        return self

    @property
    def answered(self) -> list[bytes]:
        return [value for name, value in self.messages[0]["headers"] if name == b"x-request-id"]


async def hello(scope: Any, receive: Any, send: Any) -> None:
    logging.getLogger("shop").warning("inside")
    await send({"type": "http.response.start", "status": 200, "headers": ((b"a", b"b"),)})
    await send({"type": "http.response.body", "body": b"x"})


def test_a_request_without_id_gets_a_uuid_in_response_and_records(exported: Exported) -> None:
    exported.install(log_format="off")
    (answered,) = Connection(RequestIdMiddleware(hello)).run().answered
    assert str(uuid.UUID(answered.decode())) == answered.decode()
    assert exported.attributes()["otelkit.request.id"] == answered.decode()


@pytest.mark.parametrize("given", [b"r1", b"550e8400-e29b-41d4-a716-446655440000", b"a" * 128])
def test_a_valid_id_is_taken(given: bytes) -> None:
    app = RequestIdMiddleware(hello)
    assert Connection(app, [(b"X-Request-ID", given)]).run().answered == [given]


@pytest.mark.parametrize(
    "given",
    [b"", b"a b", b"a\nb", b'a"b', b"<script>", b"\xff", b"a" * 129, b"r1\r\nx: y", b"r1\n"],
)
def test_an_invalid_id_is_replaced(given: bytes) -> None:
    app = RequestIdMiddleware(hello)
    (answered,) = Connection(app, [(b"x-request-id", given)]).run().answered
    assert answered != given
    uuid.UUID(answered.decode())


def test_other_headers_stay() -> None:
    connection = Connection(RequestIdMiddleware(hello)).run()
    assert (b"a", b"b") in connection.messages[0]["headers"]


def test_an_id_that_the_application_answers_with_is_left_to_it() -> None:
    async def own(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"X-Request-Id", b"mine")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})

    connection = Connection(RequestIdMiddleware(own)).run()
    assert connection.messages[0]["headers"] == [(b"X-Request-Id", b"mine")]


def test_the_application_can_read_the_id() -> None:
    seen = []

    async def reader(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope["otelkit.request_id"], context.bound()["otelkit.request.id"]))

    Connection(RequestIdMiddleware(reader), [(b"x-request-id", b"r1")]).run()
    assert seen == [("r1", "r1")]


def test_the_current_span_gets_the_id(exported: Exported) -> None:
    with exported.tracer.start_as_current_span("GET /") as span:
        Connection(RequestIdMiddleware(hello), [(b"x-request-id", b"r1")]).run()
    assert span.attributes["otelkit.request.id"] == "r1"  # type: ignore[attr-defined]


def test_a_second_middleware_changes_nothing() -> None:
    app = RequestIdMiddleware(RequestIdMiddleware(hello))
    assert len(Connection(app).run().answered) == 1


@pytest.mark.parametrize("answer", ["websocket.accept", "websocket.http.response.start"])
def test_websockets_are_answered_with_the_id(answer: str) -> None:
    async def answering(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": answer})

    connection = Connection(
        RequestIdMiddleware(answering), [(b"x-request-id", b"r1")], type="websocket"
    )
    assert connection.run().answered == [b"r1"]


def test_a_websocket_that_is_refused_gives_tests_of_the_application_its_close_code() -> None:
    async def refusing(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.close", "code": 1008, "reason": "not you"})

    client = TestClient(RequestIdMiddleware(refusing))
    with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect("/"):
        pass
    assert (refused.value.code, refused.value.reason) == (1008, "not you")


def test_lifespan_is_passed_on() -> None:
    seen = []

    async def lifespan(scope: Any, receive: Any, send: Any) -> None:
        seen.append(dict(scope))

    Connection(RequestIdMiddleware(lifespan), type="lifespan").run()
    assert "otelkit.request_id" not in seen[0]


def test_concurrent_requests_keep_their_ids(exported: Exported) -> None:
    exported.install(log_format="off")

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0)
        logging.getLogger("shop").warning(scope["otelkit.request_id"])

    async def main() -> None:
        app = RequestIdMiddleware(slow)
        connections = [
            Connection(app, [(b"x-request-id", f"r{n}".encode())]).serve() for n in range(20)
        ]
        await asyncio.gather(*connections)

    asyncio.run(main())
    found = [
        (record.log_record.body, (record.log_record.attributes or {})["otelkit.request.id"])
        for record in exported.records
    ]
    assert len(found) == 20
    assert all(body == id for body, id in found)


def test_what_the_server_logs_of_an_uncaught_exception_belongs_to_the_request(
    exported: Exported,
) -> None:
    exported.install(log_format="off")
    spans = []

    async def failing(scope: Any, receive: Any, send: Any) -> None:
        raise LookupError

    async def server() -> None:
        # As the server span is made: around the middleware, ended when the exception passes.
        try:
            with exported.tracer.start_as_current_span("GET /") as span:
                spans.append(span)
                await Connection(RequestIdMiddleware(failing), [(b"x-request-id", b"r1")]).serve()
        except LookupError:
            logging.getLogger("uvicorn.error").exception("Exception in ASGI application")

    asyncio.run(server())
    (record,) = exported.records
    assert record.log_record.trace_id == spans[0].get_span_context().trace_id
    assert exported.attributes()["otelkit.request.id"] == "r1"


def test_a_server_span_inside_of_the_middleware_is_found_too(exported: Exported) -> None:
    exported.install(log_format="off")
    spans = []

    async def traced(scope: Any, receive: Any, send: Any) -> None:
        with exported.tracer.start_as_current_span("GET /") as span:
            spans.append(span)
            await hello(scope, receive, send)

    async def server() -> None:
        await Connection(RequestIdMiddleware(traced)).serve()
        assert not trace.get_current_span().get_span_context().is_valid
        logging.getLogger("gunicorn.access").warning("done")

    asyncio.run(server())
    assert {r.log_record.body: r.log_record.trace_id for r in exported.records} == {
        "inside": spans[0].get_span_context().trace_id,
        "done": spans[0].get_span_context().trace_id,
    }


def test_no_request_is_remembered_outside_of_its_task() -> None:
    Connection(RequestIdMiddleware(hello)).run()
    assert correlation.request.get() is None
