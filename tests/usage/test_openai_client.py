"""The real ``openai`` client against a server: whole, streamed, raw, broken off half-way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anyio
import openai
import pytest
from llm_server import BREAK_AFTER, serving
from usage_payloads import streamed

from otelkit.usage import Stream, Usage, messages, read

CHAT: dict[str, Any] = {
    "model": "gpt-5-mini",
    "messages": [{"role": "user", "content": "How many tables?"}],
}
STREAMED_CHAT: dict[str, Any] = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}
PLAN: dict[str, Any] = {"model": "gpt-5", "input": "A plan, please."}

CHAT_USAGE = Usage(1200, 180, cache_read_tokens=1024, cache_write_tokens=64, reasoning_tokens=128)
STREAM_USAGE = Usage(90, 42, cache_read_tokens=64, reasoning_tokens=20)
PLAN_USAGE = Usage(300, 90, cache_read_tokens=256, reasoning_tokens=64)


def usage_of(response: object) -> Usage | None:
    reply = read(response)
    return reply and reply.usage


def usage_so_far(stream: Stream) -> Usage | None:
    reply = stream.reply()
    return reply and reply.usage


@pytest.fixture
def address() -> Iterator[str]:
    with serving() as address:
        yield f"{address}/v1"


@pytest.fixture
def client(address: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=address, api_key="test", max_retries=0) as client:
        yield client


def test_whole_responses(client: openai.OpenAI) -> None:
    assert usage_of(client.chat.completions.create(**CHAT)) == CHAT_USAGE
    assert usage_of(client.responses.create(**PLAN)) == PLAN_USAGE
    embeddings = client.embeddings.create(
        model="text-embedding-3-small", input="x", encoding_format="float"
    )
    assert usage_of(embeddings) == Usage(8)


def test_a_raw_response_is_read_and_still_parses(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(**CHAT)
    assert usage_of(raw) == CHAT_USAGE
    assert raw._parsed_by_type == {}, "nothing was parsed on behalf of the application"
    completion = raw.parse()
    assert completion.choices[0].message.content == "Two tables: users and orders."
    assert usage_of(raw) == CHAT_USAGE
    assert messages(raw) == messages(completion)


def test_a_raw_response_whose_body_was_not_read_is_left_alone(client: openai.OpenAI) -> None:
    with client.chat.completions.with_streaming_response.create(**CHAT) as raw:
        assert read(raw) is None
        assert usage_of(raw.parse()) == CHAT_USAGE
    raw_stream = client.chat.completions.with_raw_response.create(**STREAMED_CHAT)
    assert read(raw_stream) is None
    with raw_stream.parse() as chunks:
        assert usage_so_far(streamed(chunks)) == STREAM_USAGE


def test_streams(client: openai.OpenAI) -> None:
    with client.chat.completions.create(**STREAMED_CHAT) as chunks:
        assert read(chunks) is None, "a stream is not consumed"
        assert usage_so_far(streamed(chunks)) == STREAM_USAGE
    with client.responses.create(**PLAN, stream=True) as events:
        assert usage_so_far(streamed(events)) == PLAN_USAGE


def test_the_helper_that_streams_chat_repeats_nothing(client: openai.OpenAI) -> None:
    helper = client.chat.completions.stream(**CHAT, stream_options={"include_usage": True})
    with helper as events:
        stream = streamed(events)
    assert usage_so_far(stream) == STREAM_USAGE
    said = stream.messages()
    assert said is not None
    assert said[0]["parts"][0] == {"type": "text", "content": "Let me look."}


def test_a_stream_that_the_server_breaks_off(client: openai.OpenAI) -> None:
    stream = Stream(capture=True)
    with (
        client.chat.completions.create(**STREAMED_CHAT, extra_headers={BREAK_AFTER: "3"}) as chunks,
        pytest.raises(Exception, match=r"incomplete chunked read|Connection error"),
    ):
        for chunk in chunks:
            stream.feed(chunk)
    reply = stream.reply()
    assert reply is not None
    assert (reply.model, reply.usage) == ("gpt-5-mini-2025-08-07", None)
    said = stream.messages()
    assert said == [{"role": "assistant", "parts": [{"type": "text", "content": "Let me look."}]}]


def test_a_stream_that_the_application_leaves(client: openai.OpenAI) -> None:
    stream = Stream(capture=True)
    with client.responses.create(**PLAN, stream=True) as events:
        for event in events:
            stream.feed(event)
            if event.type == "response.output_text.delta":
                break
    reply = stream.reply()
    assert reply is not None
    assert (reply.id, reply.usage, reply.finish_reasons) == ("resp_68a", None, ())
    said = stream.messages()
    assert said is not None
    assert said[0]["parts"][-1] == {"type": "text", "content": "Here is "}


def test_the_async_client(address: str) -> None:
    async def main() -> None:
        async with openai.AsyncOpenAI(base_url=address, api_key="test", max_retries=0) as client:
            assert usage_of(await client.chat.completions.create(**CHAT)) == CHAT_USAGE
            raw = await client.responses.with_raw_response.create(**PLAN)
            assert usage_of(raw) == PLAN_USAGE
            stream = Stream()
            async with await client.chat.completions.create(**STREAMED_CHAT) as chunks:
                async for chunk in chunks:
                    stream.feed(chunk)
            assert usage_so_far(stream) == STREAM_USAGE
            assert stream.messages() is None

            broken = Stream()
            headers = {BREAK_AFTER: "2"}
            async with await client.responses.create(
                **PLAN, stream=True, extra_headers=headers
            ) as events:
                with pytest.raises(Exception, match=r"incomplete chunked read|Connection error"):
                    async for event in events:
                        broken.feed(event)
            reply = broken.reply()
            assert reply is not None
            assert (reply.id, reply.usage) == ("resp_68a", None)

    anyio.run(main)
