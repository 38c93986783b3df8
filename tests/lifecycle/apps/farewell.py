"""Works, flushes, and ends: says how long each took and what the account was."""

from __future__ import annotations

import atexit
import json
import sys
import time

import otelkit
from tests.lifecycle.apps.work import setup, work

SPANS = 600


def main() -> None:
    started: list[float] = []
    # Exit handlers run in reverse: this one after otelkit's own.
    atexit.register(lambda: say(exit=time.monotonic() - started[0], account=account()))
    setup()
    for _ in range(SPANS):
        work("main")
    begun = time.monotonic()
    delivered = bool(otelkit.flush(1.0))
    say(flush=time.monotonic() - begun, delivered=delivered, account=account())
    started.append(time.monotonic())


def account() -> dict[str, dict[str, int]]:
    status = otelkit.status()
    return {signal: status[signal]["destinations"]["otlp"] for signal in ("traces", "logs")}


def say(**what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
