"""`otelkit view`: receives OTLP on this machine and shows it on a page."""

from __future__ import annotations

import argparse
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from otelkit.errors import ConfigError
from otelkit.viewer import Viewer
from otelkit.viewer.guard import is_loopback


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `otelkit view`."""
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (default: %(default)s, this machine only)",
    )
    parser.add_argument(
        "--port", type=_port, default=4318, help="port to listen on (default: %(default)s)"
    )
    parser.add_argument(
        "--db",
        metavar="FILE",
        help="SQLite file that keeps what arrives (default: memory, gone when the viewer ends)",
    )


def run(args: argparse.Namespace) -> int:
    """Serves until Ctrl-C or SIGTERM.

    Returns:
        The exit code: 0, or 2 when the address or the file cannot be used.
    """
    try:
        viewer = Viewer(args.host, args.port, db=args.db)
    except ConfigError as error:
        print(f"otelkit view: {error}", file=sys.stderr)
        return 2
    if not is_loopback(args.host):
        print(
            f"otelkit view: warning: everybody who reaches {args.host} can read what arrives here",
            file=sys.stderr,
        )
    with _told_to_end() as told, viewer:
        print(f"otelkit view: page and OTLP/HTTP endpoint at {viewer.url} (Ctrl-C ends)")
        sys.stdout.flush()
        told.recv(1)
    return 0


@contextmanager
def _told_to_end() -> Iterator[socket.socket]:
    """Gives a socket that has something to read as soon as Ctrl-C or SIGTERM comes.

    A lock would not do: the system may hand a signal to another thread than the one that waits.
    """
    reading, writing = socket.socketpair()
    with reading, writing:
        writing.setblocking(False)
        signal.set_wakeup_fd(writing.fileno())
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        yield reading
        signal.set_wakeup_fd(-1)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 2**16):
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535, not {text!r}")
    return int(text)
