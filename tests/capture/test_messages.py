"""Chat messages of every provider in the words of the conventions, within the budget."""

from __future__ import annotations

from typing import Any

import pytest
from anthropic.types import TextBlock, ThinkingBlock, ToolUseBlock
from google.genai import types as google
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.prompt_values import ChatPromptValue
from openai.types.chat import ChatCompletionMessage
from opentelemetry.util.genai import types as genai

from otelkit.capture import encode_messages
from tests.capture.reading import strictly


def read(messages: object, max_bytes: int = 8192, redact: bool = True) -> Any:
    text = encode_messages(messages, max_bytes=max_bytes, redact=redact)
    assert text is not None
    assert len(text.encode()) <= max_bytes
    return strictly(text)


def text(content: Any) -> dict[str, Any]:
    return {"type": "text", "content": content}


def said(role: str, *parts: Any) -> dict[str, Any]:
    return {"role": role, "parts": list(parts)}


def call(id: Any, name: str, arguments: Any) -> dict[str, Any]:
    return {"type": "tool_call", "id": id, "name": name, "arguments": arguments}


def answer(id: Any, response: Any) -> dict[str, Any]:
    return {"type": "tool_call_response", "id": id, "response": response}


def test_a_text_is_what_the_user_says() -> None:
    assert read("hello") == [said("user", text("hello"))]
    assert read(["hello", "there"]) == [said("user", text("hello")), said("user", text("there"))]


def test_openai_chat() -> None:
    tool_call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    custom = {"id": "c2", "type": "custom", "custom": {"name": "g", "input": "free text"}}
    old = {"name": "h", "arguments": "not JSON"}
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    messages = [
        {"role": "developer", "content": "be kind"},
        {"role": "user", "content": [{"type": "text", "text": "what is it?"}, image]},
        {"role": "assistant", "content": None, "tool_calls": [tool_call, custom]},
        {"role": "tool", "tool_call_id": "c1", "content": "42"},
        {"role": "assistant", "content": None, "function_call": old},
        ChatCompletionMessage(role="assistant", content="it is 42"),
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
        {"role": "assistant", "content": "done", "reasoning_content": "thought"},
    ]
    assert read(messages) == [
        said("developer", text("be kind")),
        said("user", text("what is it?"), {"type": "image"}),
        said("assistant", call("c1", "f", {"a": 1}), call("c2", "g", "free text")),
        said("tool", answer("c1", "42")),
        said("assistant", call(None, "h", "not JSON")),
        said("assistant", text("it is 42")),
        said("assistant", text("no")),
        said("assistant", {"type": "reasoning", "content": "thought"}, text("done")),
    ]


def test_openai_responses() -> None:
    items = [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "q"}]},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "ok"},
    ]
    assert read(items) == [
        said("user", text("q")),
        said(
            "assistant", {"type": "reasoning", "content": [{"type": "summary_text", "text": "hm"}]}
        ),
        said("assistant", call("c1", "f", {})),
        said("tool", answer("c1", "ok")),
    ]


def test_anthropic() -> None:
    blocks = [
        ThinkingBlock(type="thinking", thinking="hm", signature="s"),
        TextBlock(type="text", text="let me see", citations=None),
        ToolUseBlock(type="tool_use", id="t1", name="f", input={"a": 1}),
    ]
    image = {"type": "image", "source": {"type": "base64", "data": "AAAA"}}
    result = {"type": "tool_result", "tool_use_id": "t1"}
    messages = [
        {"role": "assistant", "content": blocks},
        {
            "role": "user",
            "content": [{**result, "content": [{"type": "text", "text": "42"}, image]}],
        },
        {"role": "user", "content": [{**result, "content": "42"}, {"type": "document"}]},
    ]
    thinking = {"type": "reasoning", "content": "hm"}
    assert read(messages) == [
        said("assistant", thinking, text("let me see"), call("t1", "f", {"a": 1})),
        said("user", answer("t1", [text("42"), {"type": "image"}])),
        said("user", answer("t1", "42"), {"type": "document"}),
    ]


