"""The clients' ``stream()`` helpers: managers whose stream is read in many ways, or half-way."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import anthropic
import openai
import pytest
from llm_server import BREAK_AFTER, serving
from opentelemetry.instrumentation.genai.anthropic import AnthropicInstrumentor
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

import otelkit
from otelkit import traced_llm

ASKED = [{"role": "user", "content": "How many tables?"}]


class Helper(NamedTuple):
    """A ``stream()`` helper, and what its payload says."""

    open: Callable[..., Any]  # of a client and extra options
    final: str  # the method that reads to the end
    client: Callable[..., Any]
    async_client: Callable[..., Any]
    path: str
    input_tokens: int
    output_tokens: int
    finish: str


HELPERS = {
    "chat": Helper(
        lambda client, **more: client.chat.completions.stream(
            model="m", messages=ASKED, stream_options={"include_usage": True}, **more
        ),
        "get_final_completion",
        openai.OpenAI,
        openai.AsyncOpenAI,
        "/v1",
        90,
        42,
        "tool_calls",
    ),
    "responses": Helper(
        lambda client, **more: client.responses.stream(model="m", input="A plan", **more),
        "get_final_response",
        openai.OpenAI,
        openai.AsyncOpenAI,
        "/v1",
        300,
        90,
        "tool_calls",
    ),
    "messages": Helper(
        lambda client, **more: client.messages.stream(
            model="m", max_tokens=9, messages=ASKED, **more
        ),
        "get_final_message",
        anthropic.Anthropic,
        anthropic.AsyncAnthropic,
        "",
        425,
        60,
        "tool_call",
    ),
}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving() as address:
        yield address


@pytest.fixture(params=HELPERS.values(), ids=HELPERS)
def helper(request) -> Helper:
    return request.param


@pytest.fixture
def client(helper, address):
    with helper.client(base_url=address + helper.path, api_key="k", max_retries=0) as client:
        yield client


def whole(seen, helper):
    """The one span says all, and the metrics the same."""
    (span,) = seen.spans
    attributes = dict(span.attributes)
    assert attributes["gen_ai.usage.input_tokens"] == helper.input_tokens
    assert attributes["gen_ai.usage.output_tokens"] == helper.output_tokens
    assert helper.finish in attributes["gen_ai.response.finish_reasons"]
    assert attributes["gen_ai.response.model"]
    assert attributes["gen_ai.response.time_to_first_chunk"] > 0
    assert "otelkit.stopped_early" not in attributes
    totals = {p.attributes["gen_ai.token.type"]: p.value for p in seen.points("otelkit.llm.tokens")}
    assert (totals["input"], totals["output"]) == (helper.input_tokens, helper.output_tokens)
    (first,) = seen.points("gen_ai.client.operation.time_to_first_chunk")
    assert first.count == 1
    return True


def read_to_the_end(stream, helper, way):
    if way == "iterate":
        assert list(stream)
    elif way == "next":
        with contextlib.suppress(StopIteration):
            while True:
                next(stream)
    elif way == "final":
        assert getattr(stream, helper.final)()
    else:
        stream.until_done()


@pytest.mark.parametrize("way", ["iterate", "next", "final", "until_done"])
def test_a_returned_manager(seen, client, helper, way):
    @traced_llm(provider="p")
    def ask():
        return helper.open(client)

    manager = ask()
    assert isinstance(manager, type(helper.open(client)))
    assert seen.spans == []
    with manager as stream:
        read_to_the_end(stream, helper, way)
    assert whole(seen, helper)


def test_a_returned_manager_of_an_asynchronous_client(seen, helper, address):
    @traced_llm(provider="p")
    async def ask(client):
        return helper.open(client)

    @traced_llm(provider="p")
    def ask_plainly(client):
        return helper.open(client)

    async def read(ask, way):
        make = helper.async_client
        async with make(base_url=address + helper.path, api_key="k", max_retries=0) as client:
            manager = ask(client)
            if asyncio.iscoroutine(manager):
                manager = await manager
            async with manager as stream:
                if way == "iterate":
                    assert [event async for event in stream]
                else:
                    assert await getattr(stream, helper.final)()

    asyncio.run(read(ask, "iterate"))
    assert whole(seen, helper)
    asyncio.run(read(ask_plainly, "final"))
    assert [s.attributes["gen_ai.usage.input_tokens"] for s in seen.spans] == [
        helper.input_tokens,
        helper.input_tokens,
    ]


def test_text_of_a_returned_manager(seen, address):
    client = anthropic.Anthropic(base_url=address, api_key="k", max_retries=0)
    ask = traced_llm(provider="anthropic")(lambda: HELPERS["messages"].open(client))
    with client, ask() as stream:
        assert "".join(stream.text_stream)
    assert whole(seen, HELPERS["messages"])


def test_a_manager_recorded_in_a_block(seen, client, helper):
    with traced_llm(provider="p") as call:
        with call.record(helper.open(client)) as stream:
            read_to_the_end(stream, helper, "final")
        assert seen.spans == []
    assert whole(seen, helper)


def test_a_manager_used_up_inside_a_function(seen, client, helper):
    @traced_llm(provider="p")
    def ask():
        with otelkit.record_usage(helper.open(client)) as stream:
            stream.until_done()
        return "text"

    assert ask() == "text"
    assert whole(seen, helper)


def test_a_generator_of_the_text_inside(seen, address):
    client = anthropic.Anthropic(base_url=address, api_key="k", max_retries=0)

    @traced_llm(provider="anthropic")
    def ask():
        with otelkit.record_usage(HELPERS["messages"].open(client)) as stream:
            yield from stream.text_stream

    with client:
        assert "".join(ask())
    assert whole(seen, HELPERS["messages"])


def test_an_asynchronous_manager_used_up_inside(seen, helper, address):
    @traced_llm(provider="p")
    async def ask():
        make = helper.async_client
        async with (
            make(base_url=address + helper.path, api_key="k", max_retries=0) as client,
            otelkit.record_usage(helper.open(client)) as stream,
        ):
            await stream.until_done()

    asyncio.run(ask())
    assert whole(seen, helper)


def test_two_streams_recorded_in_one_call_add_up(seen, client, helper):
    with traced_llm(provider="p") as call:
        for _ in range(2):
            with call.record(helper.open(client)) as stream:
                stream.until_done()
    # The payload's id is the same both times, so this is one response.
    assert whole(seen, helper)


@pytest.mark.parametrize("where", ["returned", "recorded"])
def test_a_stream_that_the_server_breaks_off(seen, client, helper, where):
    broken = {"extra_headers": {BREAK_AFTER: "2"}}

    @traced_llm(provider="p")
    def ask():
        if where == "returned":
            return helper.open(client, **broken)
        with otelkit.record_usage(helper.open(client, **broken)) as stream:
            stream.until_done()
        return None

    lost = pytest.raises(Exception, match=r"incomplete chunked read|Connection error")
    with lost as caught, ask() as stream:
        stream.until_done()
    (span,) = seen.spans
    assert span.attributes["error.type"].endswith(type(caught.value).__name__)
    assert span.attributes["gen_ai.response.model"]
    assert not span.status.is_ok


def test_a_stream_left_half_way(seen, client, helper):
    ask = traced_llm(provider="p")(lambda: helper.open(client))
    with ask() as stream:
        next(iter(stream))
    (span,) = seen.spans
    assert span.attributes["otelkit.stopped_early"] is True
    assert span.attributes["gen_ai.response.model"]
    assert span.attributes["gen_ai.response.time_to_first_chunk"] > 0


def test_a_recorded_stream_left_half_way(seen, client, helper):
    with traced_llm(provider="p") as call, call.record(helper.open(client)) as stream:
        next(iter(stream))
    (span,) = seen.spans
    assert "otelkit.stopped_early" not in span.attributes
    assert span.attributes["gen_ai.response.model"]


def test_a_recorded_stream_still_open_when_the_call_ends(seen, client, helper):
    with contextlib.ExitStack() as stack:
        with traced_llm(provider="p") as call:
            stream = stack.enter_context(call.record(helper.open(client)))
            next(iter(stream))
        assert list(stream)
    (span,) = seen.spans
    assert span.attributes["gen_ai.response.model"]


def test_a_manager_that_cannot_connect(seen, helper):
    client = helper.client(base_url="http://127.0.0.1:1", api_key="k", max_retries=0)
    ask = traced_llm(provider="p")(lambda: helper.open(client))
    with client, pytest.raises(Exception, match="Connection error"), ask():
        pass
    (span,) = seen.spans
    assert span.attributes["error.type"].endswith("APIConnectionError")


def test_a_manager_that_nobody_enters(seen, client, helper):
    traced_llm(provider="p")(lambda: helper.open(client))()
    gc.collect()
    (span,) = seen.spans
    assert span.attributes["otelkit.stopped_early"] is True


def test_what_the_block_raises_is_the_calls_failure(seen, client, helper):
    ask = traced_llm(provider="p")(lambda: helper.open(client))
    with pytest.raises(KeyError), ask():
        raise KeyError("mine")
    (span,) = seen.spans
    assert span.attributes["error.type"] == "KeyError"


def test_the_request_is_made_inside_the_call(seen):
    class StreamManager:
        """Stands for that of an instrumented client, which makes a span when it sends."""

        def __enter__(self):
            seen.tracers.get_tracer("http").start_span("POST").end()
            return iter([{"choices": [], "usage": {"prompt_tokens": 3}, "model": "m"}])

        def __exit__(self, *error):
            return None

    def ask():
        return StreamManager()

    with traced_llm(provider="p")(ask)() as stream:
        assert len(list(stream)) == 1
    assert seen.parent("POST") == "chat"
    assert seen.attributes("chat")["gen_ai.usage.input_tokens"] == 3


@pytest.fixture
def instrumented(seen):
    instrumentors = [OpenAIInstrumentor(), AnthropicInstrumentor()]
    for one in instrumentors:
        one.instrument(tracer_provider=seen.tracers, meter_provider=seen.meters)
    yield
    for one in instrumentors:
        one.uninstrument()


@pytest.mark.parametrize("where", ["returned", "inside", "recorded"])
def test_with_the_official_instrumentation_it_is_one_span(
    seen, instrumented, client, helper, where
):
    @traced_llm(provider="p")
    def ask():
        manager = helper.open(client)
        if where == "returned":
            return manager
        with otelkit.record_usage(manager) if where == "recorded" else manager as stream:
            assert list(stream)
        return contextlib.nullcontext()

    with ask() as stream:
        if where == "returned":
            stream.until_done()
    assert whole(seen, helper)


@pytest.mark.parametrize("where", ["returned", "inside"])
def test_with_the_official_instrumentation_of_an_asynchronous_client(
    seen, instrumented, helper, address, where
):
    @traced_llm(provider="p")
    async def ask(client):
        manager = helper.open(client)
        if where == "returned":
            return manager
        async with manager as stream:
            assert [event async for event in stream]
        return contextlib.nullcontext()

    async def read():
        url = address + helper.path
        client = helper.async_client(base_url=url, api_key="k", max_retries=0)
        async with client, await ask(client) as stream:
            if where == "returned":
                await stream.until_done()

    asyncio.run(read())
    assert whole(seen, helper)
