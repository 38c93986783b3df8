"""What clients do with sockets: one deadline for everything, ends that hold up nobody."""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import os
import selectors
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

_UNDER_WAY = (0, errno.EINPROGRESS, errno.EWOULDBLOCK)  # what connecting without waiting gives


T = TypeVar("T")


class Caller(Generic[T]):
    """What every client has: one connection at a time, which another thread may end."""

    def __init__(self) -> None:
        self._sock: socket.socket | None = None
        self._connection: T | None = None  # over the socket
        self._aborted = False

    def close(self) -> None:
        """Ends the connection."""
        sock, self._sock, self._connection = self._sock, None, None
        if sock is not None:
            sock.close()

    def abort(self) -> None:
        """Makes the request that another thread sends fail at once, and every further one."""
        self._aborted = True
        if (sock := self._sock) is not None:
            with contextlib.suppress(OSError):  # that of TLS would let go of the encryption
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def let_go(self) -> None:
        """Leaves a connection to the parent process, and starts without one."""
        sock, self._sock, self._connection = self._sock, None, None
        self._aborted = False
        if sock is not None:
            with contextlib.suppress(OSError):
                os.close(sock.detach())

    def _watch(self, sock: socket.socket) -> None:
        """Lets :meth:`abort` know of a socket."""
        self._sock = sock
        if self._aborted:
            raise ConnectionAbortedError("ended")


def left(deadline: float) -> float:
    """Seconds until ``deadline``, in terms of ``time.monotonic()``.

    Raises:
        TimeoutError: There are none.
    """
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError("timed out")
    return seconds


def connect(
    host: str, port: int, deadline: float, watch: Callable[[socket.socket], None]
) -> socket.socket:
    """A connection to the first address of ``host`` that takes one.

    Args:
        host: Name or address.
        port: The port.
        deadline: All addresses together take no longer, each no more than its share.
        watch: Called with every socket before it is connecting, and as soon as it is.

    Raises:
        OSError: No address takes a connection in time.
    """
    refused: OSError | None = None
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for position, (family, kind, protocol, _, address) in enumerate(found):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            watch(sock)
            begun = sock.connect_ex(address)
            watch(sock)  # an end that came before it was connecting has ended nothing
            _connected(sock, begun, left(deadline) / (len(found) - position))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
        except OSError as error:
            sock.close()
            refused = error
        except BaseException:
            sock.close()
            raise
    raise refused or OSError("the name has no address")


def _connected(sock: socket.socket, begun: int, seconds: float) -> None:
    """Waits until ``sock`` is connected; ``begun`` is what ``connect_ex`` gave."""
    if begun not in _UNDER_WAY:
        raise OSError(begun, os.strerror(begun))
    with selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_WRITE)
        if not selector.select(seconds):
            raise TimeoutError("timed out")
    if error := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        raise OSError(error, os.strerror(error))


def secure(
    sock: socket.socket,
    host: str,
    context: ssl.SSLContext,
    deadline: float,
    watch: Callable[[socket.socket], None],
) -> ssl.SSLSocket:
    """TLS over a connection to ``host``; ``watch`` is called before the handshake.

    Raises:
        OSError: The certificate is not trusted, or there is no handshake in time.
    """
    secured = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
    watch(secured)
    secured.settimeout(left(deadline))
    secured.do_handshake()
    return secured


def send(sock: socket.socket, data: bytes, deadline: float) -> None:
    """Sends all of ``data``. (``sendall`` over TLS has the time anew for every part it sends.)

    Raises:
        OSError: The peer does not take it in time.
    """
    rest = memoryview(data)
    while rest:
        sock.settimeout(left(deadline))
        rest = rest[sock.send(rest) :]


def tls_context(
    certificate: str | None, client_certificate: str | None, client_key: str | None
) -> ssl.SSLContext:
    """What to trust, and what to be known by.

    Args:
        certificate: PEM file of the authorities to trust; by default the system's and certifi's.
        client_certificate: PEM file of the client's certificate.
        client_key: PEM file of its key, unless it is in the same file.

    Raises:
        OSError: A file cannot be read, or holds something else.
    """
    for file in (certificate, client_certificate, client_key):
        if file:
            Path(file).open("rb").close()  # its error names the file, those below do not
    context = ssl.create_default_context(cafile=certificate)
    if certificate is None and (bundled := _bundled_authorities()):
        context.load_verify_locations(bundled)
    if client_certificate:
        context.load_cert_chain(client_certificate, client_key)
    return context


def _bundled_authorities() -> str | None:
    """The file of ``certifi``, for systems that have no authorities of their own."""
    if importlib.util.find_spec("certifi") is None:
        return None
    import certifi

    return certifi.where()


def reason(error: OSError) -> str:
    """What went wrong in the words of the system, without addresses or numbers."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    words = error.strerror or str(error) or type(error).__name__
    return f"{words}: {error.filename}" if error.filename else words
