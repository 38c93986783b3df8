"""Requests without end, and what scrapes may say of them meanwhile."""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client.parser import text_string_to_metric_families

PATIENCE = 180.0  # seconds for an answer, as of workers that start on a busy machine

COUNTED = (
    "http_server_request_duration_seconds_count",
    "http_server_response_body_size_bytes_count",
    "shop_http_requests_total",
    "orders_total",
    "weight_count",
    "gen_ai_invoke_agent_duration_seconds_count",
    "shop_agent_executions_total",
)


def ask(port: int, path: str) -> bytes:
    """The body of an answer with status 200, over a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    assert answer.status == 200, body
    return body


def scrape(port: int) -> dict[str, float]:
    """The sum of all series by the name of their samples."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(ask(port, "/metrics").decode()):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0) + sample.value
    return found


class Load:
    """Clients that ask one after the other until they are stopped."""

    def __init__(self, port: int, clients: int) -> None:
        self.port = port
        self.begun = self.answered = 0
        self.workers: set[int] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._work) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def kill(self, worker: int) -> None:
        """Ends ``worker`` at once, in the middle of what it does."""
        os.kill(worker, signal.SIGKILL)
        self.workers.clear()

    def check(self, port: int) -> dict[str, float]:
        """A scrape of ``port``: every request that was answered is counted once, nothing else."""
        answered = self.answered
        found = scrape(port)
        for name in COUNTED:
            # What the end of a worker has cut off may have been counted, or not.
            assert answered <= found.get(name, 0) <= self.begun, name
        return found

    def stop(self) -> None:
        """Ends when all answers are there."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while not self._stop.is_set():
            with self._lock:
                self.begun += 1
            try:
                pid = json.loads(ask(self.port, f"/orders/{self.begun}"))
            except (OSError, http.client.HTTPException):  # its worker was killed
                continue
            with self._lock:
                self.answered += 1
            self.workers.add(pid)


@contextmanager
def load(port: int, clients: int = 4) -> Iterator[Load]:
    """Requests at ``port`` until the block is left."""
    made = Load(port, clients)
    try:
        yield made
    finally:
        made.stop()
