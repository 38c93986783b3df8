"""Calls of a model that several libraries see at once; ``main()`` is for a process of its own.

A LangChain model and a client wrapped by langsmith, both over the real ``openai`` client, which the
official instrumentation has in hand; the same client bare; and a LangChain model in ``traced_llm``.
"""

from __future__ import annotations

from typing import Any

import openai
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langsmith.run_trees import get_cached_client
from langsmith.wrappers import wrap_openai

import otelkit
from examples.codegen_service import model_server
from tests.langsmith.apps.scenes import play

MODEL = "gpt-5-mini"
MESSAGES: list[Any] = [{"role": "user", "content": '{"task": "review", "models": []}'}]


class Chat(BaseChatModel):
    """What packages for LangChain do: they call the provider's client."""

    client: Any

    @property
    def _llm_type(self) -> str:
        return "chat"

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        done = self.client.chat.completions.create(model=MODEL, messages=MESSAGES)
        usage = {
            "input_tokens": done.usage.prompt_tokens,
            "output_tokens": done.usage.completion_tokens,
            "total_tokens": done.usage.total_tokens,
        }
        message = AIMessage(done.choices[0].message.content, usage_metadata=usage)
        return ChatResult(generations=[ChatGeneration(message=message)])


def main(*scenes: dict[str, str]) -> None:
    play(_run, scenes)


def _run(_: dict[str, str]) -> None:
    telemetry = otelkit.setup(service_name="models")
    bare = openai.OpenAI(api_key="local", base_url=model_server.start())
    wrapped = wrap_openai(openai.OpenAI(api_key="local", base_url=model_server.start()))
    chat = Chat(client=bare)
    chat.invoke("outside of every span")
    with otelkit.traced_workflow("models"):
        chat.invoke("a question")
        wrapped.chat.completions.create(model=MODEL, messages=MESSAGES)
        bare.chat.completions.create(model=MODEL, messages=MESSAGES)
        with otelkit.traced_llm(provider="openai", model=MODEL) as call:
            call.record(chat.invoke("a question"))
    get_cached_client().flush()
    telemetry.flush(30)
    telemetry.shutdown(30)
