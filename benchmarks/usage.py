"""What reading a response, pricing it and feeding a stream cost, in µs of thread CPU.

The variants take turns in one process; of all rounds the median. ``genai-prices`` itself is there
to compare with.

    python benchmarks/usage.py [--rounds 50]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import genai_prices
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from otelkit import pricing
from otelkit.usage import Stream, Usage, messages, read

CALLS = 500
MODEL = "gpt-5-mini-2025-08-07"
COMPLETION = {
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": MODEL,
    "choices": [{"index": 0, "finish_reason": "stop",
                 "message": {"role": "assistant", "content": "hello"}}],
    "usage": {"prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050,
              "prompt_tokens_details": {"cached_tokens": 900},
              "completion_tokens_details": {"reasoning_tokens": 20}},
}  # fmt: skip
CHUNK = {
    "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": MODEL,
    "choices": [{"index": 0, "delta": {"content": "hello"}, "finish_reason": None}],
}  # fmt: skip


def variants() -> dict[str, Callable[[], Any]]:
    response = ChatCompletion.model_validate(COMPLETION)
    chunk = ChatCompletionChunk.model_validate(CHUNK)
    usage = Usage(input_tokens=1000, output_tokens=50, cache_read_tokens=900)
    theirs = genai_prices.Usage(input_tokens=1000, output_tokens=50, cache_read_tokens=900)
    plain, capturing = Stream(), Stream(capture=True, max_bytes=10**9)

    def read_and_price() -> None:
        reply = read(response)
        if reply is not None and reply.usage is not None:
            pricing.cost("openai", reply.model, reply.usage)

    return {
        "read() and cost()": read_and_price,
        "read(), object": lambda: read(response),
        "read(), dict": lambda: read(COMPLETION),
        "read(), something else": lambda: read(usage),
        "messages()": lambda: messages(response),
        "cost()": lambda: pricing.cost("openai", MODEL, usage),
        "cost(), unknown model": lambda: pricing.cost("openai", "my-model", usage),
        "Stream.feed()": lambda: plain.feed(chunk),
        "Stream.feed(), dict": lambda: plain.feed(CHUNK),
        "Stream.feed(), captured": lambda: capturing.feed(chunk),
        "genai_prices.calc_price()": lambda: genai_prices.calc_price(
            theirs, MODEL, provider_id="openai"
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    rounds = parser.parse_args().rounds
    calls = variants()
    costs: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            before = time.thread_time_ns()
            for _ in range(CALLS):
                call()
            costs[name].append((time.thread_time_ns() - before) / CALLS / 1000)
    for name, each in costs.items():
        print(f"{name:28} {statistics.median(each):7.2f} µs")


if __name__ == "__main__":
    main()
