"""An agent in LangSmith: spans of otelkit, ``@traceable`` and LangGraph as one tree.

    export LANGSMITH_TRACING=true LANGSMITH_API_KEY=… OTELKIT_CAPTURE=redacted
    python examples/langsmith.py

It needs ``pip install "./otelkit[langsmith]" langgraph`` and no language model, a small fake
answers. Without the variables it runs all the same, and nothing is sent to LangSmith.
"""
# ruff: noqa: E402

from __future__ import annotations

import os
import sys

# This file has the name of a package that it needs; its own folder must not come first.
sys.path = [path for path in sys.path if os.path.abspath(path) != os.path.dirname(__file__)]

from typing import Any, TypedDict

from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langgraph.graph import END, START, StateGraph
from langsmith import traceable

import otelkit


class Trip(TypedDict):
    """What the graph works on."""

    city: str
    weather: str
    advice: str


@otelkit.traced_tool
def forecast(city: str) -> str:
    """A tool: a span of otelkit, a run in LangSmith."""
    return f"sunny in {city}"


@traceable
def look_up(city: str) -> str:
    """A function of a library that uses langsmith itself; the tool hangs on its run."""
    return forecast(city)


def weather(trip: Trip) -> dict[str, str]:
    """A node of the graph."""
    return {"weather": look_up(trip["city"])}


def advise(trip: Trip) -> dict[str, str]:
    """A node that asks a model of LangChain's."""
    usage = {"input_tokens": 21, "output_tokens": 5, "total_tokens": 26}
    answer = AIMessage("Take a hat.", usage_metadata=usage)
    model = GenericFakeChatModel(messages=iter([answer]))
    return {"advice": str(model.invoke(f"It is {trip['weather']}. What do I take?").content)}


def graph() -> Any:
    """The two nodes, one after the other."""
    made: Any = StateGraph(Trip)
    made.add_node("weather", weather)
    made.add_node("advise", advise)
    made.add_edge(START, "weather")
    made.add_edge("weather", "advise")
    made.add_edge("advise", END)
    return made.compile()


@otelkit.traced_llm(provider="openai", model="gpt-5-mini")
def translate(text: str) -> dict[str, Any]:
    """A call of a model that no library sees; tokens and cost come from what it returns."""
    answer = {"Take a hat.": "Prends un chapeau."}.get(text, text)
    return {
        "object": "chat.completion",
        "model": "gpt-5-mini",
        "choices": [{"message": {"role": "assistant", "content": answer}}],
        "usage": {"prompt_tokens": 18, "completion_tokens": 6, "total_tokens": 24},
    }


@otelkit.traced_workflow("plan_a_trip")
def plan(city: str) -> str:
    """The workflow, which is the root of the tree."""
    with otelkit.traced_agent("guide"):
        advice = graph().invoke({"city": city})["advice"]
    translate(advice)
    print("In LangSmith:", otelkit.langsmith.run_url() or "nowhere, tracing is off")
    otelkit.langsmith.feedback("useful", 1, comment="went there")
    return str(advice)


def main() -> None:
    """Plans one trip."""
    with otelkit.setup(service_name="trips"), otelkit.bind(user_id="u1", session_id="trip-1"):
        print(plan("Rome"))


if __name__ == "__main__":
    main()
