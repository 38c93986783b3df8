"""OTLP over gRPC: the answers of a real server understood, and forks survived."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from otelkit.export.exporter import Answer
from otelkit.export.otlp_grpc import OtlpGrpcExporter
from otelkit.settings import Otlp
from tests.export.test_otlp import span
from tests.lifecycle.peers import GrpcReceiver, refusing


@contextlib.contextmanager
def serving(behave: Callable[[bytes, Any], bytes]) -> Iterator[str]:
    class Services(grpc.GenericRpcHandler):
        def service(self, call: Any) -> Any:
            return grpc.unary_unary_rpc_method_handler(behave)

    server = grpc.server(ThreadPoolExecutor(2), handlers=[Services()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"http://127.0.0.1:{port}"
    server.stop(None).wait()


@contextlib.contextmanager
def exporter(url: str, **options: Any) -> Iterator[OtlpGrpcExporter]:
    settings = {"headers": {}, "timeout": 5.0, "compression": "none", **options}
    made = OtlpGrpcExporter("traces", Otlp(url, "grpc", **settings))
    yield made
    made.close()


def send(url: str, *items: Any, timeout: float = 10.0, **options: Any) -> Answer:
    with exporter(url, **options) as sender:
        (batch,), _ = sender.prepare(items or [span()])
        return sender.send(batch, timeout)


@pytest.mark.parametrize("compression", ["none", "gzip", "deflate"])
def test_spans_and_headers_arrive_however_they_are_packed(compression: str) -> None:
    seen: list[Any] = []

    def take(body: bytes, context: Any) -> bytes:
        seen.extend(context.invocation_metadata())
        return b""

    with serving(take) as url:
        answer = send(url, compression=compression, headers={"x-api-key": "secret"})
    assert answer == Answer("sent")
    assert ("x-api-key", "secret") in seen


def refusal(code: grpc.StatusCode, details: str, *metadata: tuple[str, bytes]) -> Any:
    def refuse(body: bytes, context: Any) -> bytes:
        context.set_trailing_metadata(metadata)
        context.abort(code, details)
        return b""

    return refuse


@pytest.mark.parametrize(
    ("code", "details", "outcome"),
    [
        (grpc.StatusCode.UNAVAILABLE, "later", "retry"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "busy", "retry"),
        (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "grpc: received message larger than max (5 vs. 4)",
            "too_large",
        ),
        (grpc.StatusCode.UNAUTHENTICATED, "who?", "failed"),
        (grpc.StatusCode.INVALID_ARGUMENT, "what?", "failed"),
        (grpc.StatusCode.UNIMPLEMENTED, "here?", "failed"),
    ],
)
def test_answers_are_understood_as_the_specification_has_them(
    code: grpc.StatusCode, details: str, outcome: str
) -> None:
    with serving(refusal(code, details)) as url:
        answer = send(url)
    assert answer == Answer(outcome, f"answered {code.name}: {details}")


def test_a_server_says_when_to_come_again() -> None:
    packed = AnyMessage()
    packed.Pack(RetryInfo(retry_delay=Duration(seconds=7)))
    status = Status(code=14, details=[packed]).SerializeToString()
    behave = refusal(grpc.StatusCode.UNAVAILABLE, "later", ("grpc-status-details-bin", status))
    with serving(behave) as url:
        assert send(url).retry_after == 7.0


def test_a_silent_server_takes_no_longer_than_the_timeout() -> None:
    answered = threading.Event()

    def wait(body: bytes, context: Any) -> bytes:
        answered.wait(30)
        return b""

    with serving(wait) as url:
        answer = send(url, timeout=0.3)
        answered.set()
    assert answer.outcome == "retry"
    assert "DEADLINE_EXCEEDED" in answer.error


def test_nobody_there_is_worth_another_try() -> None:
    with refusing() as url:
        assert send(url).outcome == "retry"


def test_a_request_that_would_hold_up_a_fork_is_ended_and_sent_again() -> None:
    bodies: list[bytes] = []
    first, answered = threading.Event(), threading.Event()

    def behave(body: bytes, context: Any) -> bytes:
        bodies.append(body)
        if len(bodies) == 1:
            first.set()
            answered.wait(30)
        return b""

    with serving(behave) as url, exporter(url) as sender:
        (batch,), _ = sender.prepare([span()])
        answers: list[Answer] = []
        thread = threading.Thread(target=lambda: answers.append(sender.send(batch, 20)))
        thread.start()
        assert first.wait(10)
        sender.hold()
        sender.release()
        thread.join(20)
        answered.set()
    assert answers == [Answer("sent")]
    assert bodies[0] == bodies[1]


def test_after_a_fork_the_connection_is_a_new_one() -> None:
    with GrpcReceiver() as receiver, exporter(receiver.url) as sender:
        for _ in range(2):
            (batch,), _ = sender.prepare([span()])
            assert sender.send(batch, 5).outcome == "sent"
            sender.reset()
        assert receiver.spans() == {"work": 2}


def test_a_certificate_that_cannot_be_read_is_a_failure_with_a_reason() -> None:
    answer = send("https://127.0.0.1:1", certificate="/no/such/file")
    assert answer.outcome == "failed"
    assert "/no/such/file" in answer.error
