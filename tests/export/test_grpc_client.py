"""Calls of gRPC against peers that do what they like: within the deadline, and no call twice."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trustme
from h2.errors import ErrorCodes
from h2.events import DataReceived, RequestReceived, StreamReset
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otelkit.export.grpc_client import Client, Reply
from otelkit.export.http2 import NOT_HTTP2, Connection
from tests.export.http2_peer import OK, Peer, serving
from tests.lifecycle import peers
from tests.processes import python

METHOD = "/a.Service/Call"
FINE = Reply("OK", "")

Make = Callable[..., Client]


@pytest.fixture
def client() -> Iterator[Make]:
    made: list[Client] = []

    def make(url: str, **options: Any) -> Client:
        made.append(Client(url, options.pop("headers", {}), **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


def take(peer: Peer) -> None:
    """Answers one request."""
    peer.request()
    peer.answer()


def wait(peer: Peer) -> None:
    """Says nothing until the client goes."""
    peer.wait_for_the_end()


def stay(peer: Peer) -> None:
    """Answers requests until the client goes."""
    with contextlib.suppress(EOFError):
        while True:
            take(peer)


# --- Requests


def test_a_request_says_what_it_is_and_how_long_there_is_time(client: Make) -> None:
    seen: dict[str, str] = {}

    def talk(peer: Peer) -> None:
        take(peer)
        seen.update(peer.headers)

    with serving(talk) as url:
        assert client(url, headers={"X-Key": "a b", "x-bin": "ä"}).call(METHOD, b"", 60) == FINE
    assert 0 < int(seen.pop("grpc-timeout").removesuffix("m")) <= 60_000
    assert seen == {
        ":method": "POST",
        ":scheme": "http",
        ":authority": url.removeprefix("http://"),
        ":path": METHOD,
        "te": "trailers",
        "content-type": "application/grpc",
        "user-agent": "otelkit",
        "x-key": "a b",
        "x-bin": "w6Q",
    }


def test_a_header_that_http2_does_not_allow_is_named_and_its_value_is_not(client: Make) -> None:
    with (
        peers.talking(peers.silence) as url,
        pytest.raises(ValueError, match=":odd") as raised,
    ):
        client(url, headers={":odd": "secret"}).call(METHOD, b"", 60)
    assert "secret" not in str(raised.value)


def test_a_connection_is_kept_for_the_next_call(client: Make) -> None:
    with serving(stay) as url:
        sender = client(url)
        for _ in range(3):
            assert sender.call(METHOD, b"x", 60) == FINE
        sender.close()


def test_a_body_is_sent_as_slowly_as_the_peer_has_room_for_it(client: Make) -> None:
    message, bodies = b"0123456789" * 20_000, []

    def talk(peer: Peer) -> None:
        peer.until(RequestReceived)
        while len(peer.body) < len(message) + 5:
            peer.until(DataReceived, grant=False)
            if len(peer.body) >= 65_535:  # all that may be sent unasked
                peer.h2.increment_flow_control_window(5000, peer.stream)
                peer.h2.increment_flow_control_window(3000)
        bodies.append(peer.body[5:])
        peer.answer()

    with serving(talk) as url:
        assert client(url).call(METHOD, message, 60) == FINE
    assert bodies == [message]


def test_an_answer_before_the_end_of_a_body_is_taken(client: Make) -> None:
    def talk(peer: Peer) -> None:
        peer.until(DataReceived, grant=False)
        peer.only(*OK, ("grpc-status", "8"), ("grpc-message", "larger than max"))
        assert peer.until(StreamReset).error_code == ErrorCodes.CANCEL
        take(peer)

    with serving(talk) as url:
        sender = client(url)
        assert sender.call(METHOD, b"x" * 200_000, 60).code == "RESOURCE_EXHAUSTED"
        assert sender.call(METHOD, b"x", 60) == FINE


# --- Answers


def test_an_answer_has_a_message_a_status_and_words(client: Make) -> None:
    def talk(peer: Peer) -> None:
        peer.request()
        peer.answer(
            ("grpc-status", "5"),
            ("grpc-message", "nicht 100%25 %C3%BCblich"),
            ("grpc-status-details-bin", "AQID"),
            message=b"\0\0\0\0\x03abc",
        )

    with serving(talk) as url:
        reply = client(url).call(METHOD, b"", 60)
    assert reply == Reply("NOT_FOUND", "nicht 100% üblich", b"\x01\x02\x03", b"abc")


@pytest.mark.parametrize(
    ("headers", "code", "text"),
    [
        ([*OK, ("grpc-status", "14")], "UNAVAILABLE", ""),
        ([*OK, ("grpc-status", "99")], "UNKNOWN", ""),
        ([(":status", "503"), ("grpc-status", "3")], "INVALID_ARGUMENT", ""),
        (OK, "UNKNOWN", "HTTP 200 without a status of gRPC"),
        ([(":status", "400")], "INTERNAL", "HTTP 400 without a status of gRPC"),
        ([(":status", "401")], "UNAUTHENTICATED", "HTTP 401 without a status of gRPC"),
        ([(":status", "403")], "PERMISSION_DENIED", "HTTP 403 without a status of gRPC"),
        ([(":status", "404")], "UNIMPLEMENTED", "HTTP 404 without a status of gRPC"),
        ([(":status", "429")], "UNAVAILABLE", "HTTP 429 without a status of gRPC"),
        ([(":status", "500")], "UNKNOWN", "HTTP 500 without a status of gRPC"),
        ([(":status", "502")], "UNAVAILABLE", "HTTP 502 without a status of gRPC"),
    ],
)
def test_an_answer_of_headers_alone_has_a_status(
    client: Make, headers: list[tuple[str, str]], code: str, text: str
) -> None:
    def talk(peer: Peer) -> None:
        peer.request()
        peer.only(*headers)

    with serving(talk) as url:
        assert client(url).call(METHOD, b"", 60) == Reply(code, text)


@pytest.mark.parametrize(
    ("reset", "code"),
    [
        (ErrorCodes.NO_ERROR, "INTERNAL"),
        (ErrorCodes.INTERNAL_ERROR, "INTERNAL"),
        (ErrorCodes.CANCEL, "CANCELLED"),
        (ErrorCodes.ENHANCE_YOUR_CALM, "RESOURCE_EXHAUSTED"),
    ],
)
def test_a_request_that_the_peer_gives_up_has_a_status(
    client: Make, reset: ErrorCodes, code: str
) -> None:
    def talk(peer: Peer) -> None:
        peer.request()
        peer.h2.reset_stream(peer.stream, reset)
        peer.wait_for_the_end()

    with serving(talk) as url:
        sender = client(url)
        assert sender.call(METHOD, b"", 60).code == code
        sender.close()


def test_of_a_long_answer_the_beginning_is_kept_and_the_end_is_read(client: Make) -> None:
    def talk(peer: Peer) -> None:
        peer.request()
        peer.h2.send_headers(peer.stream, OK)
        left = 300_000
        while left:
            size = min(left, 16_384, peer.h2.local_flow_control_window(peer.stream))
            if not size:
                peer.next()  # more room
                continue
            peer.h2.send_data(peer.stream, b"\0" * size)
            left -= size
        peer.h2.send_headers(peer.stream, [("grpc-status", "0")], end_stream=True)
        peer.flush()

    with serving(talk) as url:
        assert client(url).call(METHOD, b"", 60) == FINE


def test_a_ping_is_answered_between_two_calls_and_within_one(client: Make) -> None:
    def talk(peer: Peer) -> None:
        take(peer)
        peer.ping()
        peer.request()
        peer.ping()
        peer.answer()

    with serving(talk) as url:
        sender = client(url)
        assert sender.call(METHOD, b"x", 60) == FINE
        assert sender.call(METHOD, b"x", 60) == FINE


# --- Once more, or not


def test_a_kept_connection_that_the_peer_has_closed_is_made_anew(client: Make) -> None:
    closed = threading.Event()

    def talk(peer: Peer) -> None:
        take(peer)
        peer.close()
        closed.set()

    with serving(talk, take) as url:
        sender = client(url)
        assert sender.call(METHOD, b"x", 60) == FINE
        assert closed.wait(60)
        assert sender.call(METHOD, b"x", 60) == FINE


def test_a_kept_connection_that_breaks_before_an_answer_is_made_anew(client: Make) -> None:
    def talk(peer: Peer) -> None:
        take(peer)
        peer.request()
        peer.close()

    with serving(talk, take) as url:
        sender = client(url)
        assert sender.call(METHOD, b"x", 60) == FINE
        assert sender.call(METHOD, b"x", 60) == FINE


def test_a_new_connection_that_breaks_before_an_answer_is_an_error(client: Make) -> None:
    def talk(peer: Peer) -> None:
        peer.request()
        peer.close()

    with serving(talk) as url:
        sender = client(url)
        with pytest.raises(ConnectionError):
            sender.call(METHOD, b"x", 60)


def test_a_kept_connection_that_breaks_within_an_answer_is_an_error(client: Make) -> None:
    def talk(peer: Peer) -> None:
        take(peer)
        peer.request()
        peer.h2.send_headers(peer.stream, OK)
        peer.flush()
        peer.close()

    with serving(talk) as url:
        sender = client(url)
        assert sender.call(METHOD, b"x", 60) == FINE
        with pytest.raises(ConnectionError):
            sender.call(METHOD, b"x", 60)


def refuse(peer: Peer) -> None:
    peer.request()
    peer.h2.reset_stream(peer.stream, ErrorCodes.REFUSED_STREAM)
    peer.wait_for_the_end()


def leave(peer: Peer) -> None:
    peer.request()
    peer.goaway(last_stream=0)
    peer.wait_for_the_end()


@pytest.mark.parametrize("talk", [refuse, leave])
def test_a_request_that_was_not_looked_at_is_sent_again_once(client: Make, talk: Any) -> None:
    bodies = []

    def answer(peer: Peer) -> None:
        bodies.append(peer.request())
        peer.answer()

    with serving(talk, answer) as url:
        assert client(url).call(METHOD, b"x", 60) == FINE
    assert bodies == [b"x"]
    with serving(talk, talk) as url, pytest.raises(ConnectionError):
        client(url).call(METHOD, b"x", 60)


def test_a_peer_that_is_about_to_go_answers_what_it_has(client: Make) -> None:
    def talk(peer: Peer) -> None:
        peer.request()
        peer.goaway(last_stream=2**31 - 1)
        peer.ping()
        peer.goaway(last_stream=peer.stream)
        peer.answer()
        peer.wait_for_the_end()

    with serving(talk, take) as url:
        sender = client(url)
        assert sender.call(METHOD, b"x", 60) == FINE
        assert sender.call(METHOD, b"x", 60) == FINE


def test_a_peer_that_has_gone_between_two_calls_is_not_asked(client: Make) -> None:
    gone = threading.Event()

    def talk(peer: Peer) -> None:
        take(peer)
        peer.goaway(last_stream=1)
        gone.set()
        with pytest.raises((EOFError, ConnectionError)):
            peer.until(RequestReceived)

    with serving(talk, take) as url:
        sender = client(url)
        assert sender.call(METHOD, b"x", 60) == FINE
        assert gone.wait(60)
        if sender._connection is not None:  # else it has come with the answer
            select.select([sender._connection._sock], [], [], 60)
        assert sender.call(METHOD, b"x", 60) == FINE


# --- Peers that mean no good


def trickle(connection: socket.socket) -> None:
    """An HTTP/2 peer's first frame, and then a byte at a time of one that never ends."""
    connection.sendall(b"\0\0\0\x04\0\0\0\0\0")
    with contextlib.suppress(OSError):
        for byte in b"\0\x40\0\0\0\0\0\0\x01" + b"x" * 10_000:
            connection.sendall(bytes([byte]))
            connection.settimeout(0.05)
            with contextlib.suppress(TimeoutError):
                while connection.recv(65536):
                    pass