def test_google() -> None:
    function_call = google.FunctionCall(id="1", name="f", args={"a": 1})
    response = google.FunctionResponse(id="1", name="f", response={"b": 2})
    picture = google.Part(inline_data=google.Blob(mime_type="image/png", data=b"png"))
    contents = [
        google.Content(role="user", parts=[google.Part(text="look"), picture]),
        google.Content(role="model", parts=[google.Part(text="hm", thought=True)]),
        google.Content(role="model", parts=[google.Part(function_call=function_call)]),
        google.Content(role="user", parts=[google.Part(function_response=response)]),
        {"parts": [{"text": "and?"}, {"functionCall": {"name": "g", "args": {}}}]},
    ]
    assert read(contents) == [
        said("user", text("look"), {"type": "inline_data"}),
        said("assistant", {"type": "reasoning", "content": "hm"}),
        said("assistant", call("1", "f", {"a": 1})),
        said("user", answer("1", {"b": 2})),
        said("user", text("and?"), call(None, "g", {})),
    ]
    assert read(contents[0])[0]["role"] == "user"


def test_bedrock() -> None:
    use = {"toolUse": {"toolUseId": "1", "name": "f", "input": {"a": 1}}}
    result = {"toolResult": {"toolUseId": "1", "content": [{"json": {"b": 2}}]}}
    image = {"image": {"format": "png", "source": {"bytes": b"png"}}}
    messages = [{"role": "user", "content": [{"text": "hi"}, use, result, image]}]
    parts = (text("hi"), call("1", "f", {"a": 1}), answer("1", [{"json": {"b": 2}}]))
    assert read(messages) == [said("user", *parts, {"type": "image"})]


def test_langchain() -> None:
    tool_call = {"name": "f", "args": {"a": 1}, "id": "1", "type": "tool_call"}
    content = [
        {"type": "text", "text": "so"},
        {"type": "tool_use", "id": "1", "name": "f", "input": {}},
    ]
    messages: list[Any] = [
        SystemMessage("be kind"),
        HumanMessage([{"type": "text", "text": "what?"}, {"type": "image_url", "image_url": {}}]),
        AIMessage("", tool_calls=[tool_call]),
        AIMessage(content, tool_calls=[tool_call]),  # type: ignore[arg-type]
        ToolMessage("42", tool_call_id="1"),
        AIMessageChunk(content="it is"),
    ]
    expected = [
        said("system", text("be kind")),
        said("user", text("what?"), {"type": "image"}),
        said("assistant", call("1", "f", {"a": 1})),
        said("assistant", text("so"), call("1", "f", {})),
        said("tool", answer("1", "42")),
        said("assistant", text("it is")),
    ]
    assert read(messages) == expected
    assert read([messages]) == expected  # a batch of one
    assert read({"messages": messages}) == expected  # the state of a graph
    assert read(ChatPromptValue(messages=messages)) == expected
    assert read(messages[0]) == expected[:1]
    assert read([("human", "hi"), ("ai", "hello")]) == [
        said("user", text("hi")),
        said("assistant", text("hello")),
    ]


def test_the_conventions_own_form() -> None:
    part = call("1", "f", {"a": 1})
    own = [{**said("assistant", text("hi"), part), "finish_reason": "stop"}]
    assert read(own) == own
    message = genai.InputMessage(
        role="user",
        parts=[genai.TextPart(content="hi"), genai.ToolCallRequestPart({"a": 1}, "f", "1")],
    )
    assert read([message]) == [said("user", text("hi"), part)]


@pytest.mark.parametrize(
    "value",
    [None, 5, object(), {}, {"a": 1}, [1], [{"a": 1}], {"messages": 5}, ({"a": 1},), b"text",
     {1, 2}, {"type": "text", "text": "a block is no message"}, [[1]], ChatPromptValue],
)  # fmt: skip
def test_all_else_is_no_message(value: Any) -> None:
    assert encode_messages(value) is None


