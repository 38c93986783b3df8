"""Responses and chunks of the ``openai`` package, and dicts of those who speak its protocol."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types import Completion, CompletionUsage, CreateEmbeddingResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ParsedChatCompletion
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter
from usage_payloads import events, response, streamed

from otelkit.usage import Reply, Usage, messages, read

CHAT = Reply(
    usage=Usage(
        input_tokens=1200,
        output_tokens=180,
        cache_read_tokens=1024,
        cache_write_tokens=64,
        reasoning_tokens=128,
    ),
    model="gpt-5-mini-2025-08-07",
    id="chatcmpl-C9x1",
    finish_reasons=("stop", "tool_calls"),
    provider="openai",
    service_tier="flex",
)
RESPONSE = Reply(
    usage=Usage(input_tokens=300, output_tokens=90, cache_read_tokens=256, reasoning_tokens=64),
    model="gpt-5-2025-08-07",
    id="resp_68a",
    finish_reasons=("tool_calls",),
    provider="openai",
    service_tier="default",
)
PLAN = [
    {
        "role": "assistant",
        "parts": [
            {"type": "reasoning", "content": "The user wants a plan."},
            {"type": "text", "content": "Here is the plan."},
            {
                "type": "tool_call",
                "id": "call_C1",
                "name": "write_file",
                "arguments": {"path": "models.py"},
            },
        ],
        "finish_reason": "tool_call",
    }
]


@pytest.mark.parametrize(
    "build", [ChatCompletion.model_validate, ParsedChatCompletion.model_validate, dict]
)
def test_a_chat_completion_tells_usage_model_id_and_finish_reasons(build: Any) -> None:
    assert read(build(response("openai_chat"))) == CHAT


def test_a_chat_completion_gives_a_message_for_each_choice() -> None:
    assert messages(ChatCompletion.model_validate(response("openai_chat"))) == [
        {
            "role": "assistant",
            "parts": [{"type": "text", "content": "Two tables: users and orders."}],
            "finish_reason": "stop",
        },
        {
            "role": "assistant",
            "parts": [
                {
                    "type": "tool_call",
                    "id": "call_A1",
                    "name": "create_table",
                    "arguments": {"name": "users", "columns": 3},
                }
            ],
            "finish_reason": "tool_call",
        },
    ]


@pytest.mark.parametrize("build", [ChatCompletionChunk.model_validate, dict])
def test_chunks_are_joined_and_the_last_usage_wins(build: Any) -> None:
    stream = streamed(build(event) for event in events("openai_chat_stream"))
    assert stream.reply() == Reply(
        usage=Usage(input_tokens=90, output_tokens=42, cache_read_tokens=64, reasoning_tokens=20),
        model="gpt-5-mini-2025-08-07",
        id="chatcmpl-C9x2",
        finish_reasons=("tool_calls",),
        provider="openai",
        service_tier="default",
    )
    assert stream.messages() == [
        {
            "role": "assistant",
            "parts": [
                {"type": "text", "content": "Let me look."},
                {
                    "type": "tool_call",
                    "id": "call_B1",
                    "name": "search",
                    "arguments": {"query": "tables"},
                },
                {"type": "tool_call", "id": "call_B2", "name": "list_files", "arguments": {}},
            ],
            "finish_reason": "tool_call",
        }
    ]


def test_parallel_calls_that_a_server_all_numbers_0_stay_apart() -> None:
    def call(id_: str, name: str) -> dict[str, Any]:
        return {"index": 0, "id": id_, "function": {"name": name, "arguments": "{}"}}

    chunk = {"object": "chat.completion.chunk", "model": "m"}
    stream = streamed(
        {**chunk, "choices": [{"index": 0, "delta": {"tool_calls": [call(id_, name)]}}]}
        for id_, name in (("1", "a"), ("2", "b"))
    )
    said = stream.messages()
    assert said is not None
    assert [part["name"] for part in said[0]["parts"]] == ["a", "b"]


def test_a_legacy_completion_and_embeddings_are_read() -> None:
    completion = Completion.model_validate(response("openai_completion"))
    reply = read(completion)
    assert reply is not None
    assert (reply.usage, reply.finish_reasons) == (Usage(5, 7), ("length",))
    said = messages(completion)
    assert said is not None
    assert said[0]["parts"] == [{"type": "text", "content": "\n\nA test it is."}]

    embeddings = CreateEmbeddingResponse.model_validate(response("openai_embeddings"))
    for built in (embeddings, response("openai_embeddings")):
        reply = read(built)
        assert reply is not None
        assert (reply.usage, reply.model) == (Usage(8), "text-embedding-3-small")
        assert messages(built) is None


@pytest.mark.parametrize("build", [Response.model_validate, dict])
def test_a_response_of_the_responses_api_is_read(build: Any) -> None:
    built = build(response("openai_response"))
    assert read(built) == RESPONSE
    assert messages(built) == PLAN


@pytest.mark.parametrize("build", [TypeAdapter(ResponseStreamEvent).validate_python, dict])
def test_events_of_the_responses_api_are_joined(build: Any) -> None:
    stream = streamed(build(event) for event in events("openai_response_stream"))
    assert stream.reply() == RESPONSE
    assert stream.messages() == PLAN


def test_a_response_says_what_made_it_incomplete() -> None:
    payload = response("openai_response")
    payload |= {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    reply = read(Response.model_validate(payload))
    assert reply is not None
    assert reply.finish_reasons == ("length",)


@pytest.mark.parametrize(
    ("payload", "usage"),
    [
        ("deepseek_chat", Usage(100, 30, cache_read_tokens=64, reasoning_tokens=25)),
        # Here the reasoning is not in completion_tokens: 32 + 9 + 94 = 135.
        ("xai_chat", Usage(32, 103, cache_read_tokens=6, reasoning_tokens=94, cost=0.0016)),
        ("openrouter_chat", Usage(194, 20, reasoning_tokens=4, cost=0.00095)),
        ("perplexity_chat", Usage(10, 50, cost=0.00678)),
    ],
)
def test_peculiarities_of_compatible_servers(payload: str, usage: Usage) -> None:
    for built in (response(payload), ChatCompletion.model_validate(response(payload))):
        reply = read(built)
        assert reply is not None
        assert reply.usage == usage


def test_reasoning_that_compatible_servers_send_beside_the_content_is_kept() -> None:
    for payload, thought in (("deepseek_chat", "Two and two."), ("openrouter_chat", "Greet.")):
        said = messages(ChatCompletion.model_validate(response(payload)))
        assert said is not None
        assert said[0]["parts"][0] == {"type": "reasoning", "content": thought}


def test_of_a_message_and_an_empty_delta_the_message_is_taken() -> None:
    said = messages(response("perplexity_chat"))
    assert said is not None
    assert said[0]["parts"] == [{"type": "text", "content": "Yes [1]."}]


def test_of_a_delta_and_the_message_so_far_the_delta_is_taken() -> None:
    stream = streamed(
        {
            "object": "chat.completion.chunk",
            "model": "sonar",
            "choices": [{"index": 0, "delta": {"content": new}, "message": {"content": so_far}}],
        }
        for new, so_far in (("Yes", "Yes"), (" [1].", "Yes [1]."))
    )
    said = stream.messages()
    assert said is not None
    assert said[0]["parts"] == [{"type": "text", "content": "Yes [1]."}]


def test_a_tuple_of_a_result_and_its_usage_is_read() -> None:
    block = response("openai_chat")["usage"]
    for usage in (block, CompletionUsage.model_validate(block), CHAT.usage):
        reply = read(("a text", usage))
        assert reply is not None
        assert reply.usage == CHAT.usage
    reply = read((ChatCompletion.model_validate(response("openai_chat")), Usage(1, 2)))
    assert reply is not None
    assert (reply.usage, reply.id) == (Usage(1, 2), "chatcmpl-C9x1")


def test_other_objects_of_the_package_are_no_replies() -> None:
    from openai.types import FileDeleted, Model

    assert read(Model(id="gpt-5", created=1, object="model", owned_by="openai")) is None
    assert read(FileDeleted(id="f", deleted=True, object="file")) is None
