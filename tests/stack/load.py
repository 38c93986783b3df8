"""Applications that send spans and log lines, and send again what was not taken."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from . import otlp


class Load:
    """Two clients, of traces and of logs, from the beginning of the block to its end.

    Args:
        url: Of the collector, for OTLP over HTTP; or one that is looked up for each attempt.
        size: Bytes of an attribute of each span.
        has: Further attributes of each span.
    """

    def __init__(self, url: str | Callable[[], str], size: int = 100, **has: Any) -> None:
        self._url = url if callable(url) else lambda: url
        self._has = {**has, "input.value": "x" * size}
        self.spans: set[bytes] = set()  # ids of those that were taken
        self.lines: set[str] = set()
        self.refused = 0  # attempts
        self._stop = threading.Event()
        clients = (self._send_spans, self._send_lines)
        self._threads = [threading.Thread(target=client, daemon=True) for client in clients]

    def _send_spans(self) -> None:
        while not self._stop.is_set():
            spans = [otlp.span(f"work {number}", **self._has) for number in range(20)]
            if self._send("traces", otlp.traces(spans)):
                self.spans.update(span.span_id for span in spans)

    def _send_lines(self) -> None:
        while not self._stop.is_set():
            lines = [str(uuid.uuid4()) for _ in range(20)]
            if self._send("logs", otlp.logs(otlp.record(line) for line in lines)):
                self.lines.update(lines)

    def _send(self, signal: str, body: bytes) -> bool:
        """Until it is taken, or the block has been left."""
        while True:
            if otlp.send(self._url(), signal, body) == 200:
                self._stop.wait(0.01)
                return True
            self.refused += 1
            if self._stop.wait(0.2):
                return False

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)


def missing(wanted: Iterable[Any], arrived: Iterable[Any]) -> int:
    """How many of those that were taken have not arrived."""
    return len(set(wanted) - set(arrived))
