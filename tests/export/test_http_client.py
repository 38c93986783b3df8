"""POST with one deadline for everything; connections kept, proxies and certificates used."""

from __future__ import annotations

import http.client
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from otelkit.export.http_client import Client, shown
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


def test_another_thread_can_make_a_request_fail_at_once(client: Make) -> None:
    arrived = threading.Event()

    def listen(connection: Any) -> None:
        arrived.set()
        peers.silence(connection)

    with peers.talking(listen) as url:
        sender = client(url)
        failed: list[BaseException] = []

        def post() -> None:
            try:
                sender.post(b"x", 60)
            except (OSError, http.client.HTTPException) as error:
                failed.append(error)

        thread = threading.Thread(target=post)
        thread.start()
        assert arrived.wait(10)
        sender.abort()
        thread.join(10)
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
    assert shown(url) == text


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
