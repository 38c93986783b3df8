"""The example service as a real process under uvicorn, with the viewer as its receiver."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otelkit.cli import _demo_service, _demo_trace
from otelkit.cli._demo_http import send
from otelkit.cli._demo_trace import Trace
from otelkit.viewer import Viewer

PATIENCE = 15.0


def until(condition: Callable[[], Any]) -> Any:
    """Return what `condition` gives once that is true; fail when it does not become true."""
    deadline = time.monotonic() + PATIENCE
    while not (result := condition()):
        assert time.monotonic() < deadline, "this did not happen in time"
        time.sleep(0.05)
    return result


@dataclass(frozen=True)
class Answer:
    """What the service answered, and when, in nanoseconds since 1970."""

    status: int
    text: str
    start: int
    end: int

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def events(self) -> list[tuple[str, Any]]:
        """The server-sent events."""
        blocks = [block.splitlines() for block in self.text.split("\n\n") if block]
        return [(name[7:], json.loads(data[6:])) for name, data in blocks]


@dataclass(frozen=True)
class Service:
    """The running service and what the viewer has seen of it."""

    url: str
    viewer_url: str

    def ask(self, path: str, body: Any = None) -> Answer:
        start = time.time_ns()
        status, text = send(self.url + path, body)
        return Answer(status, text, start, time.time_ns())

    def trace(self, answer: Answer) -> Trace:
        """The trace of an answer, once its last span and log record have arrived."""

        def arrived() -> Trace | None:
            trace = _demo_trace.read(self.viewer_url, answer.start, answer.end)
            whole = trace and [span.kind for span in trace.roots] == ["http"]
            ended = trace and any(
                str(record["body"]).startswith(("run c", "run f", "run r")) for record in trace.logs
            )
            return trace if whole and ended else None

        trace: Trace = until(arrived)
        return trace

    def counted(self, metric: str) -> int:
        """The sum of a counter over all that the service has sent."""
        points = _demo_trace.ask(f"{self.viewer_url}/api/metrics")["metrics"]
        return sum(point["value"] for point in points if point["name"] == metric)


@contextlib.contextmanager
def running(folder: Path, **env: str) -> Iterator[Service]:
    """Run the service with `folder` for what it writes; `env` may name a `DATABASE_URL`."""
    module, _ = _demo_service.locate()
    with Viewer(port=0) as viewer:
        variables = _demo_service.environment(viewer.url, folder, **env)
        arguments = (module, "--port", "0")
        with _demo_service.process(*arguments, log=folder / "log", env=variables) as url:
            yield Service(url, viewer.url)
