"""What telemetry adds to one request of a FastAPI application, driven as bare ASGI.

Thread CPU time, so that exporting threads do not count; the variants take turns in one process, so
that the machine's moods hit all of them; of all rounds the median.

    python benchmarks/asgi_request.py [--requests 300] [--rounds 15]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http")

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from opentelemetry import metrics, trace
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from otelkit.integrations.fastapi import instrument_fastapi


class Nowhere(SpanExporter):
    def export(self, spans: Any) -> SpanExportResult:
        return SpanExportResult.SUCCESS


def make(telemetry: dict[str, Any] | None = None) -> FastAPI:
    off = {"tracing": False, "metrics": False, "logs": False}
    app = FastAPI(telemetry={**off, **(telemetry or {})})

    @app.get("/items/{id}")
    async def item(id: int) -> PlainTextResponse:
        return PlainTextResponse("ok")

    return app


def variants(meters: MeterProvider) -> dict[str, FastAPI]:
    apps = {
        "none": make(),
        "otelkit": make(),
        "FastAPI's own, one span": make(
            {"tracing": True, "metrics": True, "operation_spans": False}
        ),
        "FastAPI's own": make({"tracing": True, "metrics": True, "logs": True}),
        "contrib, one span": make(),
        "contrib": make(),
    }
    instrument_fastapi(apps["otelkit"])
    FastAPIInstrumentor.instrument_app(
        apps["contrib, one span"], exclude_spans=["receive", "send"], meter_provider=meters
    )
    FastAPIInstrumentor.instrument_app(apps["contrib"], meter_provider=meters)
    return apps


SCOPE: dict[str, Any] = {
    "type": "http",
    "asgi": {"version": "3.0", "spec_version": "2.3"},
    "http_version": "1.1",
    "method": "GET",
    "scheme": "http",
    "path": "/items/7",
    "raw_path": b"/items/7",
    "query_string": b"",
    "root_path": "",
    "headers": [
        (b"host", b"127.0.0.1:8000"),
        (b"accept", b"*/*"),
        (b"accept-encoding", b"gzip, deflate"),
        (b"connection", b"keep-alive"),
        (b"user-agent", b"python-httpx/0.28.1"),
    ],
    "client": ("127.0.0.1", 50000),
    "server": ("127.0.0.1", 8000),
}


async def receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(message: dict[str, Any]) -> None:
    pass


async def cost(app: Callable[..., Any], requests: int) -> float:
    """Microseconds of this thread's CPU for one request."""
    started = time.thread_time()
    for _ in range(requests):
        await app(dict(SCOPE), receive, send)
    return (time.thread_time() - started) / requests * 1e6


async def compare(apps: dict[str, FastAPI], requests: int, rounds: int) -> dict[str, float]:
    taken: dict[str, list[float]] = {name: [] for name in apps}
    for _ in range(rounds + 1):
        for name, app in apps.items():
            taken[name].append(await cost(app, requests))
    return {name: statistics.median(costs[1:]) for name, costs in taken.items()}  # first: warm-up


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    traces = TracerProvider()
    traces.add_span_processor(BatchSpanProcessor(Nowhere()))
    trace.set_tracer_provider(traces)
    meters = MeterProvider([InMemoryMetricReader()])
    metrics.set_meter_provider(meters)
    result = asyncio.run(compare(variants(meters), options.requests, options.rounds))
    bare = result["none"]
    ours = result["otelkit"] - bare
    print(f"{'':26}{'µs a request':>14}{'added':>9}{'of otelkit':>12}")
    for name, taken in result.items():
        print(f"{name:26}{taken:14.1f}{taken - bare:9.1f}{(taken - bare) / ours:12.2f}")


if __name__ == "__main__":
    main()
