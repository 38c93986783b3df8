"""One HTTP/2 connection of a client: ``h2`` speaks the protocol, a socket carries it.

Nothing runs in the background: the connection answers its peer while a request is under way, and
learns at the beginning of the next one what was said meanwhile.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    Event,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import H2Error, ProtocolError, StreamClosedError, TooManyStreamsError
from h2.settings import SettingCodes, Settings

from otelkit.export.sockets import left, send

Headers = list[tuple[str | bytes, str | bytes]]

LONGEST_ANSWER = 65_536  # bytes that are kept of a body
NOT_HTTP2 = "the answer is not HTTP/2; is the port right?"

_HEADER = 9  # bytes of a frame, before its payload
_GOAWAY = 7  # the type of that frame
_AT_ONCE = 65_536  # bytes
_SETTINGS = {
    SettingCodes.ENABLE_PUSH: 0,
    SettingCodes.MAX_HEADER_LIST_SIZE: 65_536,
}

# It writes every header down, and those it is not to name encoded: nothing for a log at DEBUG.
_hpack = logging.getLogger("hpack")
if _hpack.level == logging.NOTSET:
    _hpack.setLevel(logging.INFO)


class UnprocessedError(ConnectionError):
    """The request was not looked at, and may be sent once more on another connection."""


@dataclass
class Response:
    """What came back for one request.

    Attributes:
        fields: Headers and trailers, ``:status`` included.
        body: Its beginning.
        reset: The code with which the peer gave up, if it did.
    """

    fields: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    reset: int | None = None
    ended: bool = False


class Connection:
    """Requests one after the other. For one thread at a time.

    Args:
        sock: Connected; with TLS, ALPN has chosen ``h2``.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._h2 = H2Connection(H2Configuration(client_side=True))
        self._h2.local_settings = Settings(client=True, initial_values=_SETTINGS)
        self._h2.initiate_connection()
        self._received = bytearray()
        self._stream = 0
        self._response = Response()
        self._used = False
        self.reusable = True  # until the peer says that it is about to go

    def exchange(self, headers: Headers, body: bytes, deadline: float) -> Response:
        """Sends a request and returns what came back; after an error, close the connection.

        Raises:
            UnprocessedError: The peer did not look at it.
            OSError: The connection broke, or there was no answer in time.
            ValueError: HTTP/2 has no room for such headers.
        """
        self._response = Response()
        try:
            if self._used:
                self._receive(0.0)  # said between two requests: an end, a ping
            if not self.reusable:
                raise UnprocessedError("the peer takes no more requests")
            self._begin(headers)
            self._finish(memoryview(body), deadline)
        except UnprocessedError:
            raise
        except ConnectionError as error:
            if self._used and not self._response.fields:
                raise UnprocessedError(error.strerror or str(error)) from None
            raise
        except H2Error:
            raise ConnectionError(NOT_HTTP2) from None
        self._used = True
        return self._response

    def _begin(self, headers: Headers) -> None:
        self._stream = self._h2.get_next_available_stream_id()
        try:
            self._h2.send_headers(self._stream, headers)
        except TooManyStreamsError:
            raise ConnectionError("the peer takes no requests now") from None
        except ProtocolError:  # whose text may hold a secret
            names = ", ".join(str(name) for name, _ in headers)
            raise ValueError(f"HTTP/2 does not allow one of these headers: {names}") from None

    def _finish(self, rest: memoryview, deadline: float) -> None:
        """Sends the body and reads the answer, whichever comes first."""
        while not self._response.ended:
            sent = self._put(rest)
            rest = rest[sent:]
            with contextlib.suppress(ConnectionError, ssl.SSLError):  # it may have answered first
                send(self._sock, self._h2.data_to_send(), deadline)
            # As long as there is something to send, a look at what has come must not wait.
            self._receive(0.0 if sent else left(deadline))
        if rest:
            with contextlib.suppress(StreamClosedError):  # the peer has reset it, too
                self._h2.reset_stream(self._stream, ErrorCodes.CANCEL)
        try:
            send(self._sock, self._h2.data_to_send(), deadline)
        except OSError:
            self.reusable = False  # there is an answer all the same

    def _put(self, rest: memoryview) -> int:
        """Hands over what the peer has room for now, if anything; returns how many bytes."""
        room = min(self._h2.local_flow_control_window(self._stream), _AT_ONCE, len(rest))
        for start in range(0, room, self._h2.max_outbound_frame_size):
            part = rest[start : min(room, start + self._h2.max_outbound_frame_size)]
            ends = start + len(part) == len(rest)
            self._h2.send_data(self._stream, bytes(part), end_stream=ends)
        return max(room, 0)

    def _receive(self, seconds: float) -> None:
        """Takes what has come, or the first that comes within ``seconds``."""
        self._sock.settimeout(seconds)
        try:
            data = self._sock.recv(_AT_ONCE)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        if not data:
            raise ConnectionResetError("the peer closed the connection")
        self._received += data
        for frame in self._frames():
            for event in self._h2.receive_data(frame):
                self._take(event)

    def _frames(self) -> Iterator[bytes]:
        """The complete frames that have come, without those that announce the end.

        After such a frame h2 would understand nothing more, while a server that is about to go
        still answers the requests it has.
        """
        while len(self._received) >= _HEADER:
            length = int.from_bytes(self._received[:3], "big")
            if length > self._h2.max_inbound_frame_size:
                raise ProtocolError("a frame is too long")
            if len(self._received) < _HEADER + length:
                return
            frame = bytes(self._received[: _HEADER + length])
            del self._received[: _HEADER + length]
            if frame[3] == _GOAWAY:
                self._go(frame[_HEADER:])
            else:
                yield frame

    def _go(self, payload: bytes) -> None:
        self.reusable = False
        last_stream = int.from_bytes(payload[:4], "big") & 0x7FFFFFFF
        if self._stream > last_stream and not self._response.ended:
            raise UnprocessedError("the peer takes no more requests")

    def _take(self, event: Event) -> None:
        response = self._response
        if getattr(event, "stream_id", None) != self._stream or response.ended:
            return  # of the connection, or of an earlier request
        if isinstance(event, (ResponseReceived, TrailersReceived)):
            for name, value in event.headers or ():
                response.fields[_text(name)] = _text(value)
        elif isinstance(event, DataReceived):
            response.body += (event.data or b"")[: LONGEST_ANSWER - len(response.body)]
            self._h2.acknowledge_received_data(event.flow_controlled_length or 0, self._stream)
        elif isinstance(event, StreamReset):
            if event.error_code == ErrorCodes.REFUSED_STREAM:
                raise UnprocessedError("the peer refused the request")
            response.reset, response.ended = event.error_code, True
        elif isinstance(event, StreamEnded):
            response.ended = True


def _text(value: bytes | str) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
