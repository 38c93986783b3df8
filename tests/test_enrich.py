"""LLM spans of other libraries get usage under one name, cost and metrics, and count once."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import Counter
from typing import Any

import pytest
from llm_server import serving
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

import otelkit
from otelkit import enrich, instruments
from otelkit.context import Scope, with_scope
from otelkit.viewer import Viewer

PROGRAM = """
import asyncio, openai, otelkit

otelkit.setup(service_name="app", instrument="openai")
client = openai.OpenAI(base_url={address!r}, api_key="k", max_retries=0)
chat = {{"model": "gpt-5-mini", "messages": [{{"role": "user", "content": "x"}}]}}
stream = {{**chat, "stream": True, "stream_options": {{"include_usage": True}}}}

@otelkit.traced_llm(provider="openai")
def ask(**request):
    return client.chat.completions.create(**request)

@otelkit.traced_llm(provider="openai", model="gpt-5-mini")
def ask_twice():
    client.chat.completions.create(**chat)
    return client.chat.completions.create(**chat)

@otelkit.traced_agent
def writer():
    {call}

with otelkit.traced_workflow("flow"):
    writer()
assert otelkit.shutdown()
"""
# what the agent does; LLM spans; calls' worth of input tokens; input tokens of one call
CASES = {
    "the client alone": ("client.chat.completions.create(**chat)", 1, 1, 1200),
    "inside traced_llm": ("ask(**chat)", 1, 1, 1200),
    "streamed inside traced_llm": ("list(ask(**stream))", 1, 1, 90),
    "streamed alone": ("list(client.chat.completions.create(**stream))", 1, 1, 90),
    "two calls inside one traced_llm": ("ask_twice()", 1, 2, 1200),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_official_instrumentation_and_ours_count_every_call_once(case):
    call, spans_wanted, calls, tokens = case
    with Viewer(port=0) as viewer, serving() as address:
        program = PROGRAM.format(address=f"{address}/v1", call=call)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL", "PYTEST"))}
        environ = kept | {"OTEL_EXPORTER_OTLP_ENDPOINT": viewer.url}
        subprocess.run([sys.executable, "-c", program], env=environ, check=True, timeout=60)
        spans = viewer.store.spans()
        metrics = viewer.store.metrics()
    asked = [s for s in spans if s["attributes"].get("gen_ai.operation.name") == "chat"]
    assert len(asked) == spans_wanted
    (span,) = asked
    assert span["attributes"]["gen_ai.usage.input_tokens"] == calls * tokens
    assert span["attributes"]["gen_ai.usage.cost.amount"] > 0
    counted: Counter[str] = Counter()
    for point in metrics:
        if point["name"] == "otelkit.llm.tokens":
            attributes = point["attributes"]
            assert attributes["gen_ai.agent.name"] == "writer"
            assert attributes["gen_ai.workflow.name"] == "flow"
            counted[attributes["gen_ai.token.type"]] += point["value"]
    assert counted["input"] == calls * tokens
    (cost,) = [point["value"] for point in metrics if point["name"] == "otelkit.llm.cost"]
    assert cost == pytest.approx(span["attributes"]["gen_ai.usage.cost.amount"])


DIALECTS = {
    "OpenInference": {
        "openinference.span.kind": "LLM",
        "llm.model_name": "gpt-5-mini",
        "llm.provider": "openai",
        "llm.token_count.prompt": 100,
        "llm.token_count.completion": 20,
        "llm.token_count.prompt_details.cache_read": 40,
    },
    "OpenLLMetry": {
        "llm.request.type": "chat",
        "gen_ai.system": "openai",
        "gen_ai.request.model": "gpt-5-mini",
        "gen_ai.usage.prompt_tokens": 100,
        "gen_ai.usage.completion_tokens": 20,
        "gen_ai.usage.cache_read_input_tokens": 40,
    },
    "the GenAI conventions": {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5-mini",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.cache_read.input_tokens": 40,
    },
}


def ended(attributes: dict[str, Any], scope: str = "theirs") -> Any:
    provider = TracerProvider(shutdown_on_exit=False)
    span = provider.get_tracer(scope).start_span("llm", attributes=attributes)
    enrich.start(span, None)
    span.end()
    return span


@pytest.fixture(autouse=True)
def _fresh_totals(monkeypatch):
    monkeypatch.setattr(instruments.tokens, "_totals", {})
    monkeypatch.setattr(instruments.cost, "_totals", {})


@pytest.mark.parametrize("attributes", DIALECTS.values(), ids=DIALECTS)
def test_usage_of_every_dialect_gets_the_standard_names_and_a_cost(attributes):
    enriched = enrich.finish(ended(attributes))
    assert enriched.attributes["gen_ai.usage.input_tokens"] == 100
    assert enriched.attributes["gen_ai.usage.output_tokens"] == 20
    assert enriched.attributes["gen_ai.usage.cache_read.input_tokens"] == 40
    assert enriched.attributes["gen_ai.provider.name"] == "openai"
    assert enriched.attributes["gen_ai.usage.cost.amount"] > 0
    assert attributes.items() <= dict(enriched.attributes).items()
    assert sum(instruments.tokens._totals.values()) == 160


def test_a_cost_that_the_span_has_is_kept():
    given = DIALECTS["the GenAI conventions"] | {"gen_ai.usage.cost.amount": 9.0}
    assert enrich.finish(ended(given)).attributes["gen_ai.usage.cost.amount"] == 9.0


def test_other_spans_and_our_own_are_left_alone():
    for span in (
        ended({"http.request.method": "GET"}),
        ended({"gen_ai.operation.name": "chat"}),
        ended(DIALECTS["OpenLLMetry"], scope="otelkit"),
    ):
        assert enrich.finish(span) is span
    assert instruments.tokens._totals == {}


def test_bound_values_are_written_at_the_start():
    provider = TracerProvider(shutdown_on_exit=False)
    with otelkit.bind(user_id="u", tags=["a"]):
        span = provider.get_tracer("theirs").start_span("any")
        enrich.start(span, None)
    assert span.attributes == {"user.id": "u", "otelkit.tags": ("a",)}
    enrich.finish(span)


def test_a_copy_is_the_span_but_for_its_attributes():
    span = ended(DIALECTS["OpenInference"])
    copy = enrich.finish(span)
    for name in ("name", "context", "parent", "kind", "resource", "start_time", "end_time"):
        assert getattr(copy, name) == getattr(span, name)
    assert isinstance(copy.instrumentation_scope, InstrumentationScope)


def test_spans_that_never_end_do_not_add_up(monkeypatch):
    monkeypatch.setattr(enrich, "_OPEN_AT_MOST", 3)
    monkeypatch.setattr(enrich, "_open", {})
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("theirs")
    inside = with_scope(Scope(workflow="flow"), Context())
    spans = [tracer.start_span("open") for _ in range(10)]
    for span in spans:
        enrich.start(span, inside)
    assert list(enrich._open) == [span.context.span_id for span in spans[-3:]]


def test_a_finalizer_may_start_a_span_while_one_is_forgotten(monkeypatch):
    class Collected(dict[int, Any]):  # the collector may run wherever something is made
        def __iter__(self) -> Any:
            if not ran:
                ran.append(True)
                ended({})
            return super().__iter__()

    ran: list[bool] = []
    monkeypatch.setattr(enrich, "_OPEN_AT_MOST", 1)
    monkeypatch.setattr(enrich, "_open", Collected())

    worker = threading.Thread(target=lambda: [ended({}), ended({})], daemon=True)
    worker.start()
    worker.join(30)
    assert not worker.is_alive()
    assert ran
    assert len(enrich._open) <= 1
