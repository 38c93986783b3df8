"""The local model server, asked by the real `openai` client over a socket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from examples.codegen_service import model_server

TABLE = {
    "name": "stories",
    "columns": [{"name": "id", "type": "integer", "primary_key": True}],
    "relationships": [],
}


@pytest.fixture(scope="module")
def client() -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="local", base_url=model_server.start()) as client:
        yield client


def asking(task: dict[str, Any]) -> list[Any]:
    system = {"role": "system", "content": "You are the model of a test."}
    return [system, {"role": "user", "content": json.dumps(task)}]


PLAN = asking({"task": "plan", "known_class_names": {}, "tables": [TABLE]})
WRITE = asking({"task": "write", "table": TABLE, "description": "One story."})


def rendered(source: str) -> list[Any]:
    call = {"id": "c1", "type": "function", "function": {"name": "render_model", "arguments": "{}"}}
    return [
        *WRITE,
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": source},
    ]


def test_a_plan_fits_the_prompt(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(model="gpt-5", messages=PLAN)
    plan = json.loads(reply.choices[0].message.content or "")
    assert plan["models"][0]["class_name"] == "Story"
    assert reply.choices[0].finish_reason == "stop"
    assert reply.model == "gpt-5"


def test_usage_grows_with_the_text_and_holds_its_details(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(model="gpt-5", messages=PLAN)
    longer = asking({"task": "plan", "known_class_names": {}, "tables": [TABLE], "x": "y " * 99})
    more = client.chat.completions.create(model="gpt-5", messages=longer)
    assert reply.usage is not None
    assert more.usage is not None
    assert 0 < reply.usage.prompt_tokens < more.usage.prompt_tokens
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
    assert reply.usage.completion_tokens_details is not None
    reasoning = reply.usage.completion_tokens_details.reasoning_tokens or 0
    assert 0 < reasoning < reply.usage.completion_tokens


def test_a_tool_is_called_and_its_result_is_used(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(model="gpt-5-mini", messages=WRITE)
    assert reply.choices[0].finish_reason == "tool_calls"
    [call] = reply.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert (call.function.name, call.function.arguments) == ("render_model", '{"table": "stories"}')

    messages = rendered("class Story(Base):\n    pass\n")
    reply = client.chat.completions.create(model="gpt-5-mini", messages=messages)
    assert 'class Story(Base):\n    """One story."""' in (reply.choices[0].message.content or "")
    assert reply.usage is not None
    assert reply.usage.prompt_tokens_details is not None
    assert (reply.usage.prompt_tokens_details.cached_tokens or 0) > 0


def test_a_stream_carries_the_same_text_and_the_usage_last(client: openai.OpenAI) -> None:
    messages = rendered("class Story(Base):\n    pass\n")
    whole = client.chat.completions.create(model="gpt-5", messages=messages)
    chunks = list(
        client.chat.completions.create(
            model="gpt-5", messages=messages, stream=True, stream_options={"include_usage": True}
        )
    )
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage == whole.usage
    assert [chunk for chunk in chunks[:-1] if chunk.usage] == []


def test_a_stream_without_being_asked_for_usage_has_none(client: openai.OpenAI) -> None:
    chunks = client.chat.completions.create(model="gpt-5", messages=WRITE, stream=True)
    assert [chunk for chunk in chunks if chunk.usage] == []


@pytest.mark.parametrize(
    ("status", "error"), [(429, openai.RateLimitError), (500, openai.InternalServerError)]
)
def test_it_fails_when_it_is_asked_to(
    client: openai.OpenAI, status: int, error: type[Exception]
) -> None:
    with pytest.raises(error):
        client.chat.completions.create(model=f"gpt-5@error={status}", messages=PLAN)


def test_it_fails_once_and_the_client_tries_again(client: openai.OpenAI) -> None:
    create = client.chat.completions.with_raw_response.create
    response = create(model="gpt-5@error-once=500", messages=PLAN)
    assert response.parse().model == "gpt-5"
    assert response.retries_taken == 1


def test_a_stream_breaks_off(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="gpt-5@truncate", messages=rendered("class Story(Base):\n    pass\n"), stream=True
    )
    text = ""
    with pytest.raises(openai.APIConnectionError):
        for chunk in stream:
            text += chunk.choices[0].delta.content or ""
    assert text.startswith("```python")


def test_nonsense_once_gets_better_after_being_asked_again(client: openai.OpenAI) -> None:
    def ask(model: str, messages: list[Any]) -> str:
        reply = client.chat.completions.create(model=model, messages=messages)
        return reply.choices[0].message.content or ""

    again = [*PLAN, {"role": "assistant", "content": "?"}, {"role": "user", "content": "Again."}]
    assert "birds" in ask("gpt-5@garbage-once", PLAN)
    assert json.loads(ask("gpt-5@garbage-once", again))["models"]
    assert "birds" in ask("gpt-5@garbage", again)


@pytest.mark.parametrize("body", [{}, {"model": "gpt-5"}, {"model": 5, "messages": []}])
def test_a_malformed_request_is_answered_with_400(client: openai.OpenAI, body: Any) -> None:
    with pytest.raises(openai.BadRequestError, match="not a chat-completions request"):
        client.post("/chat/completions", body=body, cast_to=object)
