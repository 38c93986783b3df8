"""LLM calls: tokens, cost and metrics out of what the real clients return over a real socket."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import gc
import json
import pickle
from collections.abc import Iterator

import anthropic
import openai
import pytest
from llm_server import BREAK_AFTER, serving

import otelkit
from otelkit import traced_agent, traced_llm, traced_workflow
from otelkit.decorators._llm_call import LlmCall

CHAT = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "How many tables?"}]}
STREAMED = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving() as address:
        yield address


@pytest.fixture
def client(address) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{address}/v1", api_key="k", max_retries=0) as client:
        yield client


def tokens(seen, metric="otelkit.llm.tokens"):
    return {p.attributes["gen_ai.token.type"]: p.value for p in seen.points(metric)}


class TestWholeResponses:
    def test_usage_cost_and_identity_come_from_the_response(self, seen, client):
        @traced_llm(provider="openai")
        def ask(**request):
            return client.chat.completions.create(**request)

        response = ask(**CHAT, temperature=0.5, max_completion_tokens=100, seed=7)
        assert isinstance(response, openai.types.chat.ChatCompletion)
        span = seen.span("chat gpt-5-mini")
        assert span.kind.name == "CLIENT"
        expected = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-5-mini",
            "gen_ai.request.temperature": 0.5,
            "gen_ai.request.max_tokens": 100,
            "gen_ai.request.seed": 7,
            "gen_ai.response.model": response.model,
            "gen_ai.response.id": response.id,
            "gen_ai.response.finish_reasons": tuple(c.finish_reason for c in response.choices),
            "gen_ai.usage.input_tokens": response.usage.prompt_tokens,
            "gen_ai.usage.output_tokens": response.usage.completion_tokens,
            "gen_ai.usage.cache_read.input_tokens": 1024,
            "gen_ai.usage.reasoning.output_tokens": 128,
            "gen_ai.usage.cost.currency": "USD",
            "gen_ai.usage.cost.source": "local",
        }
        assert expected.items() <= dict(span.attributes).items()
        assert 0 < span.attributes["gen_ai.usage.cost.amount"] < 0.01

    def test_the_metrics_say_the_same_with_agent_and_workflow(self, seen, client):
        @traced_llm(provider="openai")
        def ask():
            return client.chat.completions.create(**CHAT)

        @traced_agent
        def architect():
            ask()

        with traced_workflow("codegen"):
            architect()
            architect()
        used = seen.spans[0].attributes
        (duration,) = seen.points("gen_ai.client.operation.duration")
        assert duration.exemplars[0].trace_id == seen.spans[0].context.trace_id
        by_type = tokens(seen)
        assert by_type["input"] == 2 * used["gen_ai.usage.input_tokens"]
        assert by_type["output"] == 2 * used["gen_ai.usage.output_tokens"]
        assert by_type["cache_read"] == 2 * 1024
        (cost,) = seen.points("otelkit.llm.cost")
        assert cost.value == pytest.approx(2 * used["gen_ai.usage.cost.amount"])
        assert cost.attributes["gen_ai.agent.name"] == "architect"
        assert cost.attributes["gen_ai.workflow.name"] == "codegen"
        assert duration.count == 2
        assert dict(duration.attributes) == {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.response.model": used["gen_ai.response.model"],
            "gen_ai.agent.name": "architect",
            "gen_ai.workflow.name": "codegen",
            "otelkit.outcome": "completed",
        }
        usage = {
            p.attributes["gen_ai.token.type"]: p.sum
            for p in seen.points("gen_ai.client.token.usage")
        }
        assert usage == {"input": by_type["input"], "output": by_type["output"]}

    def test_an_asynchronous_client(self, seen, address):
        @traced_llm(provider="anthropic", model="claude-haiku-4-5")
        async def ask(question):
            async with anthropic.AsyncAnthropic(base_url=address, api_key="k") as client:
                return await client.messages.create(
                    model="claude-haiku-4-5",
                    max_tokens=10,
                    messages=[{"role": "user", "content": question}],
                )

        message = asyncio.run(ask("x"))
        attributes = seen.attributes("chat claude-haiku-4-5")
        usage = message.usage
        total = usage.input_tokens + usage.cache_read_input_tokens
        assert attributes["gen_ai.usage.input_tokens"] == total + usage.cache_creation_input_tokens
        assert attributes["gen_ai.usage.output_tokens"] == usage.output_tokens

    def test_a_failing_call_is_measured_as_failed(self, seen, address):
        client = openai.OpenAI(base_url=f"{address}/nowhere", api_key="k", max_retries=0)

        @traced_llm(provider="openai", model="gpt-5-mini")
        def ask():
            return client.chat.completions.create(**CHAT)

        with pytest.raises(openai.APIError):
            ask()
        (point,) = seen.points("gen_ai.client.operation.duration")
        assert point.attributes["otelkit.outcome"] == "failed"
        assert point.attributes["error.type"] == seen.attributes("chat gpt-5-mini")["error.type"]
        assert seen.points("otelkit.llm.tokens") == []


class TestStreams:
    def test_a_returned_stream_is_handed_on_and_ends_the_span(self, seen, client):
        @traced_llm(provider="openai")
        def ask(**request):
            return client.chat.completions.create(**request)

        stream = ask(**STREAMED)
        assert isinstance(stream, openai.Stream)
        assert stream.response.status_code == 200
        assert seen.spans == []
        chunks = list(stream)
        assert len(chunks) > 2
        attributes = seen.attributes("chat gpt-5-mini")
        assert attributes["gen_ai.request.stream"] is True
        assert attributes["gen_ai.usage.input_tokens"] == chunks[-1].usage.prompt_tokens
        assert attributes["gen_ai.response.time_to_first_chunk"] > 0
        (first,) = seen.points("gen_ai.client.operation.time_to_first_chunk")
        assert first.sum == attributes["gen_ai.response.time_to_first_chunk"]

    def test_an_asynchronous_stream_in_a_with_block(self, seen, address):
        @traced_llm(provider="openai")
        async def ask(client):
            return await client.chat.completions.create(**STREAMED)

        async def read():
            client = openai.AsyncOpenAI(base_url=f"{address}/v1", api_key="k")
            async with client, await ask(client) as stream:
                return [chunk async for chunk in stream]

        chunks = asyncio.run(read())
        (span,) = seen.spans
        assert span.attributes["gen_ai.usage.output_tokens"] == chunks[-1].usage.completion_tokens

    def test_a_generator_that_yields_chunks(self, seen, client):
        @traced_llm(provider="openai", model="gpt-5-mini")
        def ask():
            yield from client.chat.completions.create(**STREAMED)

        chunks = list(ask())
        attributes = seen.attributes("chat gpt-5-mini")
        assert attributes["gen_ai.usage.input_tokens"] == chunks[-1].usage.prompt_tokens

    def test_a_generator_that_yields_text_and_records_the_usage(self, seen, client):
        @traced_llm(provider="openai", model="gpt-5-mini")
        def ask():
            for chunk in client.chat.completions.create(**STREAMED):
                if chunk.usage:
                    otelkit.record_usage(
                        input_tokens=chunk.usage.prompt_tokens,
                        output_tokens=chunk.usage.completion_tokens,
                    )
                elif chunk.choices:
                    yield chunk.choices[0].delta.content or ""

        assert "".join(ask())
        assert seen.attributes("chat gpt-5-mini")["gen_ai.usage.input_tokens"] == 90

    def test_a_stream_that_says_nothing_of_tokens_is_warned_of_once(
        self, seen, client, caplog, monkeypatch
    ):
        monkeypatch.setattr("otelkit.decorators._llm_reply._warned", set())

        @traced_llm(provider="openai")
        def ask(chunks):
            yield from chunks

        ended = {"object": "chat.completion.chunk", "model": "m", "choices": [
            {"index": 0, "delta": {"content": "hello"}, "finish_reason": "stop"}
        ]}  # fmt: skip
        left = {**ended, "choices": [{**ended["choices"][0], "finish_reason": None}]}
        list(ask([left]))
        list(client.chat.completions.create(**STREAMED))
        assert "tokens" not in caplog.text
        for _ in range(3):
            list(ask([left, ended]))
        (record,) = [one for one in caplog.records if "include_usage" in one.getMessage()]
        assert "'m'" in record.getMessage()
        with traced_llm(provider="openai") as call:
            list(call.record(client.chat.completions.create(**STREAMED)))
        assert len([one for one in caplog.records if "include_usage" in one.getMessage()]) == 1

    @pytest.mark.parametrize("leave", ["close", "drop", "with"])
    def test_a_stream_left_half_way(self, seen, client, leave):
        @traced_llm(provider="openai", model="gpt-5-mini")
        def ask():
            return client.chat.completions.create(**STREAMED)

        stream = ask()
        next(stream)
        if leave == "close":
            stream.close()
        elif leave == "with":
            with stream:
                pass
        del stream
        gc.collect()
        attributes = seen.attributes("chat gpt-5-mini")
        assert attributes["otelkit.stopped_early"] is True
        assert attributes["gen_ai.response.model"]

    def test_copies_of_a_stream_are_what_the_stream_makes_of_them(self, seen):
        @dataclasses.dataclass
        class Chunks:
            left: list[str]

            def __next__(self):
                if not self.left:
                    raise StopIteration
                return self.left.pop()

        stream = traced_llm(model="m")(lambda: Chunks(["b", "a"]))()
        assert type(copy.copy(stream)) is Chunks
        assert copy.copy(stream).left is stream.left
        deep = copy.deepcopy(stream)
        assert next(stream) == "a"
        assert (deep.left, stream.left) == (["b", "a"], ["b"])
        with pytest.raises(AttributeError, match="local object"):  # the class's own answer
            pickle.dumps(stream)
        numbers = traced_llm(model="m")(lambda: iter([1, 2]))()
        assert list(pickle.loads(pickle.dumps(numbers))) == [1, 2]
        with pytest.raises(TypeError, match="cannot pickle 'generator'"):
            copy.deepcopy(traced_llm(model="m")(lambda: (n for n in range(3)))())

    def test_a_stream_broken_off_by_the_server(self, seen, client):
        @traced_llm(provider="openai", model="gpt-5-mini")
        def ask():
            return client.chat.completions.create(**STREAMED, extra_headers={BREAK_AFTER: "2"})

        with pytest.raises(openai.APIConnectionError) as caught:
            list(ask())
        attributes = seen.attributes("chat gpt-5-mini")
        assert attributes["error.type"].endswith(type(caught.value).__name__)
        assert seen.span("chat gpt-5-mini").status.is_ok is False


class TestRecording:
    def test_record_in_a_block(self, seen, client):
        with traced_llm(provider="openai", model="gpt-5-mini") as call:
            call.record(client.chat.completions.create(**CHAT))
        assert seen.attributes("chat gpt-5-mini")["gen_ai.usage.output_tokens"] == 180

    def test_several_responses_add_up_and_one_counts_once(self, seen):
        def response(id):
            usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
            return {"id": id, "object": "chat.completion", "choices": [], "usage": usage}

        with traced_llm(provider="openai", model="gpt-5-mini") as call:
            call.record(response("a"))
            call.record(response("a"))
            call.record(response("b"))
            call.record(object())
        assert seen.attributes("chat gpt-5-mini")["gen_ai.usage.input_tokens"] == 20

    def test_record_usage_reaches_the_nearest_call_only(self, seen):
        @traced_llm(provider="mine", model="m")
        def ask():
            otelkit.record_usage(input_tokens=7, output_tokens=2, cost=0.5)
            return "text"

        otelkit.record_usage(input_tokens=1000)  # outside: nothing to add to
        assert ask() == "text"
        attributes = seen.attributes("chat m")
        assert attributes["gen_ai.usage.input_tokens"] == 7
        assert attributes["gen_ai.usage.cost.amount"] == 0.5
        assert attributes["gen_ai.usage.cost.source"] == "provider"

    @pytest.mark.parametrize(
        "numbers",
        [
            {"input_tokens": -5, "output_tokens": "a"},
            {"input_tokens": float("nan"), "output_tokens": 7},
            {"cost": -1},
            {"cost": "free"},
        ],
    )
    def test_numbers_that_are_none_are_absent_and_warned_of_once(
        self, seen, caplog, monkeypatch, numbers
    ):
        monkeypatch.setattr("otelkit.decorators._llm_reply._warned", set())
        with traced_llm(provider="openai", model="gpt-5-mini") as call:
            call.record_usage(**numbers)
            call.record_usage(**numbers)
        assert not [name for name in seen.attributes("chat gpt-5-mini") if ".usage." in name]
        assert seen.points("otelkit.llm.cost") == seen.points("otelkit.llm.tokens") == []
        (warning,) = caplog.messages
        assert f"record_usage(): {next(iter(numbers))}" in warning

    def test_a_wrong_cost_leaves_the_tokens(self, seen):
        with traced_llm(provider="openai", model="gpt-5-mini") as call:
            call.record_usage(input_tokens=7, cost=-1)
        attributes = seen.attributes("chat gpt-5-mini")
        assert attributes["gen_ai.usage.input_tokens"] == 7
        assert attributes["gen_ai.usage.cost.source"] == "local"

    def test_saying_nothing_is_no_usage(self, seen):
        with traced_llm(provider="openai", model="gpt-5-mini"):
            otelkit.record_usage()
            otelkit.record_usage(input_tokens=None)
        assert not [name for name in seen.attributes("chat gpt-5-mini") if ".usage." in name]

    def test_a_tuple_of_result_and_usage(self, seen):
        ask = traced_llm(model="m")(lambda: ("text", {"input_tokens": 3, "output_tokens": 4}))
        assert ask() == ("text", {"input_tokens": 3, "output_tokens": 4})
        assert seen.attributes("chat m")["gen_ai.usage.output_tokens"] == 4

    def test_a_call_around_a_call_does_not_count_twice(self, seen, client):
        @traced_llm(provider="openai")
        def complete(**request):
            return client.chat.completions.create(**request)

        @traced_llm(provider="openai", model="outer")
        def ask():
            return complete(**CHAT)

        ask()
        assert tokens(seen)["input"] == 1200
        assert "gen_ai.usage.input_tokens" not in seen.attributes("chat outer")

    def test_an_unknown_model_has_no_cost_at_all(self, seen):
        with traced_llm(provider="nobody", model="never-heard-of") as call:
            call.record_usage(input_tokens=5)
        assert "gen_ai.usage.cost.amount" not in seen.attributes("chat never-heard-of")
        assert seen.points("otelkit.llm.cost") == []

    def test_without_setup_a_block_still_takes_responses(self, monkeypatch):
        monkeypatch.setattr("otelkit.decorators._operation.wake", lambda: False)
        monkeypatch.setattr("otelkit.decorators._state.state.live", False)
        with traced_llm(model="m") as call:
            assert call.record({"usage": {}}) == {"usage": {}}
            call.record_usage(input_tokens=1)
            assert not call.span.is_recording()
        for name in dir(LlmCall):
            if not name.startswith("_"):
                getattr(call, name)
        call.chunk("text")
        call.fail(ValueError())
        assert call.succeed("result") == "result"


class TestRequest:
    def test_the_signatures_defaults_and_positions_count(self, seen):
        @traced_llm(provider="openai")
        def ask(prompt, model="small", temperature=0.1):
            return None

        ask("x")
        ask("x", "large", temperature=0.9)
        assert seen.names == ["chat small", "chat large"]
        assert seen.attributes("chat small")["gen_ai.request.temperature"] == 0.1
        assert seen.attributes("chat large")["gen_ai.request.temperature"] == 0.9

    def test_values_of_the_wrong_type_are_no_attributes(self, seen):
        @traced_llm(provider="openai", model="m")
        def ask(**request):
            return None

        ask(temperature=openai.omit, max_tokens=True, model=object())
        assert not [name for name in seen.attributes("chat m") if "temperature" in name]
        assert "gen_ai.request.max_tokens" not in seen.attributes("chat m")

    def test_name_and_operation(self, seen):
        traced_llm(operation="embeddings", model="e")(lambda: None)()
        traced_llm("my name", model="e")(lambda: None)()
        assert seen.names == ["embeddings e", "my name"]
        assert seen.attributes("embeddings e")["gen_ai.operation.name"] == "embeddings"


class TestContent:
    def test_messages_are_written_in_the_conventions_form(self, seen, client, capturing):
        capturing("redacted")

        @traced_llm(provider="openai")
        def ask(**request):
            return client.chat.completions.create(**request)

        said = [{"role": "user", "content": "my key is sk-proj-abcdefghijklmnopqrstuvwxyz012345"}]
        ask(model="gpt-5-mini", messages=said)
        attributes = seen.attributes("chat gpt-5-mini")
        (sent,) = json.loads(attributes["gen_ai.input.messages"])
        assert sent["role"] == "user"
        assert sent["parts"][0]["type"] == "text"
        assert "abcdefgh" not in attributes["gen_ai.input.messages"]
        answers = json.loads(attributes["gen_ai.output.messages"])
        assert {answer["role"] for answer in answers} == {"assistant"}
        assert all(answer["parts"] for answer in answers)

    @pytest.mark.parametrize("way", ["call", "function"])
    def test_a_recorded_response_is_the_output(self, seen, client, capturing, way):
        capturing("full")
        response = client.chat.completions.create(**CHAT)

        @traced_llm(provider="openai", model="gpt-5-mini")
        def ask():
            otelkit.record_usage(response)

        if way == "call":
            with traced_llm(provider="openai", model="gpt-5-mini") as call:
                call.record(response)
        else:
            ask()
        answers = json.loads(seen.attributes("chat gpt-5-mini")["gen_ai.output.messages"])
        assert len(answers) == len(response.choices)
        assert response.choices[0].message.content in str(answers)

    def test_streamed_output_is_joined(self, seen, client, capturing):
        capturing("full")

        @traced_llm(provider="openai")
        def ask(**request):
            return client.chat.completions.create(**request)

        text = "".join(
            chunk.choices[0].delta.content or "" for chunk in ask(**STREAMED) if chunk.choices
        )
        (answer,) = json.loads(seen.attributes("chat gpt-5-mini")["gen_ai.output.messages"])
        said = [part["content"] for part in answer["parts"] if part["type"] == "text"]
        assert "".join(said) == text

    @pytest.mark.parametrize("mode", ["off", "metadata"])
    def test_no_content_unless_asked_for(self, seen, client, capturing, mode):
        capturing(mode)

        @traced_llm(provider="openai")
        def ask(**request):
            return client.chat.completions.create(**request)

        ask(**CHAT)
        assert "How many" not in str(seen.attributes("chat gpt-5-mini"))
