"""Works, and says at many moments how much has ended and what the account has of it."""

from __future__ import annotations

import json
import sys

import otelkit
from tests.lifecycle.apps.work import setup, work

KINDS = ("sent", "failed", "dropped", "queued", "spooled")


def main(prefix: str, items: int) -> None:
    setup()
    telemetry = otelkit.setup()

    def say(ended: int) -> None:
        status = telemetry.status()
        account = {signal: status[signal]["destinations"]["otlp"] for signal in ("traces", "logs")}
        sys.stdout.write(json.dumps({"ended": ended, "account": account}) + "\n")

    for ended in range(1, items + 1):
        work(f"{prefix} {ended}")
        if ended % 10 == 0:
            say(ended)
        if ended % 500 == 0:
            telemetry.flush(0.5)
    telemetry.flush(30.0)
    telemetry.shutdown()
    say(items)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
