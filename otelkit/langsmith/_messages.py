"""Messages of the GenAI conventions as LangSmith shows them: those of chat completions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any


def chat(messages: Sequence[Any]) -> list[Any]:
    """``messages`` with roles, contents and tool calls; what is none stays as it is."""
    return [one for message in messages for one in _chat(message)]


def system(parts: Any) -> list[Any]:
    """System instructions, a list of parts or a text, as one message; none for nothing."""
    if not parts:
        return []
    content = _content(parts) if isinstance(parts, list) else parts
    return [{"role": "system", "content": content}]


def _chat(message: Any) -> list[Any]:
    if not isinstance(message, dict) or not isinstance(message.get("parts"), list):
        return [message]
    parts = [part for part in message["parts"] if isinstance(part, dict)]
    answers = [part for part in parts if part.get("type") == "tool_call_response"]
    calls = [part for part in parts if part.get("type") == "tool_call"]
    said = [part for part in parts if part not in answers and part not in calls]
    made = [_answer(part) for part in answers]
    if said or calls or not answers:
        one = {key: value for key, value in message.items() if key != "parts"}
        one["content"] = _content(said)
        if calls:
            one["tool_calls"] = [_call(part) for part in calls]
        made.append(one)
    return made


def _content(parts: list[Any]) -> Any:
    """One text where there is nothing but text, else a list of blocks."""
    if all(isinstance(part, dict) and part.get("type") == "text" for part in parts):
        return "".join(str(part.get("content", "")) for part in parts)
    return [
        {"type": "text", "text": part.get("content")}
        if isinstance(part, dict) and part.get("type") == "text"
        else part
        for part in parts
    ]


def _call(part: dict[str, Any]) -> dict[str, Any]:
    arguments = part.get("arguments")
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {
        "id": part.get("id"),
        "type": "function",
        "function": {"name": part.get("name"), "arguments": text},
    }


def _answer(part: dict[str, Any]) -> dict[str, Any]:
    response = part.get("response")
    text = response if isinstance(response, str) else json.dumps(response)
    return {"role": "tool", "tool_call_id": part.get("id"), "content": text}
