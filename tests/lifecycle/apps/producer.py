"""Ends spans at a steady rate, each of its own name, and says what became of them."""

from __future__ import annotations

import json
import sys
import time

from opentelemetry import trace

import otelkit
from tests.lifecycle.apps.work import setup

_SAYS_EVERY = 0.25  # seconds
_TEXT = "t" * 4000  # were spans kept in memory, it would show


def main(prefix: str, rate: int, spans: int) -> None:
    setup()
    telemetry = otelkit.setup()

    def say(**what: object) -> None:
        account = telemetry.status()["traces"]["destinations"].get("otlp")
        sys.stdout.write(json.dumps({**what, "account": account}) + "\n")
        sys.stdout.flush()

    begun = time.monotonic()
    says_at = begun
    for number in range(spans):
        with otelkit.traced(name=f"{prefix}-{number}"):
            trace.get_current_span().set_attribute("text", _TEXT)
        time.sleep(max(0.0, begun + number / rate - time.monotonic()))
        if time.monotonic() >= says_at:
            says_at += _SAYS_EVERY
            say(ended=number + 1)
    delivered = bool(telemetry.flush(60.0))
    say(ended=spans, delivered=delivered and bool(telemetry.shutdown()))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
