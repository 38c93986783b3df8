"""`otelkit view`: receives OTLP on this machine and shows it on a page."""

from __future__ import annotations

import argparse
import signal
import sys
import threading

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
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
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
    with viewer:
        print(f"otelkit view: page and OTLP/HTTP endpoint at {viewer.url} (Ctrl-C ends)")
        sys.stdout.flush()
        stop.wait()
    return 0


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 2**16):
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535, not {text!r}")
    return int(text)
