"""Real servers with several workers: every scrape is right, also when a worker is killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.integrations.conftest import wait_until
from tests.processes import ROOT
from tests.prometheus.load import PATIENCE, ask, load, scrape

APP = "tests.prometheus.service:app"
GUNICORN = ("gunicorn", APP, "-k", "uvicorn_worker.UvicornWorker", "-b", "fd://{fd}",
            "--no-control-socket")  # fmt: skip
# On a busy machine a worker may need longer to start than uvicorn waits by default: 5 seconds.
UVICORN = ("uvicorn", APP, "--fd", "{fd}", "--timeout-worker-healthcheck", "180")
SERVERS = {
    "uvicorn": (4, (*UVICORN, "--workers", "4")),
    "gunicorn": (2, (*GUNICORN, "-w", "2")),
    "gunicorn that loads first": (4, (*GUNICORN, "-w", "4", "--preload")),
}


@contextmanager
def serving(command: tuple[str, ...], folder: Path, **environ: str) -> Iterator[int]:
    """The port of ``command``, which serves on the socket ``{fd}``."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "OTEL"))}
    output = folder / "output"
    with socket.create_server(("127.0.0.1", 0)) as listener, output.open("w") as console:
        port, fd = listener.getsockname()[1], listener.fileno()
        process = subprocess.Popen(
            [sys.executable, "-m", *(part.format(fd=fd) for part in command)],
            cwd=ROOT,
            pass_fds=[fd],
            stdout=console,
            stderr=subprocess.STDOUT,
            env={
                **inherited,
                "TMPDIR": str(folder),
                "OTEL_TRACES_EXPORTER": "none",
                "OTEL_METRICS_EXPORTER": "none",
                "OTEL_LOGS_EXPORTER": "none",
                "OTELKIT_INSTRUMENT": "fastapi,system_metrics",
                "OTELKIT_METRICS_NAMESPACE": "shop",
                "OTELKIT_LOG_LEVEL": "WARNING",
                **environ,
            },
        )
    try:
        ask(port, "/metrics")  # waits in the backlog until somebody accepts
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        finally:
            process.kill()
    assert "Traceback" not in output.read_text()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def holder(port: int, workers: set[int]) -> int | None:
    """Which of ``workers`` listens on ``port``."""
    for pid in list(workers):
        try:
            connections = psutil.Process(pid).net_connections("tcp4")
        except psutil.NoSuchProcess:
            continue
        if any(c.laddr.port == port and c.status == psutil.CONN_LISTEN for c in connections):
            return pid
    return None


@pytest.mark.parametrize("server", SERVERS)
def test_every_scrape_is_right_while_a_worker_is_killed_and_replaced(
    server: str, tmp_path: Path
) -> None:
    workers, command = SERVERS[server]
    own_port = free_port()
    with serving(command, tmp_path, METRICS_PORT=str(own_port)) as port, load(port) as requests:
        wait_until(lambda: len(requests.workers) == workers, PATIENCE)
        before = set(requests.workers)
        wait_until(lambda: holder(own_port, before), PATIENCE)
        for _ in range(5):
            requests.check(port)
            requests.check(own_port)

        victim = holder(own_port, before)
        assert victim is not None
        requests.kill(victim)
        for _ in range(5):
            requests.check(port)
        # Another worker takes the port over.
        wait_until(lambda: holder(own_port, requests.workers), PATIENCE)
        while not requests.workers - before:  # until the victim is replaced
            requests.check(port)
        for _ in range(5):
            requests.check(port)
            requests.check(own_port)
        requests.stop()
        found = requests.check(port)
        assert requests.check(own_port)["orders_total"] == found["orders_total"]
        assert found["target_info"] == 1
        page = ask(port, "/metrics").decode()
        assert page.count("process_cpu_utilization_ratio{worker=") == workers
        # Each worker has one thread for its requests and one for the page, at the least.
        assert scrape(port)["process_thread_count"] >= 2 * workers
