"""The end of a program: what is said then has the format of everything before."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from typing import Any

import pytest

from otelkit import logs
from otelkit.settings import Settings
from tests.logs.conftest import Exported, Stderr

NOBODY = "http://127.0.0.1:9"  # the port that discards; nothing listens there

PROGRAM = """
import logging, sys
import otelkit

telemetry = otelkit.setup(
    log_format="json", endpoint="{nobody}", shutdown_timeout=1, metrics=False, log_rate_limit=3
)
with otelkit.traced_stage("work"):
    pass
for _ in range(8):
    logging.getLogger("shop").info("again")
{end}
"""

ENDS = {
    "of the program": "",
    "by shutdown": "otelkit.shutdown()",
    "of a block": "with telemetry: pass",
}


def written(end: str) -> list[dict[str, Any]]:
    program = PROGRAM.format(nobody=NOBODY, end=end)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    return [json.loads(line) for line in done.stderr.splitlines()]


@pytest.mark.parametrize("end", ENDS)
def test_each_line_is_json_and_says_what_was_lost_and_kept_back(end: str) -> None:
    lines = written(ENDS[end])
    messages = [line["message"] for line in lines]
    assert messages.count("again") == 3
    assert "otelkit: 5 more of the same from shop: again" in messages
    assert messages[-1].startswith("otelkit: not delivered: 1 span to otlp, ")
    assert len({line["service"] for line in lines}) == 1


AFTERWARDS = """
import logging
import otelkit

before = logging.root.handlers[:]
otelkit.setup(log_format="json", endpoint="{nobody}", shutdown_timeout=1, metrics=False)
otelkit.shutdown()
assert logging.root.handlers == before == [], logging.root.handlers
logging.getLogger("shop").warning("bare")
"""


def test_afterwards_the_console_is_as_before() -> None:
    done = subprocess.run(
        [sys.executable, "-c", AFTERWARDS.format(nobody=NOBODY)],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stderr.splitlines()[-1] == "bare"


def test_who_starts_anew_while_the_last_words_are_said_has_the_console(
    exported: Exported, stderr: Stderr
) -> None:
    settings = Settings.from_env({}, log_format="json")
    with logs.last_words(settings, "former"):
        with logs.last_words(settings, "former"):
            logging.getLogger("shop").warning("one")
        exported.install(log_format="json")
        logging.getLogger("shop").warning("two")
    logging.getLogger("shop").warning("three")
    said = [(line["message"], line["service"]) for line in stderr.objects]
    assert said == [("one", "former"), ("two", "shop"), ("three", "shop")]