def pinging(connection: socket.socket) -> None:
    """An HTTP/2 peer that only asks whether somebody is there, and reads no answer."""
    connection.sendall(b"\0\0\0\x04\0\0\0\0\0")
    while True:
        connection.sendall(b"\0\0\x08\x06\0\0\0\0\0" + b"x" * 8)


@pytest.mark.parametrize("talk", [peers.silence, trickle, pinging])
def test_no_peer_takes_longer_than_the_deadline(client: Make, talk: Any) -> None:
    with peers.talking(talk) as url:
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            client(url).call(METHOD, b"x" * 1_000_000, 0.5)
        assert time.monotonic() - begun < 10  # all of them would go on


def test_no_connection_takes_longer_than_the_deadline(client: Make) -> None:
    with peers.dropping() as url, pytest.raises(TimeoutError):
        client(url).call(METHOD, b"x", 0.3)


def speaking_http1(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n")


def babbling(connection: socket.socket) -> None:
    connection.sendall(b"what is this?")


def endless_headers(connection: socket.socket) -> None:
    connection.sendall(b"\0\0\0\x04\0\0\0\0\0" + b"\0\0\x01\x01\0\0\0\0\x01\x88")
    while True:
        connection.sendall(b"\0\x01\0\x09\0\0\0\0\x01" + b"\0" * 256)


@pytest.mark.parametrize("talk", [speaking_http1, babbling, endless_headers])
def test_what_is_no_http2_is_said_so(client: Make, talk: Any) -> None:
    with peers.talking(talk) as url, pytest.raises(ConnectionError, match=NOT_HTTP2[:20]):
        client(url).call(METHOD, b"x", 60)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(
            st.integers(0, 10), st.integers(0, 255), st.sampled_from([0, 1, 2, 3]), st.binary()
        ),
        max_size=12,
    )
)
def test_whatever_frames_come_the_call_ends_and_other_errors_than_of_the_system_are_none(
    frames: list[tuple[int, int, int, bytes]],
) -> None:
    near, far = socket.socketpair()
    with near, far:
        far.sendall(b"\0\0\0\x04\0\0\0\0\0")
        for kind, flags, stream, payload in frames:
            head = len(payload).to_bytes(3, "big") + bytes([kind, flags])
            far.sendall(head + stream.to_bytes(4, "big") + payload)
        far.shutdown(socket.SHUT_WR)
        headers = [(":method", "POST"), (":path", "/"), (":scheme", "http"), (":authority", "a")]
        with contextlib.suppress(OSError):
            Connection(near).exchange([*headers], b"body", time.monotonic() + 30)


