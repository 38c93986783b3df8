"""What clients do with sockets: one deadline for everything, ends that hold up nobody."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path


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
        watch: Called with every socket before it is connected.

    Raises:
        OSError: No address takes a connection in time.
    """
    refused: OSError | None = None
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for position, (family, kind, protocol, _, address) in enumerate(found):
        sock = socket.socket(family, kind, protocol)
        try:
            watch(sock)
            sock.settimeout(left(deadline) / (len(found) - position))
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
        except OSError as error:
            sock.close()
            refused = error
        except BaseException:
            sock.close()
            raise
    raise refused or OSError("the name has no address")


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


def abort(sock: socket.socket) -> None:
    """Ends a connection that another thread uses: it then finds its end."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)  # that of TLS would let go of the encryption


def let_go(sock: socket.socket) -> None:
    """Closes this process's hold on a connection that its parent goes on using."""
    with contextlib.suppress(OSError):
        os.close(sock.detach())


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
