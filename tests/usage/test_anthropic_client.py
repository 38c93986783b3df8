"""The real ``anthropic`` client against a server: whole, streamed, raw, broken off half-way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import anyio
import pytest
from llm_server import BREAK_AFTER, serving
from usage_payloads import streamed

from otelkit.usage import Stream, Usage, messages, read

REQUEST: dict[str, Any] = {
    "model": "claude-test",
    "max_tokens": 1000,
    "messages": [{"role": "user", "content": "How many tables?"}],
}
WHOLE = Usage(
    1250,
    75,
    cache_read_tokens=1000,
    cache_write_tokens=200,
    cache_write_1h_tokens=50,
    reasoning_tokens=30,
)
STREAMED = Usage(425, 60, cache_read_tokens=400, reasoning_tokens=12)
BEGUN = Usage(425, 1, cache_read_tokens=400)


def usage_of(response: object) -> Usage | None:
    reply = read(response)
    return reply and reply.usage


def usage_so_far(stream: Stream) -> Usage | None:
    reply = stream.reply()
    return reply and reply.usage


@pytest.fixture
def address() -> Iterator[str]:
    with serving() as address:
        yield address


@pytest.fixture
def client(address: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=address, api_key="test", max_retries=0) as client:
        yield client


def test_a_whole_message(client: anthropic.Anthropic) -> None:
    assert usage_of(client.messages.create(**REQUEST)) == WHOLE
    assert usage_of(client.beta.messages.create(**REQUEST)) == WHOLE


def test_a_raw_response_is_read_and_still_parses(client: anthropic.Anthropic) -> None:
    raw = client.messages.with_raw_response.create(**REQUEST)
    assert usage_of(raw) == WHOLE
    assert raw._parsed_by_type == {}, "nothing was parsed on behalf of the application"
    assert messages(raw) == messages(raw.parse())


def test_streams(client: anthropic.Anthropic) -> None:
    with client.messages.create(**REQUEST, stream=True) as events:
        assert read(events) is None, "a stream is not consumed"
        plain = streamed(events)
    with client.messages.stream(**REQUEST) as events:
        helper = streamed(events)
        assert usage_of(events.get_final_message()) == STREAMED
    assert usage_so_far(plain) == usage_so_far(helper) == STREAMED
    assert plain.messages() == helper.messages()


def test_a_stream_that_the_server_breaks_off(client: anthropic.Anthropic) -> None:
    stream = Stream(capture=True)
    headers = {BREAK_AFTER: "9"}
    with (
        client.messages.create(**REQUEST, stream=True, extra_headers=headers) as events,
        pytest.raises(Exception, match="incomplete chunked read"),
    ):
        for event in events:
            stream.feed(event)
    assert usage_so_far(stream) == BEGUN
    said = stream.messages()
    assert said is not None
    assert said[0]["parts"] == [
        {"type": "reasoning", "content": "Let me think."},
        {"type": "text", "content": "Looking "},
    ]


def test_a_stream_that_the_application_leaves(client: anthropic.Anthropic) -> None:
    stream = Stream()
    with client.messages.create(**REQUEST, stream=True) as events:
        for event in events:
            stream.feed(event)
            if event.type == "content_block_delta":
                break
    assert usage_so_far(stream) == BEGUN


def test_the_async_client(address: str) -> None:
    async def main() -> None:
        async with anthropic.AsyncAnthropic(
            base_url=address, api_key="test", max_retries=0
        ) as client:
            assert usage_of(await client.messages.create(**REQUEST)) == WHOLE
            raw = await client.messages.with_raw_response.create(**REQUEST)
            assert usage_of(raw) == WHOLE
            stream, helped, broken = Stream(), Stream(), Stream()
            async with await client.messages.create(**REQUEST, stream=True) as events:
                async for event in events:
                    stream.feed(event)
            async with client.messages.stream(**REQUEST) as events:
                async for event in events:
                    helped.feed(event)
            headers = {BREAK_AFTER: "5"}
            async with await client.messages.create(
                **REQUEST, stream=True, extra_headers=headers
            ) as events:
                with pytest.raises(Exception, match="incomplete chunked read"):
                    async for event in events:
                        broken.feed(event)
            assert usage_so_far(stream) == usage_so_far(helped) == STREAMED
            assert usage_so_far(broken) == BEGUN

    anyio.run(main)
