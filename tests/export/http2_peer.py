"""A server of HTTP/2 whose every step a test decides."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, PingAckReceived, RequestReceived, StreamEnded

OK = [(":status", "200"), ("content-type", "application/grpc")]
EMPTY = b"\0\0\0\0\0"  # a message without a field


class Peer:
    """One connection to a client.

    Args:
        sock: The connection.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(60)
        self.sock = sock
        self.h2 = H2Connection(H2Configuration(client_side=False))
        self.h2.initiate_connection()
        self.headers: dict[str, str] = {}
        self.body = b""
        self.stream = 0
        self._is_whole = False  # the request
        self._events: list[Event] = []

    def next(self) -> Event:
        """The next event; ``EOFError`` when the client is gone."""
        self.flush()
        while not self._events:
            data = self.sock.recv(65536)
            if not data:
                raise EOFError
            self._events = self.h2.receive_data(data)
            self.flush()
        return self._events.pop(0)

    def flush(self) -> None:
        self.sock.sendall(self.h2.data_to_send())

    def until(self, kind: type[Event], grant: bool = True) -> Any:
        """Takes what comes up to an event of ``kind``."""
        while True:
            event = self.next()
            if isinstance(event, RequestReceived):
                self.stream, self.body, self._is_whole = event.stream_id, b"", False
                pairs = [(bytes(name), bytes(value)) for name, value in event.headers]
                self.headers = {name.decode(): value.decode() for name, value in pairs}
            elif isinstance(event, DataReceived):
                self.body += event.data
                if grant:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, StreamEnded):
                self._is_whole = True
            if isinstance(event, kind):
                return event

    def request(self) -> bytes:
        """Waits for a whole request; returns the message in it."""
        if not self._is_whole:
            self.until(StreamEnded)
        self._is_whole = False
        assert int.from_bytes(self.body[1:5], "big") == len(self.body) - 5
        return self.body[5:]

    def answer(self, *trailers: tuple[str, str], message: bytes = EMPTY) -> None:
        """Answers with a status of 0, or with ``trailers``."""
        self.h2.send_headers(self.stream, OK)
        self.h2.send_data(self.stream, message)
        self.h2.send_headers(self.stream, trailers or [("grpc-status", "0")], end_stream=True)
        self.flush()

    def only(self, *headers: tuple[str, str]) -> None:
        """Answers with nothing but headers."""
        self.h2.send_headers(self.stream, headers, end_stream=True)
        self.flush()

    def ping(self) -> None:
        """Asks whether the client is there, and waits until it says so."""
        self.h2.ping(b"are you?")
        self.until(PingAckReceived)

    def goaway(self, last_stream: int) -> None:
        """Says that the end is near; h2 could not say anything afterwards."""
        payload = struct.pack(">II", last_stream, 0)
        self.raw(len(payload).to_bytes(3, "big") + b"\x07\0\0\0\0\0" + payload)

    def raw(self, data: bytes) -> None:
        self.flush()
        self.sock.sendall(data)

    def close(self) -> None:
        """Ends the connection, with what was said before."""
        self.sock.shutdown(socket.SHUT_RDWR)

    def wait_for_the_end(self) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                self.next()


@contextlib.contextmanager
def serving(*talks: Callable[[Peer], None], tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """An address where the first connection is handed to the first of ``talks``, and so on.

    At the end, all of them must have been made, and must have gone as they are written.
    """
    connections: list[socket.socket] = []  # closed earlier, they would take an answer with them
    failed: list[BaseException] = []
    made = 0

    def serve(talk: Callable[[Peer], None], sock: socket.socket) -> None:
        try:
            connections.append(tls.wrap_socket(sock, server_side=True) if tls else sock)
            talk(Peer(connections[-1]))
        except BaseException as error:
            failed.append(error)

    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(5)
        server.settimeout(60)
        threads: list[threading.Thread] = []

        def accept() -> None:
            nonlocal made
            with contextlib.suppress(OSError):
                for talk in talks:
                    sock, _ = server.accept()
                    made += 1
                    threads.append(threading.Thread(target=serve, args=(talk, sock), daemon=True))
                    threads[-1].start()
                server.accept()
                made += 1

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        accepting.join(60)
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    for connection in connections:
        connection.close()
    if failed:
        raise failed[0]
    assert made == len(talks)
