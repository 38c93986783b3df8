"""POST with one deadline for everything; connections kept, proxies and certificates used."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from otelkit.export import sockets
from otelkit.export.http_client import Client, without_credentials
from otelkit.export.otlp_http import OtlpHttpExporter
from otelkit.settings import Otlp
from tests.export.test_otlp import span
from tests.lifecycle import peers
from tests.lifecycle.peers import Receiver

Make = Callable[..., Client]


@pytest.fixture
def client() -> Iterator[Make]:
    made: list[Client] = []

    def make(url: str, **options: Any) -> Client:
        made.append(Client(url, {"content-type": "application/x-protobuf"}, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture(autouse=True)
def without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.upper(), raising=False)


def test_a_connection_is_kept_for_the_next_request(client: Make) -> None:
    with Receiver() as receiver:
        sender = client(f"{receiver.url}/v1/traces")
        for _ in range(3):
            assert sender.post(b"", 5).status == 200
        assert receiver.connections == 1


def test_a_connection_that_the_peer_has_closed_meanwhile_is_made_anew(client: Make) -> None:
    with Receiver() as receiver:
        sender = client(f"{receiver.url}/v1/traces")
        assert sender.post(b"", 5).status == 200
        receiver.drop_connections()
        assert sender.post(b"", 5).status == 200
        assert receiver.connections == 2


@pytest.mark.parametrize("talk", [peers.silence, peers.drip])
def test_no_peer_takes_longer_than_the_deadline(client: Make, talk: Any) -> None:
    with peers.talking(talk) as url:
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            client(url).post(b"x", 0.3)
        assert time.monotonic() - begun < 5  # both would go on for hours


def test_no_connection_takes_longer_than_the_deadline(client: Make) -> None:
    with peers.dropping() as url, pytest.raises(TimeoutError):
        client(url).post(b"x", 0.3)


def test_all_addresses_of_a_name_share_the_time(
    client: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **more: find(*args, **more) * 20)
    with peers.dropping() as url:
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            client(url).post(b"x", 0.5)
        assert time.monotonic() - begun < 5  # a time of its own for each would be 10


def test_an_address_that_takes_connections_is_found_behind_others(
    client: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = socket.getaddrinfo
    with Receiver() as receiver, peers.refusing() as refused:
        first = find("127.0.0.1", int(refused.rpartition(":")[2]), type=socket.SOCK_STREAM)
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda *args, **more: first + find(*args, **more)
        )
        assert client(f"{receiver.url}/v1/traces").post(b"", 30).status == 200


def test_an_endless_answer_is_not_read_to_its_end(client: Make) -> None:
    def flood(connection: Any) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    with peers.talking(flood) as url:
        assert len(client(url).post(b"x", 5).body) == 65536


def test_what_is_no_http_is_said_so(client: Make) -> None:
    with peers.talking(peers.garbage) as url, pytest.raises(http.client.HTTPException):
        client(url).post(b"x", 5)


def test_an_answer_before_the_end_of_a_body_is_taken(
    client: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(connection: Any) -> None:
        connection.sendall(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n")
        peers.silence(connection)

    def send(*args: Any) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(sockets, "send", send)
    with peers.talking(refuse) as url:
        assert client(url).post(b"x", 30).status == 413


@pytest.mark.parametrize("kept", [False, True])
def test_another_thread_can_make_a_request_fail_at_once(client: Make, kept: bool) -> None:
    arrived = threading.Event()
    connections: list[Any] = []

    def listen(connection: Any) -> None:
        connections.append(connection)
        if kept:
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            connection.recv(65536)
        arrived.set()
        peers.silence(connection)

    with peers.talking(listen) as url:
        sender = client(url)
        if kept:
            assert sender.post(b"x", 30).status == 200
        failed: list[BaseException] = []

        def post() -> None:
            try:
                sender.post(b"x", 60)
            except (OSError, http.client.HTTPException) as error:
                failed.append(error)

        thread = threading.Thread(target=post)
        thread.start()
        assert arrived.wait(30)
        sender.abort()
        thread.join(30)
        assert failed
        with pytest.raises(ConnectionError):
            sender.post(b"x", 30)
    assert len(connections) == 1


def test_another_thread_can_end_a_connection_that_is_being_made(client: Make) -> None:
    with peers.dropping() as url:
        sender = client(url)
        failed: list[BaseException] = []

        def post() -> None:
            try:
                sender.post(b"x", 300)
            except OSError as error:
                failed.append(error)

        thread = threading.Thread(target=post)
        thread.start()
        peers.until(lambda: sender._sock is not None)
        sender.abort()
        thread.join(30)
        assert failed


def test_a_proxy_is_used_for_all_but_the_exceptions(
    client: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Receiver() as proxy, Receiver() as direct:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert client("http://collector.invalid/v1/traces").post(b"", 5).status == 200
        assert client(f"{direct.url}/v1/traces").post(b"", 5).status == 200
        assert proxy.seen[0]["Host"] == "collector.invalid"
        assert len(proxy.requests) == len(direct.requests) == 1


@contextlib.contextmanager
def proxying(seen: list[str]) -> Iterator[str]:
    """A proxy that passes on what it is asked to; ``seen`` gets the heads of the requests."""

    def pump(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = server.accept()
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    head += near.recv(1)
                seen.append(head.decode())
                host, _, port = head.split()[1].decode().partition(":")
                far = socket.create_connection((host, int(port)))
                opened.extend((near, far))
                near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=pump, args=pair, daemon=True).start()

    opened: list[socket.socket] = []
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(5)
        threading.Thread(target=serve, daemon=True).start()
        yield f"http://user:pass@127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    for connection in opened:
        connection.close()


def test_a_proxy_passes_tls_on(
    client: Make,
    monkeypatch: pytest.MonkeyPatch,
    secure: Receiver,
    authority: trustme.CA,
) -> None:
    seen: list[str] = []
    with proxying(seen) as proxy, authority.cert_pem.tempfile() as file:
        monkeypatch.setenv("https_proxy", proxy)
        sender = client(f"{secure.url}/v1/traces", certificate=file)
        for _ in range(2):
            assert sender.post(b"", 30).status == 200
    target = secure.url.removeprefix("https://")
    assert [head.splitlines() for head in seen] == [
        [
            f"CONNECT {target} HTTP/1.1",
            f"host: {target}",
            "proxy-authorization: Basic dXNlcjpwYXNz",
            "",
        ]
    ]
    assert secure.seen[0]["Host"] == target


@pytest.mark.parametrize("talk", [peers.silence, peers.drip])
def test_no_proxy_takes_longer_than_the_deadline(
    client: Make, monkeypatch: pytest.MonkeyPatch, talk: Any
) -> None:
    with peers.talking(talk) as proxy:
        monkeypatch.setenv("https_proxy", proxy)
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            client("https://collector.invalid/v1/traces").post(b"x", 0.3)
        assert time.monotonic() - begun < 5


def test_a_proxy_that_refuses_is_said_so(client: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(connection: Any) -> None:
        connection.sendall(b"HTTP/1.1 407 Who are you\r\ncontent-length: 0\r\n\r\n")

    with peers.talking(refuse) as proxy:
        monkeypatch.setenv("https_proxy", proxy)
        with pytest.raises(OSError, match="the proxy answered 407 Who are you"):
            client("https://collector.invalid/v1/traces").post(b"x", 30)


def test_credentials_of_the_address_are_basic_authorization(client: Make) -> None:
    with Receiver() as receiver:
        client(receiver.url.replace("//", "//user:p%40ss@") + "/v1/traces").post(b"", 5)
        assert receiver.seen[0]["authorization"] == "Basic dXNlcjpwQHNz"


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("http://user:secret@host:4318/v1/traces", "http://host:4318/v1/traces"),
        ("https://host/v1/traces?token=secret", "https://host/v1/traces"),
    ],
)
def test_an_address_is_shown_without_secrets(url: str, text: str) -> None:
    assert without_credentials(url) == text


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure(authority: trustme.CA) -> Iterator[Receiver]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_OPTIONAL
    with Receiver(tls=context) as receiver:
        yield receiver


def test_a_certificate_of_a_named_authority_is_trusted(
    client: Make, secure: Receiver, authority: trustme.CA, tmp_path: Path
) -> None:
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    sender = client(f"{secure.url}/v1/traces", certificate=str(file))
    for _ in range(2):
        assert sender.post(b"", 5).status == 200
    assert secure.connections == 1


def test_a_peer_over_tls_that_reads_slowly_takes_no_longer_than_the_deadline(
    client: Make, authority: trustme.CA
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    def serve() -> None:
        with (
            contextlib.suppress(OSError),
            context.wrap_socket(server.accept()[0], server_side=True) as connection,
        ):
            while connection.recv(16_384):
                pause.wait(0.1)

    pause = threading.Event()
    with socket.socket() as server, authority.cert_pem.tempfile() as file:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        server.bind(("127.0.0.1", 0))
        server.listen()
        threading.Thread(target=serve, daemon=True).start()
        url = f"https://127.0.0.1:{server.getsockname()[1]}"
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            client(url, certificate=file).post(b"x" * 50_000_000, 0.5)
        assert time.monotonic() - begun < 10  # at that pace it would be five minutes
        pause.set()


def test_a_certificate_of_nobody_known_is_not_trusted(client: Make, secure: Receiver) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        client(f"{secure.url}/v1/traces").post(b"", 5)
    assert secure.requests == []


def test_a_client_shows_its_own_certificate(
    client: Make, secure: Receiver, authority: trustme.CA, tmp_path: Path
) -> None:
    own = authority.issue_cert("client")
    files = {"certificate": tmp_path / "ca", "client_certificate": tmp_path / "own"}
    authority.cert_pem.write_to_path(str(files["certificate"]))
    own.private_key_and_cert_chain_pem.write_to_path(str(files["client_certificate"]))
    options = {name: str(file) for name, file in files.items()}
    assert client(f"{secure.url}/v1/traces", **options).post(b"", 5).status == 200
    assert secure.client_certificates == 1


def test_a_certificate_that_cannot_be_trusted_is_worth_another_try(secure: Receiver) -> None:
    destination = Otlp(f"{secure.url}/v1/traces", "http/protobuf", {}, 5.0, "none")
    sender = OtlpHttpExporter("traces", destination)
    (batch,), _ = sender.prepare([span()])
    answer = sender.send(batch, 5)
    assert answer.outcome == "retry"
    assert "certificate verify failed" in answer.error