def test_an_unknown_value_among_messages_is_told_by_its_type() -> None:
    assert read([{"role": "user", "content": 5}, object()]) == [
        said("user", {"type": "int"}),
        said("unknown", {"type": "object"}),
    ]


def test_secrets_are_hidden_unless_told_otherwise() -> None:
    arguments = '{"user": "ada", "password": "hunter2"}'
    messages = [
        {"role": "user", "content": "my key is sk-proj-0123456789abcdef"},
        {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": arguments}}]},
    ]
    assert read(messages) == [
        said("user", text("my key is sk-[redacted]")),
        said("assistant", call(None, "f", {"user": "ada", "password": "[redacted]"})),
    ]
    assert "hunter2" in (encode_messages(messages, redact=False) or "")


def conversation() -> list[dict[str, Any]]:
    roles = ["user", "assistant"] * 20
    middle = [{"role": role, "content": f"{n} {'x' * 400}"} for n, role in enumerate(roles)]
    return [{"role": "system", "content": "S" * 4_000}, *middle]


def test_of_a_long_conversation_the_system_and_the_newest_messages_are_kept() -> None:
    shown = read([*conversation(), {"role": "user", "content": "LAST"}], max_bytes=4_000)
    assert [message["role"] for message in shown[:2]] == ["system", "omitted"]
    assert shown[0]["parts"][0]["content"].endswith("…[cut]")
    kept = [int(message["parts"][0]["content"].split()[0]) for message in shown[2:-1]]
    assert kept == list(range(kept[0], 40))
    assert len(kept) >= 5
    assert shown[1]["parts"] == [text(f"…[{kept[0]} messages cut]")]
    assert shown[-1] == said("user", text("LAST"))


def test_a_long_last_message_leaves_room_for_others_and_has_most_of_it() -> None:
    shown = read([*conversation(), {"role": "user", "content": "L" * 100_000}], max_bytes=4_000)
    assert len(shown[-1]["parts"][0]["content"]) > 1_200
    assert len(shown) > 3


def test_a_single_long_message_has_all_the_room() -> None:
    shown = read([{"role": "user", "content": "L" * 100_000}], max_bytes=4_000)
    assert len(shown[0]["parts"][0]["content"]) > 3_700


def test_long_parts_of_one_message_share_its_room() -> None:
    parts = [text("a" * 9_000), call("1", "f", {"x": "b" * 9_000}), text("c" * 9_000), text("d")]
    (shown,) = read([{**said("assistant", *parts), "finish_reason": "stop"}], max_bytes=3_000)
    assert [part["type"] for part in shown["parts"]] == ["text", "tool_call", "text", "text"]
    assert all(len(str(part)) > 400 for part in shown["parts"][:3])
    assert shown["parts"][3] == text("d")
    assert shown["finish_reason"] == "stop"


def test_more_parts_than_there_is_room_for_are_marked() -> None:
    (shown,) = read(
        [{"role": "user", "content": [{"type": "text", "text": "x" * 50}] * 200}], 1_000
    )
    assert shown["parts"][-1] == text("…[cut]")
    assert len(shown["parts"]) > 5


def test_every_budget_holds() -> None:
    messages = [
        *conversation(),
        said("assistant", text("ü" * 300), call("1", "f" * 300, {"\n": "\x00" * 300})),
        {"role": "漢" * 100, "content": "x", "finish_reason": "\x00" * 100},
    ]
    for max_bytes in [*range(16, 1_000), 5_000, 20_000]:
        for given in (messages, messages[-1:], messages[-2:], []):
            assert isinstance(read(given, max_bytes=max_bytes), list)


def test_no_cut_of_messages_leaks_a_part_of_a_secret() -> None:
    content = f"{'word ' * 20}sk-proj-CANARYcanary01234 {'x' * 500}"
    for max_bytes in range(150, 700):
        shown = encode_messages([{"role": "user", "content": content}] * 3, max_bytes=max_bytes)
        assert shown is not None
        assert "CANA" not in shown
        assert "canary" not in shown
