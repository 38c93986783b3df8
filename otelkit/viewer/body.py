"""Reads the body of an HTTP request within bounds: of size, of unpacked size, and of time."""

from __future__ import annotations

import time
import zlib
from email.message import Message
from http import HTTPStatus
from typing import Protocol

MAX_BYTES = 16 * 1024 * 1024
MAX_SECONDS = 30.0
_CHUNK = 64 * 1024
_LINE = 1024


class Refused(Exception):
    """A request that is answered with an error.

    Args:
        status: The HTTP status of the answer.
        message: What was wrong and what to do, for the person behind the client.
        headers: More headers for the answer.
    """

    def __init__(
        self, status: HTTPStatus, message: str, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers


class Readable(Protocol):
    """What is needed of the client's side of a connection."""

    def read1(self, size: int, /) -> bytes: ...

    def readline(self, size: int, /) -> bytes: ...


def read(stream: Readable, headers: Message) -> bytes:
    """Reads and unpacks the body that the headers announce.

    Args:
        stream: The connection, behind the headers. Its own timeout bounds each single read.
        headers: Those of the request.

    Returns:
        The body without transfer and content encoding, at most `MAX_BYTES` long.

    Raises:
        Refused: It is too long, too slow, malformed or encoded in a way that is not known.
        ConnectionError: The client went away before its end.
    """
    encoding = headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "deflate"):
        raise Refused(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"Content-Encoding {encoding!r} is not known; send gzip, deflate or none",
        )
    deadline = time.monotonic() + MAX_SECONDS
    try:
        if "Transfer-Encoding" in headers:
            packed = _read_chunked(stream, headers, deadline)
        else:
            packed = _read_exactly(stream, _length(headers), deadline)
    except TimeoutError:
        raise Refused(HTTPStatus.REQUEST_TIMEOUT, "the body does not arrive") from None
    return packed if encoding == "identity" else _unpack(packed)


def _length(headers: Message) -> int:
    announced = headers.get("Content-Length")
    if announced is None:
        raise Refused(HTTPStatus.LENGTH_REQUIRED, "Content-Length is missing")
    # int() also takes "+1", "1_0" and digits of other scripts
    if not (announced.isascii() and announced.isdigit() and len(announced) < 20):
        raise Refused(HTTPStatus.BAD_REQUEST, "Content-Length is not a number")
    return int(announced)


def _read_exactly(stream: Readable, length: int, deadline: float) -> bytes:
    _check_size(length)
    body = bytearray()
    while len(body) < length:
        if time.monotonic() > deadline:
            raise TimeoutError
        piece = stream.read1(min(_CHUNK, length - len(body)))
        if not piece:
            raise ConnectionError("the client went away")
        body += piece
    return bytes(body)


def _read_chunked(stream: Readable, headers: Message, deadline: float) -> bytes:
    if headers["Transfer-Encoding"].strip().lower() != "chunked":
        raise Refused(HTTPStatus.NOT_IMPLEMENTED, "the only known Transfer-Encoding is chunked")
    body = bytearray()
    while length := _chunk_length(stream.readline(_LINE)):
        _check_size(len(body) + length)
        body += _read_exactly(stream, length, deadline)
        stream.readline(_LINE)
    while stream.readline(_LINE).strip():  # trailers, up to the empty line
        if time.monotonic() > deadline:
            raise TimeoutError
    return bytes(body)


def _chunk_length(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    if not digits or digits.strip(b"0123456789abcdefABCDEF"):
        raise Refused(HTTPStatus.BAD_REQUEST, "the chunked body is malformed")
    return int(digits, 16)


def _check_size(size: int) -> None:
    if size > MAX_BYTES:
        raise Refused(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the body is over {MAX_BYTES} bytes; export smaller batches",
        )


def _unpack(packed: bytes) -> bytes:
    """Unpacks gzip or deflate, never more than `MAX_BYTES` of it."""
    # 32 + MAX_WBITS: zlib tells gzip and deflate apart by their headers
    unpacker = zlib.decompressobj(32 + zlib.MAX_WBITS)
    try:
        body = unpacker.decompress(packed, MAX_BYTES + 1)
    except zlib.error as error:
        raise Refused(HTTPStatus.BAD_REQUEST, f"the body cannot be unpacked: {error}") from None
    _check_size(len(body))
    if not unpacker.eof or unpacker.unused_data:
        raise Refused(HTTPStatus.BAD_REQUEST, "the body is not one whole compressed stream")
    return body
