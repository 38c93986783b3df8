"""OpenAI's chat completions, legacy completions and embeddings, and all who speak that protocol.

Source: the API reference, "The chat completion object", "The chat completion chunk object" and
"The embedding object". The usage of a stream comes in its last chunk, if it was asked for.
"""

from __future__ import annotations

from typing import Any

from otelkit.usage import openai_responses
from otelkit.usage._draft import Draft, Output
from otelkit.usage._fields import either, get, getter, items
from otelkit.usage.openai_usage import identify

PROVIDER = "openai"


def matches(value: dict[str, Any]) -> bool:
    """Whether a plain dict is a response, a chunk or an event of this protocol."""
    if type(value.get("choices")) is list:
        return "usage" in value or "object" in value or "model" in value
    if value.get("object") == "list":
        return "usage" in value and "data" in value
    return openai_responses.matches(value)


def feed(draft: Draft, value: Any, provider: str = PROVIDER) -> None:
    """Read a response or a chunk into the draft."""
    field = getter(value)
    choices = field("choices")
    if type(choices) is list:
        identify(draft, field, provider)
        for choice in choices:
            said = getter(choice)
            index = said("index")
            if (reason := said("finish_reason")) is not None:
                draft.finish(reason, index)
            if draft.output is not None:
                _content(draft.output, _message(value, choice), index)
                draft.output.say(get(choice, "text"), choice=index)  # legacy completions
    elif openai_responses.matches(value):
        openai_responses.feed(draft, value, provider)
    elif get(value, "type") == "chunk":  # the client's `chat.completions.stream()` wraps chunks
        feed(draft, get(value, "chunk"), provider)
    elif get(value, "data") is not None and get(value, "usage") is not None:  # embeddings
        identify(draft, field, provider)


def _message(value: Any, choice: Any) -> Any:
    # Perplexity sends both: the message so far in chunks, an empty delta in whole responses.
    chunk = get(value, "object") == "chat.completion.chunk"
    return either(choice, *(("delta", "message") if chunk else ("message", "delta")))


def _content(output: Output, message: Any, index: Any) -> None:
    output.say(either(message, "reasoning_content", "reasoning"), kind="reasoning", choice=index)
    _say(output, get(message, "content"), index)
    output.say(get(message, "refusal"), choice=index)
    for position, call in enumerate(items(get(message, "tool_calls"))):
        _call(output, call, position, index)
    if (function := get(message, "function_call")) is not None:  # before there were tool calls
        output.call(
            0, name=get(function, "name"), arguments=get(function, "arguments"), choice=index
        )


def _say(output: Output, content: Any, index: Any) -> None:
    """Content is a string; Mistral also sends lists of chunks, thinking among them."""
    output.say(content, choice=index)
    for chunk in items(content):
        output.say(get(chunk, "text"), choice=index)
        for thought in items(get(chunk, "thinking")):
            output.say(get(thought, "text"), kind="reasoning", choice=index)


def _call(output: Output, call: Any, position: int, index: Any) -> None:
    function = get(call, "function")
    custom = get(call, "custom") if function is None else None
    number, call_id = get(call, "index"), get(call, "id")
    output.call(
        position if number is None else number,
        id=None if call_id == "null" else call_id,  # Mistral's client fills a missing id so
        name=get(function or custom, "name"),
        arguments=get(custom, "input") if function is None else get(function, "arguments"),
        choice=index,
    )
