"""An application that uses everything at once: otelkit, ``@traceable``, LangChain and LangGraph.

``main()`` is for a process of its own.
"""

from __future__ import annotations

from typing import Any, TypedDict

from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langgraph.graph import END, START, StateGraph
from langsmith import run_trees, traceable
from opentelemetry.instrumentation.genai.langchain import LangChainInstrumentor

import otelkit
from tests.langsmith.apps.expected import USAGE
from tests.langsmith.apps.scenes import play


class State(TypedDict):
    question: str
    answer: str


def model() -> Any:
    answer = AIMessage("forty-two", usage_metadata=USAGE)
    return GenericFakeChatModel(messages=iter([answer]))


@otelkit.traced_tool
def look_up(word: str) -> str:
    return clean(word)


@traceable
def clean(word: str) -> str:
    return word.strip()


@traceable(run_type="retriever")
def retrieve(question: str) -> list[str]:
    return [look_up(question)]


def find(state: State) -> dict[str, Any]:
    retrieve(state["question"])
    return {}


def answer(state: State) -> dict[str, Any]:
    with otelkit.traced_agent("writer"):
        return {"answer": model().invoke(state["question"]).content}


def graph() -> Any:
    made = StateGraph(State)
    made.add_node("find", find)
    made.add_node("answer", answer)
    made.add_edge(START, "find")
    made.add_edge("find", "answer")
    made.add_edge("answer", END)
    return made.compile()


def main(*scenes: dict[str, str]) -> None:
    """Runs it in each of ``scenes``.

    ``INSTRUMENTED`` lets the official instrumentation make spans of LangChain's runs.
    """
    play(_run, scenes)


def _run(scene: dict[str, str]) -> None:
    telemetry = otelkit.setup(service_name="graph")
    if "INSTRUMENTED" in scene:
        LangChainInstrumentor().instrument(skip_dep_check=True)  # it asks for all of langchain
    with otelkit.traced_workflow("question"), otelkit.traced_agent("researcher"):
        graph().invoke({"question": "why "})
    run_trees.get_cached_client().flush()
    telemetry.flush(30)
    telemetry.shutdown(30)
    if "INSTRUMENTED" in scene:
        LangChainInstrumentor().uninstrument()
