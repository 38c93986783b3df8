"""Several libraries trace one request, each with a span: it counts once."""

from __future__ import annotations

import threading
from collections import Counter

import openai
import pytest
from llm_server import serving
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.sdk.trace import SpanProcessor

from otelkit import enrich, traced_agent, traced_llm, traced_tool, traced_workflow

CHAT = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "How many tables?"}]}
INPUT, OUTPUT = 1200, 180  # what the payload of CHAT says


class Enriching(SpanProcessor):
    """What otelkit's own queues do with a span, with a list for a queue."""

    def __init__(self):
        self.spans = []

    def on_start(self, span, parent_context=None):
        enrich.start(span, parent_context)

    def on_end(self, span):
        self.spans.append(enrich.finish(span))


@pytest.fixture
def enriched(seen):
    processor = Enriching()
    seen.tracers.add_span_processor(processor)
    yield processor.spans
    assert enrich._open == {}


@pytest.fixture
def client():
    with (
        serving() as address,
        openai.OpenAI(base_url=f"{address}/v1", api_key="k", max_retries=0) as client,
    ):
        yield client


@pytest.fixture
def official(seen, client):
    instrumentor = OpenAIInstrumentor()
    instrumentor.instrument(tracer_provider=seen.tracers, meter_provider=seen.meters)
    yield client
    instrumentor.uninstrument()


def theirs(seen, dialect, tokens=(INPUT, OUTPUT), id=None):
    """A span as a foreign library makes it: the kind at its start, usage before its end."""
    tracer = seen.tracers.get_tracer(dialect)
    if dialect == "openinference":
        start = {"openinference.span.kind": "LLM", "llm.model_name": "gpt-5-mini"}
        names = ("llm.token_count.prompt", "llm.token_count.completion")
        start["llm.provider"] = "openai"
    else:
        start = {"llm.request.type": "chat", "gen_ai.request.model": "gpt-5-mini"}
        names = ("gen_ai.usage.prompt_tokens", "gen_ai.usage.completion_tokens")
        start["gen_ai.system"] = "openai"

    class Span:
        def __enter__(self):
            self._manager = tracer.start_as_current_span(dialect, attributes=start)
            self.span = self._manager.__enter__()

        def __exit__(self, *error):
            self.span.set_attributes(dict(zip(names, tokens, strict=True)))
            if id is not None:
                self.span.set_attribute("gen_ai.response.id", id)
            self._manager.__exit__(*error)

    return Span()


def counted(seen):
    found: Counter[str] = Counter()
    for point in seen.points("otelkit.llm.tokens"):
        found[point.attributes["gen_ai.token.type"]] += point.value
    return found["input"], found["output"]


def on_spans(spans):
    return (
        sum(s.attributes.get("gen_ai.usage.input_tokens", 0) for s in spans),
        sum(s.attributes.get("gen_ai.usage.output_tokens", 0) for s in spans),
    )


def cost_counted(seen):
    return sum(point.value for point in seen.points("otelkit.llm.cost"))


def cost_on_spans(spans):
    return sum(s.attributes.get("gen_ai.usage.cost.amount", 0) for s in spans)


def once(seen, enriched, times=1):
    assert counted(seen) == (times * INPUT, times * OUTPUT)
    assert on_spans(enriched) == (times * INPUT, times * OUTPUT)
    assert cost_counted(seen) == pytest.approx(cost_on_spans(enriched))
    assert cost_counted(seen) > 0
    return True


@pytest.mark.parametrize("outer", ["openinference", "openllmetry"])
def test_the_official_instrumentation_inside_anothers_span(seen, enriched, official, outer):
    with traced_workflow("flow"), traced_agent("writer"), theirs(seen, outer):
        official.chat.completions.create(**CHAT)
    assert once(seen, enriched)
    around = next(span for span in enriched if span.name == outer)
    assert not [name for name in around.attributes if "token" in name or "cost" in name]
    for point in seen.points("otelkit.llm.tokens"):
        assert point.attributes["gen_ai.workflow.name"] == "flow"
        assert point.attributes["gen_ai.agent.name"] == "writer"


def test_our_call_around_anothers_span(seen, enriched, client):
    @traced_llm(provider="openai")
    def ask(**request):
        with theirs(seen, "openinference"):
            return client.chat.completions.create(**request)

    ask(**CHAT)
    assert once(seen, enriched)


def test_our_call_inside_anothers_span(seen, enriched, client):
    ask = traced_llm(provider="openai")(lambda: client.chat.completions.create(**CHAT))
    with theirs(seen, "openinference"):
        ask()
    assert once(seen, enriched)


def test_three_libraries_with_tools_in_between(seen, enriched, client):
    @traced_llm(provider="openai")
    def innermost():
        return client.chat.completions.create(**CHAT)

    @traced_tool
    def tool():
        with theirs(seen, "openllmetry"):
            return innermost()

    @traced_llm(provider="openai")
    def outermost():
        with theirs(seen, "openinference"):
            return tool()

    outermost()
    assert once(seen, enriched)


def test_all_three_around_the_official_instrumentation(seen, enriched, official):
    @traced_llm(provider="openai")
    def ask():
        with theirs(seen, "openinference"), theirs(seen, "openllmetry"):
            return official.chat.completions.create(**CHAT)

    ask()
    assert once(seen, enriched)


def test_a_span_around_two_requests_counts_neither_again(seen, enriched, official):
    with theirs(seen, "openinference", (2 * INPUT, 2 * OUTPUT)):
        for _ in range(2):
            official.chat.completions.create(**CHAT)
    assert once(seen, enriched, times=2)


def test_what_is_on_no_span_inside_is_counted_outside(seen, enriched):
    with theirs(seen, "openinference", (1500, 200)), theirs(seen, "openllmetry"):
        pass
    assert counted(seen) == on_spans(enriched) == (1500, 200)


def test_responses_with_ids_of_their_own_both_count(seen, enriched):
    with theirs(seen, "openinference", id="a"), theirs(seen, "openllmetry", id="b"):
        pass
    assert once(seen, enriched, times=2)


def test_spans_beside_each_other_both_count(seen, enriched):
    for dialect in ("openinference", "openllmetry"):
        with theirs(seen, dialect):
            pass
    assert once(seen, enriched, times=2)


def test_a_span_that_says_nothing_of_usage_hides_nothing(seen, enriched):
    ask = traced_llm(provider="openai", model="gpt-5-mini")
    with ask, theirs(seen, "openinference"):
        pass
    assert once(seen, enriched)


def test_requests_in_threads_inside_one_call(seen, enriched):
    from opentelemetry import context

    with traced_llm(provider="openai", model="gpt-5-mini") as call:
        here = context.get_current()

        def work():
            token = context.attach(here)
            with theirs(seen, "openinference", (10, 1)):
                pass
            context.detach(token)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        call.record_usage(input_tokens=80, output_tokens=8)
    assert counted(seen) == on_spans(enriched) == (80, 8)
