"""Whatever an application does first, each request gives the same three spans, in one tree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ORDERS = [
    "setup import app engine",
    "import setup app engine",
    "import app request setup engine",
    "import app engine setup",
    "import app engine request setup",
]


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> dict[str, subprocess.Popen[bytes]]:
    """All of them at once: most of their time is waiting."""
    environment = {**os.environ, "TMPDIR": str(tmp_path_factory.mktemp("databases"))}
    return {
        order: subprocess.Popen(
            [sys.executable, "-m", "tests.integrations.order", *order.split()],
            cwd=Path(__file__).parents[2],
            env=environment,
            stdout=subprocess.PIPE,
        )
        for order in ORDERS
    }


@pytest.mark.parametrize("order", ORDERS)
def test_any_order_of_steps_gives_exactly_one_span_for_each_thing(
    services: dict[str, subprocess.Popen[bytes]], order: str
) -> None:
    output, _ = services[order].communicate(timeout=60)
    assert services[order].returncode == 0
    *earlier, last = [json.loads(line) for line in output.splitlines()]
    assert earlier == [[]] * order.split().count("request"), "requests before setup"
    names = sorted(f"{span['scope']}: {span['name']}" for span in last)
    assert names == [
        "otelkit.fastapi: GET /users/{id}",
        "otelkit.sqlalchemy: SELECT sqlite_master",
        "otelkit.sqlalchemy: SELECT sqlite_master",
    ]
    server = next(span for span in last if span["scope"] == "otelkit.fastapi")
    queries = [span for span in last if span is not server]
    assert server["parent"] is None
    assert {query["parent"] for query in queries} == {server["id"]}
