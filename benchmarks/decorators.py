"""What a decorated call costs beside ``with tracer.start_as_current_span(name, attributes=3)``.

Thread CPU time, all variants interleaved in one process, each behind a batch processor with an
exporter that does nothing; the median of many rounds. Run: ``python benchmarks/decorators.py``.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased

from otelkit import decorators
from otelkit.decorators import traced, traced_agent, traced_llm
from otelkit.settings import Settings

ROUNDS, CALLS = 60, 200
TARGETS = {
    "raw, 4 KB and 2 KB by json.dumps": None,
    "sync": 0.85, "async": 0.9, "with metrics": 1.3, "4 KB in, 2 KB out, full": 2.1,
    "4 KB in, 2 KB out, redacted": None, "not sampled, root": 0.2, "not sampled, child": 0.05,
    "not set up": 0.05, "generator of 100": 1.3, "async generator of 100": 2.0,
    "LLM call, usage, cost, metrics": 2.2,
}  # fmt: skip
ARGUMENT = {  # 4 KB as JSON
    "task": "Write the models of this schema. " * 12,
    "tables": [{"name": f"table {i}", "note": "n" * 190, "columns": [i, i + 1]} for i in range(16)],
}
RESULT = "r" * 2048
RESPONSE = {
    "id": "chatcmpl-1", "object": "chat.completion", "model": "gpt-5-mini-2025-08-07",
    "choices": [{"index": 0, "finish_reason": "stop",
                 "message": {"role": "assistant", "content": "hello"}}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
}  # fmt: skip


class Discard(SpanExporter):
    def export(self, spans: Any) -> SpanExportResult:
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None: ...


def repeat(call: Callable[[], Any]) -> Callable[[], None]:
    def run() -> None:
        for _ in range(CALLS):
            call()

    return run


def repeat_async(call: Callable[[], Any]) -> Callable[[], None]:
    async def loop() -> None:
        for _ in range(CALLS):
            await call()

    return lambda: asyncio.run(loop())


def cost(run: Callable[[], None]) -> float:
    started = time.thread_time()
    run()
    return (time.thread_time() - started) / CALLS * 1e6


def variants(mode: str) -> dict[str, tuple[Callable[[], None], Callable[[], None]]]:
    """By name: what is measured, and the same without tracing, which is taken off."""
    tracer = trace.get_tracer("raw")

    def raw() -> None:
        with tracer.start_as_current_span("raw", attributes={"a": "1", "b": 2, "c": "three"}):
            work()

    def raw_with_content() -> None:
        with tracer.start_as_current_span("raw", attributes={"a": "1", "b": 2, "c": "three"}) as s:
            s.set_attribute("input", json.dumps(ARGUMENT))
            s.set_attribute("output", json.dumps(RESULT))

    def work() -> int:
        return 1

    async def awork() -> int:
        return 1

    def numbers() -> Any:
        yield from range(100)

    async def anumbers() -> Any:
        for number in range(100):
            yield number

    def drain(source: Callable[[], Any]) -> Callable[[], None]:
        def run() -> None:
            for _ in source():
                pass

        return run

    def adrain(source: Callable[[], Any]) -> Callable[[], Any]:
        async def run() -> None:
            async for _ in source():
                pass

        return run

    def plain(argument: Any) -> str:
        return RESULT

    full, redacted = traced(capture="full")(plain), traced(capture="redacted")(plain)

    sampled = {
        "raw": (repeat(raw), repeat(work)),
        "raw, 4 KB and 2 KB by json.dumps": (repeat(raw_with_content), repeat(work)),
        "sync": (repeat(traced(work)), repeat(work)),
        "async": (repeat_async(traced(awork)), repeat_async(awork)),
        "generator of 100": (repeat(drain(traced(numbers))), repeat(drain(numbers))),
        "async generator of 100": (
            repeat_async(adrain(traced(anumbers))),
            repeat_async(adrain(anumbers)),
        ),
        "4 KB in, 2 KB out, full": (
            repeat(lambda: full(ARGUMENT)),
            repeat(lambda: plain(ARGUMENT)),
        ),
        "4 KB in, 2 KB out, redacted": (
            repeat(lambda: redacted(ARGUMENT)),
            repeat(lambda: plain(ARGUMENT)),
        ),
    }
    if mode == "traces":
        return sampled
    if mode == "metrics":
        llm = traced_llm(provider="openai", model="gpt-5-mini")(lambda: RESPONSE)
        return {
            "raw": sampled["raw"],
            "with metrics": (repeat(traced_agent(work)), repeat(work)),
            "LLM call, usage, cost, metrics": (repeat(llm), repeat(work)),
        }
    name = "not set up" if mode == "none" else "not sampled, root"
    rows = {"raw": sampled["raw"], name: sampled["sync"]}
    if mode == "unsampled":
        child = repeat(traced(work))

        def under_a_parent() -> None:
            with trace.use_span(tracer.start_span("parent")):
                child()

        rows["not sampled, child"] = (under_a_parent, repeat(work))
    return rows


def set_up(mode: str) -> None:
    if mode == "none":
        return
    sampler = ParentBased(ALWAYS_OFF) if mode == "unsampled" else None
    provider = TracerProvider(sampler=sampler)
    provider.add_span_processor(BatchSpanProcessor(Discard(), max_queue_size=100_000))
    trace.set_tracer_provider(provider)
    if mode == "metrics":
        metrics.set_meter_provider(MeterProvider([InMemoryMetricReader()]))
    decorators.configure(Settings(capture="off"), sampler_follows_parent=mode == "unsampled")


def measure(mode: str) -> dict[str, float]:
    set_up(mode)
    rows = variants(mode)
    samples: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(ROUNDS):
        for name, (run, without) in rows.items():
            samples[name].append(cost(run) - cost(without))
    return {name: statistics.median(values) for name, values in samples.items()}


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
        return
    base = None
    print(f"{'':34}{'µs':>8}{'ratio':>8}{'target':>8}")
    for mode in ("traces", "metrics", "unsampled", "none"):
        done = subprocess.run([sys.executable, __file__, mode], stdout=-1, check=True, text=True)
        found = json.loads(done.stdout)
        base = found.pop("raw") if mode in ("traces", "metrics") else base
        found.pop("raw", None)
        for name, micros in found.items():
            ratio = micros / base
            target = TARGETS[name] or ""
            print(f"{name:34}{micros:8.1f}{ratio:8.2f}{target:>8}")
        print(f"{'(raw)':34}{base:8.1f}")


if __name__ == "__main__":
    main()
