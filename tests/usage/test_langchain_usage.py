"""Messages, chunks and results of ``langchain_core``."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import Any

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult, Generation, LLMResult
from usage_payloads import events, response, streamed

from otelkit.usage import Reply, Usage, messages, read

OPENAI = Reply(
    usage=Usage(input_tokens=100, output_tokens=20, cache_read_tokens=64, reasoning_tokens=8),
    model="gpt-5-mini-2025-08-07",
    id="chatcmpl-L1",
    finish_reasons=("stop",),
    provider="openai",
    service_tier="default",
)
SAVE = {"type": "tool_call", "id": "call_L1", "name": "save", "arguments": {"ok": True}}


class OwnMessage(AIMessage):
    """As an integration or a user may derive it."""


@pytest.mark.parametrize("build", [AIMessage.model_validate, OwnMessage.model_validate, dict])
def test_a_message_is_read(build: Any) -> None:
    built = build(response("langchain_openai_message"))
    assert read(built) == OPENAI
    assert messages(built) == [
        {
            "role": "assistant",
            "parts": [{"type": "text", "content": "Two tables."}, SAVE],
            "finish_reason": "stop",
        }
    ]


def test_cache_writes_are_counted_once_where_their_times_to_live_are_known() -> None:
    message = AIMessage.model_validate(response("langchain_anthropic_message"))
    reply = read(message)
    assert reply is not None
    assert reply.usage == Usage(
        input_tokens=200,
        output_tokens=9,
        cache_read_tokens=40,
        cache_write_tokens=150,
        cache_write_1h_tokens=70,
    )
    assert (reply.id, reply.finish_reasons) == ("msg_01L", ("tool_call",))
    said = messages(message)
    assert said is not None
    assert [part["type"] for part in said[0]["parts"]] == ["reasoning", "text", "tool_call"]


def test_a_message_without_usage_metadata_is_read_in_the_words_of_its_provider() -> None:
    payload = response("langchain_anthropic_message") | {"usage_metadata": None}
    reply = read(AIMessage.model_validate(payload))
    assert reply is not None
    assert reply.usage == Usage(200, 9, cache_read_tokens=40, cache_write_tokens=150)
    payload = response("langchain_openai_message") | {"usage_metadata": None}
    reply = read(AIMessage.model_validate(payload))
    assert reply is not None
    assert reply.usage == Usage(100, 20)


def test_the_usage_of_chunks_adds_up_as_langchain_merges_them() -> None:
    chunks = [AIMessageChunk.model_validate(chunk) for chunk in events("langchain_stream")]
    stream = streamed(chunks)
    reply = stream.reply()
    assert reply is not None
    assert reply.usage == Usage(input_tokens=30, output_tokens=14, cache_read_tokens=10)
    assert (reply.model, reply.provider) == ("claude-sonnet-4-5-20250929", "anthropic")
    said = stream.messages()
    assert said is not None
    assert said[0]["parts"] == [
        {"type": "text", "content": "Two tables."},
        {"type": "tool_call", "id": "toolu_9", "name": "save", "arguments": {"ok": True}},
    ]
    assert read(reduce(add, chunks)) == reply
    assert messages(reduce(add, chunks)) == said


def test_chunks_come_in_pairs_with_metadata_out_of_langgraph() -> None:
    chunks = [AIMessageChunk.model_validate(chunk) for chunk in events("langchain_stream")]
    pairs = [(chunk, {"langgraph_step": 1, "ls_provider": "anthropic"}) for chunk in chunks]
    assert streamed(pairs).reply() == streamed(chunks).reply()


def test_an_llm_result_adds_up_its_prompts_but_not_their_choices() -> None:
    message = AIMessage.model_validate(response("langchain_openai_message"))
    generation = ChatGeneration(message=message)
    result = LLMResult(
        generations=[[generation, generation], [generation]],
        llm_output={"token_usage": {"prompt_tokens": 200, "completion_tokens": 40}},
    )
    for built in (result, result.model_dump(serialize_as_any=True)):
        reply = read(built)
        assert reply is not None
        assert reply.usage is not None
        assert (reply.usage.input_tokens, reply.usage.cache_read_tokens) == (200, 128)
        assert reply.finish_reasons == ("stop", "stop", "stop")
        assert len(messages(built) or ()) == 3


def test_a_chat_result_and_a_generation_are_read() -> None:
    message = AIMessage.model_validate(response("langchain_openai_message"))
    result = ChatResult(generations=[ChatGeneration(message=message)], llm_output={})
    assert read(result) == OPENAI
    assert read(ChatGeneration(message=message)) == OPENAI


def test_a_text_result_has_the_usage_of_its_llm_output() -> None:
    result = LLMResult(
        generations=[[Generation(text="Hi.", generation_info={"finish_reason": "length"})]],
        llm_output={
            "token_usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
            "model_name": "gpt-3.5-turbo-instruct",
        },
    )
    assert read(result) == Reply(
        usage=Usage(7, 3), model="gpt-3.5-turbo-instruct", finish_reasons=("length",)
    )
    said = messages(result)
    assert said is not None
    assert said[0]["parts"] == [{"type": "text", "content": "Hi."}]


def test_a_structured_output_with_its_raw_message_is_read() -> None:
    raw = AIMessage.model_validate(response("langchain_openai_message"))
    assert read({"raw": raw, "parsed": None, "parsing_error": None}) == OPENAI


def test_what_a_model_of_langchain_returns_is_a_reply_even_without_usage() -> None:
    model = FakeListChatModel(responses=["Hi."])
    assert read(model.invoke("x")) == Reply()
    said = streamed(model.stream("x")).messages()
    assert said is not None
    assert said[0]["parts"] == [{"type": "text", "content": "Hi."}]


def test_a_message_of_the_user_is_no_reply() -> None:
    assert read(HumanMessage("hello")) is None
