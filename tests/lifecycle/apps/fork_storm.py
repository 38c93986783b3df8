"""Forks many children while other threads work without a pause; a child that hangs is killed."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

from tests.lifecycle.apps.work import setup, work

PATIENCE = 20.0  # seconds for one child


def load(stop: threading.Event) -> None:
    while not stop.is_set():
        work("load")


def wait_for(pid: int) -> bool:
    """Whether the child ended by itself, and well."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status == 0
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return False


def main(forks: int) -> None:
    setup()
    stop = threading.Event()
    threads = [threading.Thread(target=load, args=(stop,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    bad = 0
    for _ in range(forks):
        pid = os.fork()
        if pid == 0:
            work("child")
            os._exit(0)
        bad += not wait_for(pid)
    stop.set()
    for thread in threads:
        thread.join()
    sys.stdout.write(f"bad={bad}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
