"""A destination that is dead or slow is nobody else's trouble, least of all the application's."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.langsmith.stand_in import StandIn
from tests.lifecycle.apps.destinations import CALLS, SPAN
from tests.lifecycle.matrix import ROOT, free_port
from tests.lifecycle.peers import DEAD, Receiver, until

NAMES = ("otlp", "langsmith", "console")


@contextlib.contextmanager
def started(stdout: Any, variables: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "OTEL"))}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.lifecycle.apps.destinations"],
        cwd=ROOT,
        env=inherited | variables,
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def said(process: subprocess.Popen[str], start: str) -> str:
    """The next line that begins so."""
    assert process.stderr is not None
    others = []
    for line in process.stderr:
        if line.startswith(start):
            return line
        others.append(line)
    raise AssertionError("".join(others))


def scraped(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=40) as page:
        text: str = page.read().decode()
        return text


@pytest.mark.parametrize("dead", NAMES)
def test_the_others_have_everything_while_one_does_not_answer(dead: str, tmp_path: Path) -> None:
    port, printed = free_port(), tmp_path / "printed"
    with contextlib.ExitStack() as stack:
        receiver, langsmith = stack.enter_context(Receiver()), stack.enter_context(StandIn())
        silent = stack.enter_context(DEAD["is silent"]())
        slow = stack.enter_context(DEAD["one byte a second"]())
        variables = {
            **langsmith.environment(),
            "OTEL_EXPORTER_OTLP_ENDPOINT": silent if dead == "otlp" else receiver.url,
            "OTEL_TRACES_EXPORTER": "otlp,console",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "OTELKIT_METRICS_PORT": str(port),
            "OTELKIT_SHUTDOWN_TIMEOUT": "0.5",
        }
        if dead == "langsmith":
            variables["LANGSMITH_ENDPOINT"] = slow
        # Nobody reads the pipe: it is full after some spans.
        stdout = subprocess.PIPE if dead == "console" else stack.enter_context(printed.open("w"))
        process = stack.enter_context(started(stdout, variables))

        said(process, '"done"')
        complete: dict[str, Callable[[], object]] = {
            "otlp": lambda: receiver.spans()[SPAN] == CALLS,
            "langsmith": lambda: len(langsmith.taken) == CALLS,
            "console": lambda: printed.read_text().count(f'"name": "{SPAN}"') == CALLS,
            "prometheus": lambda: re.search(rf"^calls_total\S* {CALLS}\b", scraped(port), re.M),
        }
        for name in set(complete) - {dead}:
            until(complete[name], 40, name)

        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
        assert json.loads(said(process, "{")) == {name: name != dead for name in NAMES}
        assert process.wait(30) == 0