@pytest.mark.parametrize("kept", [False, True])
def test_another_thread_can_make_a_call_fail_at_once(client: Make, kept: bool) -> None:
    arrived = threading.Event()

    def talk(peer: Peer) -> None:
        if kept:
            take(peer)
        peer.request()
        arrived.set()
        peer.wait_for_the_end()

    with serving(talk) as url:
        sender = client(url)
        if kept:
            assert sender.call(METHOD, b"x", 60) == FINE
        thread, failed = calling(sender)
        assert arrived.wait(60)
        sender.abort()
        thread.join(60)
        assert failed
        with pytest.raises(ConnectionError):
            sender.call(METHOD, b"x", 60)


def test_another_thread_can_end_a_connection_that_is_being_made(client: Make) -> None:
    with peers.dropping() as url:
        sender = client(url)
        thread, failed = calling(sender)
        peers.until(lambda: sender._sock is not None)
        sender.abort()
        thread.join(60)
        assert failed


def calling(sender: Client) -> tuple[threading.Thread, list[OSError]]:
    failed: list[OSError] = []

    def call() -> None:
        try:
            sender.call(METHOD, b"x", 300)
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    return thread, failed


# --- TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_context(authority: trustme.CA, *protocols: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


def test_calls_over_tls(client: Make, authority: trustme.CA) -> None:
    bodies = []

    def talk(peer: Peer) -> None:
        for _ in range(2):
            bodies.append(peer.request())
            peer.answer()

    tls = server_context(authority, "h2")
    with authority.cert_pem.tempfile() as file, serving(talk, tls=tls) as url:
        sender = client(url, certificate=file)
        for message in (b"x" * 300_000, b"y"):
            assert sender.call(METHOD, message, 60) == FINE
    assert bodies == [b"x" * 300_000, b"y"]


