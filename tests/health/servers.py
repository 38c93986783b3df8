"""Servers as processes of their own, and what their checks ask."""

from __future__ import annotations

import os
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
COMMANDS = {
    "uvicorn": ["uvicorn", "examples.health:app", "--fd", "{fd}"],
    "gunicorn": [
        *("gunicorn", "examples.health:app", "-k", "asgi", "-w", "2", "-b", "fd://{fd}"),
        "--no-control-socket",
    ],
}
UP_WITHIN = 120.0  # seconds, on a machine that is busy with other tests


@contextmanager
def serving(command: list[str], output: Path, **environ: str) -> Iterator[httpx.Client]:
    """A client of ``command``, which serves on the socket ``{fd}``."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "OTEL"))}
    with socket.create_server(("127.0.0.1", 0)) as listener, output.open("w") as console:
        port, fd = listener.getsockname()[1], listener.fileno()
        process = subprocess.Popen(
            [sys.executable, "-m", *(part.replace("{fd}", str(fd)) for part in command)],
            cwd=ROOT,
            pass_fds=[fd],
            stdout=console,
            stderr=subprocess.STDOUT,
            env={**inherited, **environ},
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=UP_WITHIN) as client:
            assert client.get("/").status_code == 200, output.read_text()
            yield client
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        finally:
            process.kill()


def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for ``condition``, some looks a second."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.1)


class Redis:
    """Answers PING with PONG, until it is stopped."""

    def __init__(self) -> None:
        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                if self.rfile.readline() == b"PING\r\n":
                    self.wfile.write(b"+PONG\r\n")

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.address = f"127.0.0.1:{self._server.server_address[1]}"

    def stop(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()

    def __enter__(self) -> Redis:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
