"""Many requests at once, with everything that moves between threads and tasks; for a process.

Branches of a graph run in parallel, synchronous and asynchronous; streams come from generators.
"""

from __future__ import annotations

import asyncio
import operator
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Annotated, Any, TypedDict

from langchain_core.runnables import RunnableLambda
from langgraph.graph import END, START, StateGraph
from langsmith import traceable
from langsmith.run_trees import get_cached_client
from opentelemetry import trace

import otelkit
from tests.langsmith.apps.expected import COUNT
from tests.langsmith.apps.scenes import play


class State(TypedDict):
    name: str
    done: Annotated[list[str], operator.add]


@traceable
def note(name: str) -> str:
    with otelkit.traced_tool("write"):
        return name


@traceable
def tell(name: str) -> Iterator[str]:
    with otelkit.traced_stage("telling"):
        yield note(name)
    yield name


@traceable(name="tell")
async def atell(name: str) -> AsyncIterator[str]:
    async with otelkit.traced_stage("telling"):
        await asyncio.sleep(0.001)
        yield note(name)
    yield name


def left(state: State) -> dict[str, Any]:
    with otelkit.traced_agent("left"):
        return {"done": RunnableLambda(note).batch([state["name"]] * 2)}


def right(state: State) -> dict[str, Any]:
    return {"done": list(tell(state["name"]))}


async def aleft(state: State) -> dict[str, Any]:
    async with otelkit.traced_agent("left"):
        await asyncio.sleep(0.001)
        return {"done": await RunnableLambda(note).abatch([state["name"]] * 2)}


async def aright(state: State) -> dict[str, Any]:
    return {"done": [one async for one in atell(state["name"])]}


def graph(one: Any, other: Any) -> Any:
    made: Any = StateGraph(State)
    for name, node in (("one", one), ("other", other)):
        made.add_node(name, node)
        made.add_edge(START, name)
        made.add_edge(name, END)
    return made.compile()


SYNCHRONOUS, ASYNCHRONOUS = graph(left, right), graph(aleft, aright)


def request(number: int) -> None:
    tracer = trace.get_tracer("web")
    with tracer.start_as_current_span("POST"), otelkit.traced_workflow(f"sync {number}"):
        SYNCHRONOUS.invoke({"name": str(number), "done": []})


async def arequest(number: int) -> None:
    with trace.get_tracer("web").start_as_current_span("POST"):
        async with otelkit.traced_workflow(f"async {number}"):
            await ASYNCHRONOUS.ainvoke({"name": str(number), "done": []})


@traceable
def outermost() -> None:
    with otelkit.traced_workflow("inside"):
        note("x")


async def _at_once() -> None:
    await asyncio.gather(*(arequest(number) for number in range(COUNT)))


def main(*scenes: dict[str, str]) -> None:
    """Runs it in each of ``scenes``."""
    play(_run, scenes)


def _run(_: dict[str, str]) -> None:
    with otelkit.setup(service_name="at once") as telemetry:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: copy_context().run(request, number), range(COUNT)))
        asyncio.run(_at_once())
        outermost()
        get_cached_client().flush()
        telemetry.flush(30)
