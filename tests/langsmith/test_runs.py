"""What a run says: tokens, cost, content, errors, metadata."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from opentelemetry import trace

import otelkit
from tests.langsmith.conftest import Application, Connect
from tests.langsmith.test_tree import ask, look_up

SECRET = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCD"


def chunks(broken: bool = False) -> Any:
    for text in ("be", "cause"):
        yield {
            "object": "chat.completion.chunk",
            "id": "chatcmpl-2",
            "model": "gpt-5-mini-2025-08-07",
            "choices": [{"index": 0, "delta": {"content": text}}],
        }
        if broken:
            raise ConnectionError("the line is dead")
    yield {
        "object": "chat.completion.chunk",
        "id": "chatcmpl-2",
        "model": "gpt-5-mini-2025-08-07",
        "choices": [],
        "usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9},
    }


@otelkit.traced_llm(provider="openai", model="gpt-5-mini")
def stream(messages: Any, broken: bool = False) -> Any:
    yield from chunks(broken)


def test_tokens_and_cost_are_those_of_the_trace_backend(application: Application) -> None:
    answer = {
        "type": "message",
        "id": "msg_1",
        "model": "claude-sonnet-4-5",
        "role": "assistant",
        "content": [{"type": "text", "text": "yes"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 10, "output_tokens": 20, "cache_read_input_tokens": 30,
                  "cache_creation_input_tokens": 40},
    }  # fmt: skip
    with otelkit.traced_llm(provider="anthropic", model="claude-sonnet-4-5") as call:
        call.record(answer)
    (run,) = application.runs()
    there = application.span("chat claude-sonnet-4-5")
    usage = run.usage
    assert usage["input_tokens"] == there["gen_ai.usage.input_tokens"] == 80
    assert usage["output_tokens"] == there["gen_ai.usage.output_tokens"] == 20
    assert usage["total_tokens"] == 100
    assert usage["input_token_details"] == {"cache_read": 30, "cache_creation": 40}
    assert usage["total_cost"] == there["gen_ai.usage.cost.amount"] > 0
    assert usage["input_cost"] + usage["output_cost"] == pytest.approx(usage["total_cost"])


def test_reasoning_and_a_cost_that_the_provider_reports(application: Application) -> None:
    with otelkit.traced_llm(provider="openrouter", model="some/model"):
        otelkit.record_usage(input_tokens=5, output_tokens=9, reasoning_tokens=4, cost=0.25)
    (run,) = application.runs()
    assert run.usage == {
        "input_tokens": 5,
        "output_tokens": 9,
        "total_tokens": 14,
        "input_token_details": {},
        "output_token_details": {"reasoning": 4},
        "total_cost": 0.25,
    }


def test_only_calls_of_models_have_tokens(application: Application) -> None:
    attributes = {"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 99}
    with application.tracer.start_as_current_span("agent", attributes=attributes):
        ask("why")
    tokens = [run.usage.get("input_tokens") for run in application.runs()]
    assert tokens == [None, 12]


def test_metadata_and_tags(connected: Connect) -> None:
    application = connected(OTELKIT_ENVIRONMENT="staging")
    bound = otelkit.bind(user_id="u1", session_id="s1", tags=["beta", "a,b"])
    with bound, otelkit.traced_workflow("outer") as span:
        ask("why")
    outer, call = application.runs()
    assert outer.metadata == {
        "thread_id": "s1",
        "user_id": "u1",
        "environment": "staging",
        "otel_trace_id": f"{span.get_span_context().trace_id:032x}",
    }
    assert call.metadata == {
        **outer.metadata,
        "ls_provider": "openai",
        "ls_model_name": "gpt-5-mini-2025-08-07",
    }
    assert outer.tags == call.tags == ["beta", "a b"]
    assert outer.project == "tests"


def test_without_content_inputs_and_outputs_are_empty(application: Application) -> None:
    with otelkit.traced_workflow("outer"):
        look_up("x")
        ask("why")
    assert all(run.inputs == {} for run in application.runs())
    outputs = [{**(run.outputs or {}), "usage_metadata": None} for run in application.runs()]
    assert outputs == [{"usage_metadata": None}] * 3
    assert application.langsmith.run("chat gpt-5-mini").usage["input_tokens"] == 12


def test_content_as_captured(connected: Connect) -> None:
    application = connected(OTELKIT_CAPTURE="redacted")

    @otelkit.traced_workflow
    def outer(question: str, password: str) -> list[str]:
        look_up(question)
        with otelkit.traced_llm(provider="openai", model="gpt-5-mini") as call:
            call.record(ask.__wrapped__(question))
        return [question]

    @otelkit.traced_llm(provider="openai", model="gpt-5-mini")
    def chat(*, messages: Any) -> Any:
        return ask.__wrapped__("why")

    outer("why", "hunter2")
    chat(messages=[{"role": "system", "content": "Be short."},
                   {"role": "user", "content": f"my key is {SECRET}"}])  # fmt: skip
    application.flush()
    shown = application.langsmith.run("outer")
    assert shown.inputs == {"question": "why", "password": "[redacted]"}
    assert shown.outputs == {"output": ["why"]}
    tool = application.langsmith.run("look_up")
    assert (tool.inputs, tool.outputs) == ({"word": "why"}, {"output": "why"})
    call = application.langsmith.runs()[-1]
    assert call.inputs == {
        "messages": [
            {"role": "system", "content": "Be short."},
            {"role": "user", "content": "my key is sk-[redacted]"},
        ]
    }
    said = (call.outputs or {})["messages"]
    assert [(one["role"], one["content"]) for one in said] == [("assistant", "because")]
    assert call.usage["output_tokens"] == 3


def test_messages_are_those_of_chat_completions(connected: Connect) -> None:
    application = connected(OTELKIT_CAPTURE="full")
    given = [
        {"role": "user", "parts": [{"type": "text", "content": "weather?"}]},
        {"role": "assistant", "parts": [
            {"type": "reasoning", "content": "hm"},
            {"type": "tool_call", "id": "c1", "name": "weather", "arguments": {"city": "Rome"}}]},
        {"role": "tool", "parts": [
            {"type": "tool_call_response", "id": "c1", "response": {"sky": "blue"}}]},
        "odd",
    ]  # fmt: skip
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.system_instructions": json.dumps([{"type": "text", "content": "Be short."}]),
        "gen_ai.input.messages": json.dumps(given),
        "gen_ai.output.messages": json.dumps([{"role": "assistant", "finish_reason": "stop",
            "parts": [{"type": "text", "content": "It is "}, {"type": "text", "content": "blue."}]
        }]),
    }  # fmt: skip
    application.tracer.start_span("chat", attributes=attributes).end()
    (run,) = application.runs()
    assert run.inputs == {
        "messages": [
            {"role": "system", "content": "Be short."},
            {"role": "user", "content": "weather?"},
            {"role": "assistant", "content": [{"type": "reasoning", "content": "hm"}],
             "tool_calls": [{"id": "c1", "type": "function",
                             "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}]},
            {"role": "tool", "tool_call_id": "c1", "content": '{"sky": "blue"}'},
            "odd",
        ]
    }  # fmt: skip
    assert run.outputs == {
        "messages": [{"role": "assistant", "finish_reason": "stop", "content": "It is blue."}]
    }


@pytest.mark.parametrize(
    ("mode", "inputs", "error"),
    [
        ("off", {}, "bad key sk-[redacted]"),
        ("metadata", {}, "bad key sk-[redacted]"),
        ("redacted", {"messages": [{"role": "user", "content": "sk-[redacted]"}]},
         "bad key sk-[redacted]"),
        ("full", {"messages": [{"role": "user", "content": SECRET}]}, f"bad key {SECRET}"),
    ],
)  # fmt: skip
def test_content_of_other_libraries_follows_the_mode(
    connected: Connect, mode: str, inputs: Any, error: str
) -> None:
    application = connected(OTELKIT_CAPTURE=mode)
    said = [{"role": "user", "parts": [{"type": "text", "content": SECRET}]}]
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.input.messages": json.dumps(said),
    }
    with (
        pytest.raises(ValueError, match="bad key"),
        application.tracer.start_as_current_span("chat", attributes=attributes) as span,
    ):
        span.add_event("gen_ai.user.message", {"content": SECRET})
        raise ValueError(f"bad key {SECRET}")
    (run,) = application.runs()
    assert run.inputs == inputs
    assert run.error == error
    assert application.span("chat")["gen_ai.input.messages"] == json.dumps(said)


@pytest.mark.parametrize("mode", ["off", "metadata"])
def test_foreign_names_of_content_are_taken_away_too(connected: Connect, mode: str) -> None:
    application = connected(OTELKIT_CAPTURE=mode)
    names = (
        "embedding.embeddings.0.embedding.text", "gen_ai.completion.0.content",
        "gen_ai.content.prompt", "gen_ai.request.instructions", "gen_ai.tool.definitions",
        "input.value", "llm.input_messages.0", "llm.prompts.0", "llm.request.functions.0.name",
        "mcp.request.params", "pydantic_ai.all_messages", "reranker.query", "tool.parameters",
        "tool_arguments", "tool_response", "traceloop.entity.output", "traceloop.prompt.template",
    )  # fmt: skip
    attributes = {"openinference.span.kind": "LLM", **dict.fromkeys(names, "private")}
    application.tracer.start_span("call", attributes=attributes).end()
    application.flush()
    assert "private" not in application.langsmith.received
    assert application.langsmith.run("call").outputs == {}


@pytest.mark.parametrize("mode", ["off", "metadata", "redacted"])
def test_secrets_anywhere_on_spans_of_other_libraries_stay_here(
    connected: Connect, mode: str
) -> None:
    application = connected(OTELKIT_CAPTURE=mode)
    attributes = {"gen_ai.operation.name": "chat", "odd": SECRET, "odds": [SECRET]}
    link = trace.Link(trace.SpanContext(5, 6, False), {"odd": SECRET})
    with (
        pytest.raises(ValueError, match="bad key"),
        application.tracer.start_as_current_span("a", attributes=attributes, links=[link]) as span,
    ):
        span.add_event("odd", {"odd": SECRET, "odds": [SECRET]})
        raise ValueError(f"bad key {SECRET}")
    application.flush()
    assert SECRET not in application.langsmith.received
    assert application.langsmith.run("a").error == "bad key sk-[redacted]"


def test_what_langsmiths_own_switches_hide_stays_hidden(
    connected: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGSMITH_HIDE_INPUTS", "true")
    application = connected(OTELKIT_CAPTURE="full")
    look_up("secret")
    (run,) = application.runs()
    assert (run.inputs, run.outputs) == ({}, {"output": "secret"})
    assert application.span("execute_tool look_up")["gen_ai.tool.call.arguments"]


@pytest.mark.parametrize("side", ["INPUTS", "OUTPUTS"])
def test_what_is_hidden_is_in_no_event_either(
    connected: Connect, monkeypatch: pytest.MonkeyPatch, side: str
) -> None:
    monkeypatch.setenv(f"LANGSMITH_HIDE_{side}", "true")
    application = connected(OTELKIT_CAPTURE="full")
    attributes = {"gen_ai.operation.name": "chat"}
    with (
        pytest.raises(ValueError, match="no model"),
        application.tracer.start_as_current_span("chat", attributes=attributes) as span,
    ):
        span.add_event("gen_ai.content.prompt", {"gen_ai.prompt": "private"})
        span.add_event("gen_ai.choice", {"message": "private"})
        raise ValueError("no model")
    application.flush()
    assert "private" not in application.langsmith.received
    assert application.langsmith.run("chat").error == "no model"


def test_a_name_of_ones_own(application: Application) -> None:
    with otelkit.traced_agent("writer", attributes={"langsmith.trace.name": "Writer of letters"}):
        pass
    assert [run.name for run in application.runs()] == ["Writer of letters"]


def test_a_failure_marks_every_run_up_to_the_root(application: Application) -> None:
    @otelkit.traced_tool
    def fail() -> None:
        raise LookupError("no such word")

    with (
        pytest.raises(LookupError),
        otelkit.traced_workflow("outer"),
        otelkit.traced_agent("inner"),
    ):
        look_up("x")
        fail()
    errors = {run.name: run.error for run in application.runs()}
    assert errors == {
        "outer": "LookupError: no such word",
        "inner": "LookupError: no such word",
        "fail": "no such word",
        "look_up": None,
    }


def test_an_exception_that_was_handled_is_no_failure(application: Application) -> None:
    with otelkit.traced_workflow("outer") as span:
        span.record_exception(ValueError("handled"))
    (run,) = application.runs()
    assert run.error is None


def test_a_cancelled_call_is_told_from_a_failed_one(application: Application) -> None:
    @otelkit.traced_agent
    async def slow() -> None:
        await asyncio.sleep(60)

    async def main() -> None:
        task = asyncio.create_task(slow())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
    (run,) = application.runs()
    assert run.error is None
    assert run.metadata["cancelled"] is True


def test_a_stream(connected: Connect) -> None:
    application = connected(OTELKIT_CAPTURE="full")
    list(stream([{"role": "user", "content": "why"}]))
    (run,) = application.runs()
    assert run.usage["total_tokens"] == 9
    assert (run.outputs or {})["messages"][0]["content"] == "because"


def test_a_stream_that_its_consumer_leaves(connected: Connect) -> None:
    application = connected(OTELKIT_CAPTURE="full")
    with otelkit.traced_workflow("outer"):
        made = stream([])
        next(made)
        made.close()
    outer, run = application.runs()
    assert (outer.name, run.parent_id) == ("outer", outer.id)
    assert run.error is None
    assert run.metadata["stopped_early"] is True
    assert (run.outputs or {})["messages"][0]["content"] == "be"


def test_a_stream_that_breaks(application: Application) -> None:
    with pytest.raises(ConnectionError):
        list(stream([], broken=True))
    (run,) = application.runs()
    assert run.error == "the line is dead"
