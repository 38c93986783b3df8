"""What every application of the matrix does: telemetry set up, and a unit of work that shows in it."""

from __future__ import annotations

import logging
import os

import otelkit

log = logging.getLogger("app")
_done = None


def setup() -> None:
    """As an application would; ``PLAIN`` in the environment runs it without otelkit."""
    if "PLAIN" not in os.environ:
        otelkit.setup(service_name="matrix", log_format="off")


def work(name: str) -> None:
    """One span, one log line and one count, all of this name."""
    global _done
    _done = _done or otelkit.counter("work_done")
    with otelkit.traced(name=name):
        log.info("%s", name)
        _done.add(1)
