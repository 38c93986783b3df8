"""Streams: bounded memory, nothing kept unless asked for, and always something to say."""

from __future__ import annotations

import json
import sys
from typing import Any

from openai.types.chat import ChatCompletionChunk
from usage_payloads import events, streamed

from otelkit.usage import Stream, Usage


def chunk(delta: dict[str, Any], index: int = 0) -> dict[str, Any]:
    return {
        "object": "chat.completion.chunk",
        "model": "m",
        "choices": [{"index": index, "delta": delta, "finish_reason": None}],
    }


def size(value: Any) -> int:
    """Bytes that a stream holds on to, all the way down."""
    if isinstance(value, dict):
        return sys.getsizeof(value) + sum(size(each) for pair in value.items() for each in pair)
    if isinstance(value, list | tuple):
        return sys.getsizeof(value) + sum(map(size, value))
    slots = getattr(type(value), "__slots__", ())
    held = sum(size(getattr(value, slot)) for slot in slots if hasattr(value, slot))
    return sys.getsizeof(value) + held


def test_text_is_kept_up_to_the_limit_and_cut_between_characters() -> None:
    stream = streamed((chunk({"content": "äöü"}) for _ in range(1000)), max_bytes=64 + 21)
    said = stream.messages()
    assert said is not None
    # 21 bytes: three times äöü, and of the fourth one character and the half of one.
    assert said[0]["parts"] == [{"type": "text", "content": "äöüäöüäöüä"}]


def test_memory_does_not_grow_with_the_stream() -> None:
    def deltas(count: int) -> Any:
        for number in range(count):
            yield chunk({"content": f"word {number} "}, index=number % 2000)
            call = {"index": number, "id": str(number), "function": {"name": "f", "arguments": "{"}}
            yield chunk({"tool_calls": [call]})

    small, large = streamed(deltas(2000)), streamed(deltas(20_000))
    assert size(large) == size(small) < 100_000


def test_finish_reasons_do_not_grow_without_end() -> None:
    stream = Stream()
    for number in range(10_000):
        ended = chunk({}, index=number)
        ended["choices"][0]["finish_reason"] = "stop"
        stream.feed(ended)
    reply = stream.reply()
    assert reply is not None
    assert len(reply.finish_reasons) <= 256


def test_without_capture_no_text_is_kept_at_all() -> None:
    marker = "a text that nobody must keep"
    stream = Stream()
    for _ in range(3):
        stream.feed(chunk({"content": marker}))
    assert stream.messages() is None
    reply = stream.reply()
    assert reply is not None
    assert reply.model == "m"

    def strings(value: Any) -> Any:
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict | list | tuple):
            for each in (*value, *(value.values() if isinstance(value, dict) else ())):
                yield from strings(each)
        else:
            for slot in getattr(type(value), "__slots__", ()):
                yield from strings(getattr(value, slot, None))

    assert marker not in set(strings(stream))


def test_arguments_that_were_cut_are_text_and_the_messages_stay_json() -> None:
    call = {"index": 0, "id": "1", "function": {"name": "f", "arguments": '{"a": "' + "x" * 500}}
    said = streamed([chunk({"tool_calls": [call]})], max_bytes=200).messages()
    assert said is not None
    assert said[0]["parts"][0]["arguments"].startswith('{"a": "xxx')
    json.dumps(said)


def test_what_is_known_can_be_asked_for_at_any_time() -> None:
    stream = Stream(capture=True)
    assert stream.reply() is None
    assert stream.messages() is None
    for sent in events("openai_chat_stream"):
        stream.feed(ChatCompletionChunk.model_validate(sent))
        assert stream.reply() is not None
        stream.messages()
    reply = stream.reply()
    assert reply is not None
    assert reply.usage == Usage(90, 42, cache_read_tokens=64, reasoning_tokens=20)


def test_usage_in_every_chunk_is_a_running_total() -> None:
    chunks = [chunk({"content": "x"}) for _ in range(3)]
    for number, sent in enumerate(chunks, 1):
        sent["usage"] = {"prompt_tokens": 10, "completion_tokens": number, "total_tokens": 10}
    reply = streamed(chunks).reply()
    assert reply is not None
    assert reply.usage == Usage(10, 3)


def test_a_foreign_object_between_chunks_changes_nothing() -> None:
    sent = events("openai_chat_stream")
    mixed = [each for event in sent for each in (event, None, "x", object(), ("a", 1))]
    assert streamed(mixed).reply() == streamed(sent).reply()
