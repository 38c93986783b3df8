"""Works, says so, waits for a word, and says what it could deliver: on stderr, stdout is one."""

from __future__ import annotations

import json
import sys

import otelkit
from tests.lifecycle.apps.work import setup

CALLS = 300
SPAN = "invoke_workflow call"


def main() -> None:
    setup()
    calls = otelkit.counter("calls")
    for _ in range(CALLS):
        with otelkit.traced_workflow("call"):
            calls.add(1)
    say("done")
    sys.stdin.readline()
    counts = otelkit.flush(2.0).counts["traces"]
    say({name: each.delivered for name, each in counts.items()})


def say(what: object) -> None:
    sys.stderr.write(json.dumps(what) + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
