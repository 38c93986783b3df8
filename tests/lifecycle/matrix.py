"""The matrix of the ways in which processes end and multiply, run as real processes."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.lifecycle.peers import Receiver, until

ROOT = Path(__file__).parents[2]
APPS = "tests.lifecycle.apps"
REQUESTS = 12
TASKS = 4
CHILDREN = {f"child {n}": 1 for n in range(3)}


@dataclass
class Process:
    """One that runs in a process group of its own."""

    command: list[str]
    environ: dict[str, str]
    folder: Path  # of its own
    port: int  # for a server
    receiver: Receiver
    running: subprocess.Popen[str] = field(init=False)

    def start(self) -> None:
        self.running = subprocess.Popen(
            [sys.executable, *self.command],
            cwd=ROOT,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def until_ready(self) -> None:
        """Waits for it to say so."""
        assert self.running.stdout is not None
        assert any(line == "ready\n" for line in self.running.stdout), "it ended before"

    def end(self) -> None:
        """Ends whatever is left of it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.running.pid, signal.SIGKILL)
        self.running.communicate()


@dataclass(frozen=True)
class Outcome:
    """How a process ended, and what of its work has arrived."""

    status: int
    seconds: float  # from the signal, or the start, to the end
    spans: Counter[str]
    logs: Counter[str]
    counted: float
    output: str


@dataclass(frozen=True)
class Row:
    """One way to end: the command, what is done to it, and what it must leave behind."""

    name: str
    command: list[str]
    work: dict[str, int]
    status: int = 0
    drive: Callable[[Process], None] = lambda process: None
    environ: dict[str, str] = field(default_factory=dict)


def run(row: Row, environ: dict[str, str] | None = None) -> Outcome:
    """Runs one row against a receiver of its own."""
    with Receiver() as receiver, tempfile.TemporaryDirectory() as folder:
        port = free_port()
        given = {name: value.format(folder=folder) for name, value in row.environ.items()}
        process = Process(
            [part.format(port=port, folder=folder) for part in row.command],
            {
                **{key: value for key, value in os.environ.items() if "PYTEST" not in key},
                "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
                "FOLDER": folder,
                **given,
                **(environ or {}),
            },
            Path(folder),
            port,
            receiver,
        )
        Path(folder, "watched.py").touch()
        process.start()
        try:
            row.drive(process)
            begun = time.monotonic()
            output, _ = process.running.communicate(timeout=60)
            seconds = time.monotonic() - begun
        finally:
            process.end()
        names = set(row.work)
        return Outcome(
            process.running.returncode,
            seconds,
            Counter({k: v for k, v in receiver.spans().items() if k in names}),
            Counter({k: v for k, v in receiver.logs().items() if k in names}),
            sum(receiver.totals("work_done").values()),
            output,
        )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _signalled(number: int) -> Callable[[Process], None]:
    def drive(process: Process) -> None:
        process.until_ready()
        process.running.send_signal(number)

    return drive


def _killed(process: Process) -> None:
    """Kills it while the receiver refuses everything; then it runs again, and is listened to."""
    process.receiver.status = 503
    process.until_ready()
    process.running.kill()
    process.running.communicate()
    process.receiver.status = 200
    process.start()
    process.until_ready()
    process.running.send_signal(signal.SIGTERM)


def _served(process: Process) -> None:
    """Sends requests, then SIGTERM."""
    until(lambda: _get(process, "pid"), 40, "the server answers")
    for _ in range(REQUESTS):
        assert _get(process, "work")
    process.running.send_signal(signal.SIGTERM)


def _reloaded(process: Process) -> None:
    """Sends half of the requests, has the server start anew, sends the others, then SIGTERM."""
    first = until(lambda: _get(process, "pid"), 40, "the server answers")
    for _ in range(REQUESTS // 2):
        assert _get(process, "work")
    Path(process.folder, "watched.py").write_text("changed = True")
    until(lambda: _get(process, "pid") not in (b"", first), 40, "another process answers")
    for _ in range(REQUESTS // 2):
        assert _get(process, "work")
    process.running.send_signal(signal.SIGTERM)


def _get(process: Process, path: str) -> bytes:
    """What the server answers; nothing while it does not listen."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{process.port}/{path}", timeout=40) as found:
            body: bytes = found.read()
            return body
    except OSError:
        return b""


def _tasked(process: Process) -> None:
    """Sends SIGTERM when all tasks are done."""
    results = process.folder / "results"
    until(lambda: results.is_dir() and len(list(results.iterdir())) == TASKS, 40, "tasks are done")
    process.running.send_signal(signal.SIGTERM)


def _script(
    name: str, ending: str, status: int, drive: Callable[[Process], None] | None = None
) -> Row:
    work = {"main": 3, "handler": 1} if "handler" in ending else {"main": 3}
    command = ["-m", f"{APPS}.script", ending]
    return Row(name, command, work, status, drive or (lambda process: None))


def _forks(way: str) -> Row:
    return Row(way, ["-m", f"{APPS}.forks", way], {"parent": 2, **CHILDREN})


def _server(
    name: str, command: str, status: int = 0, drive: Callable[[Process], None] = _served
) -> Row:
    return Row(name, ["-m", *command.split()], {"request": REQUESTS}, status, drive)


_WEB = f"{APPS}.web:app"
_GUNICORN = f"gunicorn {_WEB} -w 2 -b 127.0.0.1:{{port}} --no-control-socket"
ROWS = [
    _script("normal exit", "end", 0),
    _script("sys.exit(3)", "exit 3", 3),
    _script("unhandled exception", "exception", 1),
    _script("SIGTERM", "signal", -signal.SIGTERM, _signalled(signal.SIGTERM)),
    _script("SIGINT", "signal", -signal.SIGINT, _signalled(signal.SIGINT)),
    _script("SIGTERM, handler set before", "handler before", 7, _signalled(signal.SIGTERM)),
    _script("SIGTERM, handler set after", "handler after", 7, _signalled(signal.SIGTERM)),
    Row(
        "kill -9 in an outage, next start",
        ["-m", f"{APPS}.script", "flush, signal"],
        {"main": 6},
        -signal.SIGTERM,
        _killed,
        {"OTELKIT_SPOOL_DIR": "{folder}/spool"},
    ),
    _forks("os.fork, sys.exit"),
    _forks("os.fork, os._exit"),
    _forks("multiprocessing fork"),
    _forks("multiprocessing spawn"),
    _forks("multiprocessing forkserver"),
    _forks("ProcessPoolExecutor fork"),
    _forks("ProcessPoolExecutor spawn"),
    _forks("ProcessPoolExecutor forkserver"),
    _server("uvicorn", f"uvicorn {_WEB} --port {{port}}", -signal.SIGTERM),
    replace(
        _server(
            "uvicorn, set up in the lifespan", f"uvicorn {_WEB} --port {{port}}", -signal.SIGTERM
        ),
        environ={"SETUP": "lifespan"},
    ),
    _server("uvicorn --workers", f"uvicorn {_WEB} --workers 2 --port {{port}}"),
    _server(
        "uvicorn --reload",
        f"uvicorn {_WEB} --reload --reload-dir {{folder}} --port {{port}}",
        drive=_reloaded,
    ),
    _server("gunicorn, uvicorn workers", f"{_GUNICORN} -k uvicorn_worker.UvicornWorker"),
    _server("gunicorn --preload", f"{_GUNICORN} -k uvicorn_worker.UvicornWorker --preload"),
    Row("Celery prefork", ["-m", f"{APPS}.tasks"], {"task": TASKS}, 0, _tasked),
]
