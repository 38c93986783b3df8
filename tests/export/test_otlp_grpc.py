"""OTLP over gRPC, as real servers take it and answer."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
import trustme
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from otelkit.export.exporter import Answer
from otelkit.export.otlp_grpc import OtlpGrpcExporter
from otelkit.settings import Otlp
from tests.export.test_otlp import span
from tests.lifecycle import peers
from tests.lifecycle.peers import GrpcReceiver, Receiver, refusing


@contextlib.contextmanager
def serving(
    behave: Callable[[bytes, Any], bytes], tls: grpc.ServerCredentials | None = None, port: int = 0
) -> Iterator[str]:
    class Services(grpc.GenericRpcHandler):
        def service(self, call: Any) -> Any:
            return grpc.unary_unary_rpc_method_handler(behave)

    server = grpc.server(ThreadPoolExecutor(2), handlers=[Services()])
    address = f"127.0.0.1:{port}"
    port = server.add_secure_port(address, tls) if tls else server.add_insecure_port(address)
    server.start()
    yield f"http{'s' if tls else ''}://127.0.0.1:{port}"
    server.stop(None).wait()


@contextlib.contextmanager
def exporter(url: str, **options: Any) -> Iterator[OtlpGrpcExporter]:
    settings = {"headers": {}, "timeout": 5.0, "compression": "none", **options}
    made = OtlpGrpcExporter("traces", Otlp(url, "grpc", **settings))
    yield made
    made.close()


def send(url: str, *items: Any, timeout: float = 60.0, **options: Any) -> Answer:
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


@pytest.mark.parametrize(
    "details",
    [
        "SERVER: Received message larger than max (5 vs. 4)",
        "gRPC message exceeds maximum size 4194304: 5000000",
        "Error, decoded message length too large: found 5 bytes, the limit is: 4 bytes",
    ],
)
def test_a_message_that_is_too_large_is_known_by_the_words_of_servers(details: str) -> None:
    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    if "decoded" in details:
        code = grpc.StatusCode.OUT_OF_RANGE
    with serving(refusal(code, details)) as url:
        assert send(url).outcome == "too_large"


def test_a_real_server_says_that_a_message_is_too_large() -> None:
    with serving(lambda body, context: b"") as url:
        assert send(url, span(text="x" * 5_000_000), timeout=60).outcome == "too_large"


def test_a_server_cannot_write_lines_of_a_log_and_shows_no_secret() -> None:
    words = "no such key:\nsecret-key-1\x1b[31m"
    behave = refusal(grpc.StatusCode.UNAUTHENTICATED, words)
    with serving(behave) as url:
        answer = send(url, headers={"authorization": "Bearer secret-key-1"})
    assert answer.error == "answered UNAUTHENTICATED: no such key: [redacted] [31m"


def test_a_silent_server_is_worth_another_try_once_the_time_is_up() -> None:
    answered = threading.Event()

    def wait(body: bytes, context: Any) -> bytes:
        answered.wait(60)
        return b""

    with serving(wait) as url:
        answer = send(url, timeout=0.3)
        answered.set()
    assert answer.outcome == "retry"


def test_large_requests_and_many_go_over_one_connection() -> None:
    bodies: list[bytes] = []
    clients = set()

    def take(body: bytes, context: Any) -> bytes:
        bodies.append(body)
        clients.add(context.peer())
        return b""

    with serving(take) as url, exporter(url) as sender:
        (large,), _ = sender.prepare([span(text="x" * 3_000_000)])
        (small,), _ = sender.prepare([span()])
        batches = [large, *[small] * 100, large]
        answers = [sender.send(batch, 60) for batch in batches]
    assert answers == [Answer("sent")] * 102
    assert bodies == [batch.payload for batch in batches]
    assert len(clients) == 1


def test_a_server_that_was_restarted_meanwhile_gets_the_next_request() -> None:
    with contextlib.ExitStack() as stack:
        with serving(lambda body, context: b"") as url:
            sender = stack.enter_context(exporter(url))
            (batch,), _ = sender.prepare([span()])
            assert sender.send(batch, 60) == Answer("sent")
        port = int(url.rpartition(":")[2])
        with serving(lambda body, context: b"", port=port):
            assert sender.send(batch, 60) == Answer("sent")


def test_nobody_there_is_worth_another_try() -> None:
    with refusing() as url:
        assert send(url).outcome == "retry"


def test_after_a_fork_the_connection_is_a_new_one() -> None:
    with GrpcReceiver() as receiver, exporter(receiver.url) as sender:
        for _ in range(2):
            (batch,), _ = sender.prepare([span()])
            assert sender.send(batch, 5).outcome == "sent"
            sender.reset()
        assert receiver.spans() == {"work": 2}


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def credentials(authority: trustme.CA, *, of_client: bool = False) -> grpc.ServerCredentials:
    own = authority.issue_cert("localhost", "127.0.0.1")
    chain = b"".join(part.bytes() for part in own.cert_chain_pems)
    root = authority.cert_pem.bytes() if of_client else None
    return grpc.ssl_server_credentials([(own.private_key_pem.bytes(), chain)], root, of_client)


def test_a_certificate_of_a_named_authority_is_trusted_and_no_other(authority: trustme.CA) -> None:
    with (
        authority.cert_pem.tempfile() as file,
        serving(lambda body, context: b"", credentials(authority)) as url,
    ):
        assert send(url, certificate=file) == Answer("sent")
        answer = send(url)
        assert answer.outcome == "retry"
        assert "certificate verify failed" in answer.error


def test_a_client_shows_its_own_certificate(authority: trustme.CA) -> None:
    own = authority.issue_cert("client")
    with (
        authority.cert_pem.tempfile() as root,
        own.private_key_pem.tempfile() as key,
        own.cert_chain_pems[0].tempfile() as chain,
        serving(lambda body, context: b"", credentials(authority, of_client=True)) as url,
    ):
        shown = {"certificate": root, "client_key": key, "client_certificate": chain}
        assert send(url, **shown) == Answer("sent")
        assert send(url, certificate=root).outcome == "retry"


def test_a_certificate_that_cannot_be_read_is_named() -> None:
    with peers.talking(peers.silence) as url:
        answer = send(url.replace("http:", "https:"), certificate="/no/such/file")
    assert answer == Answer("retry", "No such file or directory: /no/such/file")


def test_a_port_of_something_else_is_said_so() -> None:
    with Receiver() as receiver:
        answer = send(receiver.url)
    assert answer == Answer("retry", "the answer is not HTTP/2; is the port right?")


def test_a_header_that_cannot_be_sent_is_a_failure_without_its_value() -> None:
    with peers.talking(peers.silence) as url:
        answer = send(url, headers={":odd": "secret"})
    assert answer.outcome == "failed"
    assert ":odd" in answer.error
    assert "secret" not in answer.error
