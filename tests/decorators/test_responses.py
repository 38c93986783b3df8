"""LLM calls with several responses, or with one that is seen in several ways."""

from __future__ import annotations

import asyncio

import pytest

from otelkit import traced_llm


def response(id, input_tokens):
    usage = {"prompt_tokens": input_tokens, "completion_tokens": 1}
    return {"id": id, "object": "chat.completion", "model": "m", "choices": [], "usage": usage}


def streamed(id, input_tokens):
    """The chunks of a response."""
    chunk = {"id": id, "object": "chat.completion.chunk", "model": "m", "choices": []}
    for text in ("Hel", "lo"):
        yield {**chunk, "choices": [{"index": 0, "delta": {"content": text}}]}
    yield {**chunk, "usage": {"prompt_tokens": input_tokens, "completion_tokens": 1}}


class ForBoth:
    """A stream whose reader decides whether it is an asynchronous one."""

    def __init__(self):
        self._left = streamed("a", 10)

    def __iter__(self):
        return self

    def __next__(self):
        return next(self._left)

    def __aiter__(self):
        return self

    async def __anext__(self):
        for chunk in self._left:
            return chunk
        raise StopAsyncIteration


@pytest.mark.parametrize("way", ["for", "next", "async for", "record"])
def test_a_stream_for_both_kinds_of_readers(seen, way):
    @traced_llm(model="m")
    def ask():
        return ForBoth()

    async def read():
        return [chunk async for chunk in ask()]

    if way == "for":
        assert len(list(ask())) == 3
    elif way == "next":
        stream = ask()
        while next(stream, None):
            pass
    elif way == "async for":
        assert len(asyncio.run(read())) == 3
    else:
        with traced_llm(model="m") as call:
            assert len(list(call.record(ForBoth()))) == 3
    attributes = seen.attributes("chat m")
    assert attributes["gen_ai.usage.input_tokens"] == 10
    assert "otelkit.stopped_early" not in attributes
