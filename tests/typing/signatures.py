"""Read by mypy and pyright, never run: decorators keep what a type checker knows of a function."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from opentelemetry.trace import Span
from typing_extensions import assert_type

import otelkit


@otelkit.traced
def plain(x: int, *, y: str = "") -> list[str]:
    return [y] * x


@otelkit.traced_stage("plan")
def named(x: int) -> int:
    return x


@otelkit.traced_workflow(capture="off", attributes={"a": 1})
async def coroutine(x: int) -> bytes:
    return b"" * x


@otelkit.traced_tool
def generator(x: int) -> Iterator[int]:
    yield x


@otelkit.traced_llm(provider="openai", model="m")
async def stream(x: int) -> AsyncIterator[str]:
    yield str(x)


@otelkit.traced_agent(method="solve")
class Agent:
    def __init__(self, name: str) -> None:
        self.name = name

    def solve(self, task: str) -> float:
        return float(len(task))

    @otelkit.traced_tool
    @staticmethod
    def static(x: int) -> int:
        return x

    @classmethod
    @otelkit.traced_tool
    def made(cls, name: str) -> Agent:
        return cls(name)

    @property
    @otelkit.traced
    def size(self) -> int:
        return 1


def uses() -> None:
    assert_type(plain(1, y="a"), list[str])
    assert_type(named(1), int)
    assert_type(generator(1), Iterator[int])
    assert_type(stream(1), AsyncIterator[str])
    agent = Agent("a")
    assert_type(agent.solve("x"), float)
    assert_type(Agent.static(1), int)
    assert_type(Agent.made("b"), Agent)
    assert_type(agent.size, int)
    plain("no")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Agent(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    named(1, 2)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

    with otelkit.traced_stage("block") as span:
        assert_type(span, Span)
    with otelkit.traced_llm(provider="p") as call:
        call.record(object())
        assert_type(call.span, Span)


async def uses_async() -> None:
    assert_type(await coroutine(1), bytes)
    async with otelkit.traced_agent("a") as span:
        assert_type(span, Span)
    with otelkit.bind(user_id="u", tags=["t"]):
        otelkit.record_usage(input_tokens=1)
    result = otelkit.setup(service_name="s").flush(timeout=1.0)
    if result:
        otelkit.counter("c").add(1, {"a": "b"})
