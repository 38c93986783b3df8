"""A service that does what the example service never does, until its standard input is closed.

A tool fails, a model is dear, a workflow does not end, one line is logged again and again, a
component is unhealthy.
Then it writes what became of its telemetry, as JSON.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import sys
import threading

import otelkit

telemetry = otelkit.setup(service_name="odds", log_rate_limit=5, log_format="off")
log = logging.getLogger("odds")
closed = threading.Event()


@otelkit.health.check("edge", critical=False)
def edge() -> None:
    raise RuntimeError("it is blunt")


@otelkit.traced_tool
def saw() -> None:
    raise RuntimeError("it does not cut")


@otelkit.traced_llm(provider="openai", model="gpt-5-mini")
def advice() -> None:
    otelkit.record_usage(input_tokens=1000, output_tokens=100, cost=1.0)


@otelkit.traced_agent("carpenter")
def carpenter() -> None:
    advice()
    try:
        saw()
    except RuntimeError:
        for _ in range(5):
            log.error("once more")


@otelkit.traced_workflow("table")
def table() -> None:
    while not closed.wait(0.2):
        carpenter()


asyncio.run(otelkit.health.report())
worker = threading.Thread(target=table)
worker.start()
sys.stdout.write("ready\n")
sys.stdout.flush()
sys.stdin.read()
closed.set()
worker.join()
result = telemetry.shutdown(timeout=20)
counts = {
    signal: {name: dataclasses.asdict(one) for name, one in by_name.items()}
    for signal, by_name in result.counts.items()
}
sys.stdout.write(json.dumps(counts))