@pytest.mark.parametrize("protocols", [(), ("http/1.1",)])
def test_a_peer_that_does_not_take_http2_over_tls_is_said_so(
    client: Make, authority: trustme.CA, protocols: tuple[str, ...]
) -> None:
    tls = server_context(authority, *protocols)
    with (
        authority.cert_pem.tempfile() as file,
        serving(wait, tls=tls) as url,
        pytest.raises(ConnectionError, match="does not take HTTP/2 over TLS"),
    ):
        client(url, certificate=file).call(METHOD, b"x", 60)


# --- Forks


def test_a_child_has_a_connection_of_its_own_and_leaves_its_parents_alone(
    authority: trustme.CA,
) -> None:
    ended = []

    def parent(peer: Peer) -> None:
        stay(peer)  # with a goodbye of the child's in between, this would end with an error
        ended.append("parent")

    tls = server_context(authority, "h2")
    with (
        authority.cert_pem.tempfile() as file,
        serving(parent, take, tls=tls) as url,
    ):
        done = python(
            f"""
            import os
            from otelkit.export.grpc_client import Client
            client = Client({url!r}, {{}}, certificate={file!r})
            assert client.call("/a/b", b"parent", 60).code == "OK"
            if (child := os.fork()) == 0:
                theirs = client._sock.fileno()
                client.let_go()
                try:
                    os.fstat(theirs)
                    os._exit(1)
                except OSError:
                    os._exit(client.call("/a/b", b"child", 60).code != "OK")
            assert os.waitpid(child, 0)[1] == 0
            assert client.call("/a/b", b"parent", 60).code == "OK"
            print(client._connection._used)
            """
        )
    assert done.stdout == "True\n"
    assert ended == ["parent"]
