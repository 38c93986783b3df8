"""Ollama's chat, generate and embed, whole or as chunks.

Source: the API reference of Ollama, "Generate a chat completion". The last chunk, the one with
``done``, carries the counts; a prompt that was cached entirely may lack its own.
"""

from __future__ import annotations

from typing import Any

from otelkit.usage._draft import Draft
from otelkit.usage._fields import get, items, tokens
from otelkit.usage._types import Usage

PROVIDER = "ollama"


def matches(value: dict[str, Any]) -> bool:
    """Whether a plain dict is a response or a chunk of this API."""
    if "model" not in value:
        return False
    return "prompt_eval_count" in value or ("created_at" in value and "done" in value)


def feed(draft: Draft, value: Any) -> None:
    """Read a response or a chunk into the draft."""
    model = get(value, "model")
    if not isinstance(model, str):
        return
    draft.identify(PROVIDER, model)
    draft.finish(get(value, "done_reason"))
    read, written = get(value, "prompt_eval_count"), get(value, "eval_count")
    if read is not None or written is not None:
        draft.usage = Usage(input_tokens=tokens(read), output_tokens=tokens(written))
    if draft.output is None:
        return
    message = get(value, "message")
    said = value if message is None else message  # generate has the text on the response itself
    draft.output.say(get(said, "thinking"), kind="reasoning")
    draft.output.say(get(said, "response" if message is None else "content"))
    for call in items(get(message, "tool_calls")):
        function = get(call, "function")
        draft.output.call(None, name=get(function, "name"), arguments=get(function, "arguments"))
