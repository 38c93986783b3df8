"""What encoding 4 KB of arguments and 2 KB of result costs, as a ratio to ``json.dumps`` of them.

Thread CPU time; the variants take turns in one process, so that the moods of the machine hit all;
of all rounds the median.

    python benchmarks/capture.py [--calls 100] [--rounds 31]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from otelkit.capture import _plain, encode, encode_messages


def argument() -> dict[str, Any]:
    """A nested dict of about 4 KB, as an agent's step takes it."""
    documents = [
        {
            "id": f"doc-{n}",
            "title": f"Quarterly report part {n}",
            "score": 0.9134 - n * 0.01,
            "page": n * 3,
            "source_url": f"https://example.com/reports/2024/{n}",
            "text": "Revenue grew in the third quarter while costs stayed flat; the outlook for "
            "next year is stable, subject to the price of parts.",
            "tags": ["finance", "report"],
        }
        for n in range(10)
    ]
    history = [
        {"role": role, "content": "Please compare the figures with those of the year before."}
        for role in ("user", "assistant") * 4
    ]
    user = {"id": "u-1842", "name": "Ada", "plan": "team", "admin": False, "since": "2025-03-01"}
    options = {"temperature": 0.2, "max_tokens": 1024, "stream": True, "stop": None}
    return {"user": user, "options": options, "history": history, "documents": documents}


def result() -> str:
    """A text of about 2 KB, as a model answers."""
    sentence = (
        'Revenue grew by 4 % in the third quarter, driven by the "north" region and two large '
        "orders. The risks are the currency, the supply of parts and two customers; see page 12.\n"
    )
    return (sentence * 12)[:2048]


@dataclass
class Step:
    user: dict[str, Any]
    options: dict[str, Any]
    history: list[dict[str, Any]]
    documents: list[dict[str, Any]]


def cases() -> dict[str, Callable[[], object]]:
    """The variants by name; the first is what the others are compared with."""
    given, said = argument(), result()
    step, secret = Step(**given), {**given, "password": "hunter2"}
    small, huge = "lorem ipsum " * 850, "lorem ipsum " * 430_000
    messages = [{"role": "system", "content": said}, *given["history"]]
    return {
        "json.dumps": lambda: (json.dumps(given), json.dumps(said)),
        "full": lambda: (encode(given, redact=False), encode(said, redact=False)),
        "redacted": lambda: (encode(given), encode(said)),
        "redacted, a sensitive key": lambda: (encode(secret), encode(said)),
        "redacted, a dataclass": lambda: (encode(step), encode(said)),
        "redacted, text of 10 KB": lambda: encode(small),
        "redacted, text of 5 MB": lambda: encode(huge),
        "redacted, nine messages": lambda: encode_messages(messages),
    }


def measure(calls: int = 100, rounds: int = 31) -> dict[str, float]:
    """Median microseconds of thread CPU time a call, by variant."""
    variants = cases()
    times: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(rounds):
        for name, run in variants.items():
            start = time.thread_time_ns()
            for _ in range(calls):
                run()
            times[name].append((time.thread_time_ns() - start) / calls / 1_000)
    return {name: statistics.median(taken) for name, taken in times.items()}


def report(title: str, measured: dict[str, float]) -> None:
    """Print microseconds and ratios to the first variant."""
    baseline = next(iter(measured.values()))
    print(f"{title:<30}{'µs':>8}{'ratio':>8}")
    for name, taken in measured.items():
        print(f"{name:<30}{taken:>8.1f}{taken / baseline:>8.2f}")
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=100, help="calls a round")
    parser.add_argument("--rounds", type=int, default=31)
    options = parser.parse_args()
    print(f"arguments {len(json.dumps(argument()))} bytes, result {len(result())} bytes\n")
    report("with orjson", measure(options.calls, options.rounds))
    sys.modules["orjson"] = None  # type: ignore[assignment]
    _plain._encoder.cache_clear()
    report("without orjson", measure(options.calls, options.rounds))


if __name__ == "__main__":
    main()
