"""What LangSmith adds to a span, beside what the plain batch processor costs.

Thread CPU time of the thread that makes the spans, all variants in turn in one process, each behind
an exporter that does nothing; of many rounds the median. What is done later in the background, a
copy and its encoding, is a row of its own.

    python benchmarks/langsmith.py
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

# This file has the name of a package that is imported here; its folder must not come first.
sys.path = [path for path in sys.path if os.path.abspath(path) != os.path.dirname(__file__)]

from langsmith import run_helpers  # noqa: E402, F401 - so that its runs are looked for
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans  # noqa: E402
from opentelemetry.sdk.trace import TracerProvider  # noqa: E402
from opentelemetry.sdk.trace.export import (  # noqa: E402
    BatchSpanProcessor,
    SpanExporter,
    SpanExportResult,
)

from otelkit.export.exporter import Answer, Batch, Exporter  # noqa: E402
from otelkit.export.queue import Queue  # noqa: E402
from otelkit.export.trouble import Trouble  # noqa: E402
from otelkit.langsmith import _plan  # noqa: E402
from otelkit.langsmith.bridge import Ended  # noqa: E402
from otelkit.langsmith.connect import connect  # noqa: E402
from otelkit.providers.processors import SpanQueues  # noqa: E402
from otelkit.settings import Settings  # noqa: E402

ROUNDS, SPANS = 100, 200
TARGETS = {"kept": 15.0, "dropped": 2.0}  # µs added
KEPT = {
    "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-5-mini", "gen_ai.usage.input_tokens": 120,
    "gen_ai.usage.output_tokens": 30, "gen_ai.usage.cost.amount": 0.001,
}  # fmt: skip
DROPPED = {
    "db.system.name": "postgresql", "db.namespace": "shop", "db.operation.name": "SELECT",
    "db.collection.name": "orders", "db.query.text": "SELECT * FROM orders WHERE id = $1",
    "server.address": "db", "server.port": 5432,
}  # fmt: skip
ENVIRON = {"LANGSMITH_TRACING": "true", "LANGSMITH_API_KEY": "key"}


class Discard(SpanExporter):
    def export(self, spans: Any) -> SpanExportResult:
        return SpanExportResult.SUCCESS


class Nowhere:
    """An exporter for otelkit's queues that does nothing."""

    endpoint = "nowhere"

    def prepare(self, items: Sequence[Any]) -> tuple[list[Batch], int]:
        return [Batch(len(items), None)], 0

    def send(self, batch: Batch, timeout: float) -> Answer:
        return Answer("sent")

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None


def queue(name: str, exporter: Exporter) -> Queue:
    return Queue(
        "traces", name, exporter, capacity=1_000_000, batch_size=512, delay=1.0, timeout=1.0,
        trouble=Trouble(name),
    )  # fmt: skip


def providers() -> dict[str, TracerProvider]:
    """By name; the last one has what the one before has, and LangSmith."""
    os.environ.update(ENVIRON)
    batch, alone, both = (TracerProvider(shutdown_on_exit=False) for _ in range(3))
    batch.add_span_processor(BatchSpanProcessor(Discard(), max_queue_size=1_000_000))
    without = SpanQueues()
    without.queues = (queue("otlp", Nowhere()),)
    alone.add_span_processor(without)
    langsmith = SpanQueues()
    langsmith.queues = (queue("otlp", Nowhere()),)
    settings = Settings.from_env(ENVIRON)
    assert _plan.plan(settings).native
    langsmith.bridge = connect(settings, lambda name, _: queue(name, Nowhere())).bridge
    both.add_span_processor(langsmith)
    return {"batch processor": batch, "otelkit": alone, "otelkit with LangSmith": both}


def cost(provider: TracerProvider, scope: str, attributes: dict[str, Any]) -> float:
    """Microseconds for one span, under a parent."""
    with provider.get_tracer("otelkit").start_as_current_span("workflow", attributes=KEPT):
        tracer = provider.get_tracer(scope)
        started = time.thread_time()
        for _ in range(SPANS):
            tracer.start_span("span", attributes=attributes).end()
        return (time.thread_time() - started) / SPANS * 1e6


def background(provider: TracerProvider) -> float:
    """Microseconds for the copy of one span and its encoding."""
    seen: list[Ended] = []
    processor: Any = provider._active_span_processor._span_processors[0]
    bridge = processor.bridge
    bridge.queue.put = seen.append
    tracer = provider.get_tracer("otelkit")
    with tracer.start_as_current_span("workflow", attributes=KEPT):
        for _ in range(SPANS):
            tracer.start_span("span", attributes=KEPT).end()
    started = time.thread_time()
    encode_spans([bridge._copies.sent(*ended) for ended in seen])
    return (time.thread_time() - started) / len(seen) * 1e6


def main() -> None:
    made = providers()
    kinds = {"kept": ("otelkit", KEPT), "dropped": ("otelkit.sqlalchemy", DROPPED)}
    rounds: list[dict[tuple[str, str], float]] = []
    for _ in range(ROUNDS):
        rounds.append(
            {
                (name, kind): cost(provider, scope, attributes)
                for kind, (scope, attributes) in kinds.items()
                for name, provider in made.items()
            }
        )
    print(f"{'':26}{'kept µs':>9}{'added':>7}{'dropped µs':>12}{'added':>7}")
    for name in made:
        # What is added, round by round: the two were measured one right after the other.
        kept, more, dropped, extra = (
            statistics.median(one[name, kind] - one.get((base, kind), 0.0) for one in rounds[5:])
            for kind in kinds
            for base in ("", "otelkit")
        )
        print(f"{name:26}{kept:9.1f}{more:7.1f}{dropped:12.1f}{extra:7.1f}")
    print(f"{'(targets)':26}{'':9}{TARGETS['kept']:7.1f}{'':12}{TARGETS['dropped']:7.1f}")
    *_, last = made.values()
    later = statistics.median(background(last) for _ in range(10))
    print(f"{'in the background, later':26}{later:9.1f}")


if __name__ == "__main__":
    main()
