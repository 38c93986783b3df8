"""LLM calls with several responses, or with one that is seen in several ways."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import threading

import pytest

from otelkit import _recorder, record_usage, traced_llm
from otelkit.decorators._llm_call import LlmCall


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


def input_tokens(seen, name="chat m"):
    return seen.attributes(name).get("gen_ai.usage.input_tokens")


@pytest.mark.parametrize(("ids", "total"), [("ABB", 30), ("ABA", 30), ("AAB", 30), ("BAAB", 30)])
def test_each_response_counts_once_in_whatever_order(seen, ids, total):
    with traced_llm(model="m") as call:
        for id in ids:
            call.record(response(id, {"A": 10, "B": 20}[id]))
    assert input_tokens(seen) == total
    assert seen.attributes("chat m")["gen_ai.response.id"] == ids[-1]


def test_responses_without_ids_add_up(seen):
    with traced_llm(model="m") as call:
        for _ in range(3):
            call.record(response(None, 10))
        call.record(response("A", 10))
        call.record_usage(input_tokens=2)
    assert input_tokens(seen) == 42


def test_a_watched_stream_and_its_whole_response_count_once(seen):
    with traced_llm(model="m") as call:
        call.record(response("A", 10))
        list(call.record(streamed("B", 20)))
        call.record(response("B", 20))
    assert input_tokens(seen) == 30


@pytest.mark.parametrize(
    ("recorded", "returned", "total"),
    [
        (None, "A", 10),
        ({"cost": 0.5}, "A", 10),
        ({"input_tokens": 10}, "A", 10),  # the same, as far as anybody can tell
        (response("A", 10), "A", 10),
        (response(None, 10), None, 10),
        (response("B", 20), "A", 30),
    ],
)
@pytest.mark.parametrize("way", ["returned", "yielded", "streamed"])
def test_what_is_recorded_and_what_is_the_result(seen, recorded, returned, total, way):
    def record():
        if recorded and "id" not in recorded:
            record_usage(**recorded)
        else:
            record_usage(recorded)

    @traced_llm(model="m")
    def ask():
        record()
        return response(returned, 10) if way == "returned" else streamed(returned, 10)

    @traced_llm(model="m")
    def generate():
        record()
        yield from streamed(returned, 10)

    if way == "returned":
        ask()
    else:
        assert len(list(generate() if way == "yielded" else ask())) == 3
    attributes = seen.attributes("chat m")
    assert attributes["gen_ai.usage.input_tokens"] == total
    assert attributes["gen_ai.response.model"] == "m"
    assert attributes.get("gen_ai.response.id") == returned
    if recorded == {"cost": 0.5}:
        assert attributes["gen_ai.usage.cost.amount"] == 0.5


@pytest.mark.parametrize("way", ["yielded", "returned", "collected first"])
def test_a_recorded_stream_that_is_the_result_too(seen, capturing, way):
    capturing("full")

    @traced_llm(model="m")
    def generate():
        stream = record_usage(streamed(None, 10))
        yield from (stream if way == "yielded" else list(stream))

    @traced_llm(model="m")
    def ask():
        return record_usage(streamed(None, 10))

    assert len(list(ask() if way == "returned" else generate())) == 3
    (answer,) = json.loads(seen.attributes("chat m")["gen_ai.output.messages"])
    assert answer["parts"] == [{"type": "text", "content": "Hello"}]
    assert input_tokens(seen) == 10


@pytest.mark.parametrize(
    ("inside", "left"),
    [("A", 20), ("B", 10), ("AB", None), ("C", 30), ("", 20)],
)
def test_what_a_call_inside_has_counted_is_not_counted_around_it(seen, inside, left):
    with traced_llm(model="m") as call:
        with traced_llm(model="inner") as inner:
            for id in inside:
                inner.record(response(id, {"A": 10, "B": 20, "C": 40}[id]))
            if not inside:
                inner.record_usage(input_tokens=10, output_tokens=1)
        call.record(response("A", 10))
        call.record(response("B", 20))
    assert input_tokens(seen) == left


def test_a_count_without_an_id_is_taken_off_once(seen):
    with traced_llm(model="m") as call:
        with traced_llm(model="inner"):
            record_usage(input_tokens=15)
        call.record(response("A", 10))
        call.record(response("B", 20))
    assert input_tokens(seen) == 15


def test_threads_that_record_at_the_same_time(seen):
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with traced_llm(model="m") as call:

            def work():
                for _ in range(250):
                    call.record_usage(input_tokens=1)

            threads = [threading.Thread(target=work) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    finally:
        sys.setswitchinterval(before)
    assert input_tokens(seen) == 1000
    call.record_usage(input_tokens=1)
    assert call._replies is None  # what comes after the end is not kept for ever


@pytest.mark.parametrize("overlapping", [False, True])
def test_ended_calls_do_not_add_up_where_each_starts_the_next(seen, overlapping):
    async def step(left, before):
        with traced_llm(model="m") as call:
            call.record(response(str(left), 1))
            if before is not None:
                before.set()
            if left:
                started = asyncio.Event()
                following.append(
                    asyncio.create_task(step(left - 1, started if overlapping else None))
                )
                if overlapping:
                    await started.wait()

    async def chain():
        await step(50, None)
        while following:
            await following.pop()
        _recorder.drain()  # measurements on their way hold the contexts they were made in
        gc.collect()
        return sum(type(one) is LlmCall for one in gc.get_objects())

    following: list[asyncio.Task[None]] = []
    _recorder.drain()
    gc.collect()
    before = sum(type(one) is LlmCall for one in gc.get_objects())
    assert asyncio.run(chain()) - before < 10
    assert len(seen.spans) == 51


@pytest.mark.parametrize("given", [None, {"a": 1}, [1], "text"])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_what_a_manager_gives_that_is_no_stream_is_given_as_it_is(seen, given, asynchronous):
    class UploadStreamManager:
        def __enter__(self):
            return given

        def __exit__(self, *error):
            return None

        async def __aenter__(self):
            return given

        async def __aexit__(self, *error):
            return None

    @traced_llm(model="m")
    def upload():
        return UploadStreamManager()

    async def enter():
        async with upload() as got:
            assert seen.spans == []
            return got

    if asynchronous:
        got = asyncio.run(enter())
    else:
        with upload() as got:
            assert seen.spans == []
    assert got is given
    assert "otelkit.stopped_early" not in seen.attributes("chat m")


def test_a_manager_of_a_stream_of_ones_own(seen):
    class OwnStreamManager:
        def __enter__(self):
            return streamed("a", 10)

        def __exit__(self, *error):
            return None

    @traced_llm(model="m")
    def ask():
        return OwnStreamManager()

    with ask() as stream:
        assert len(list(stream)) == 3
    assert input_tokens(seen) == 10
