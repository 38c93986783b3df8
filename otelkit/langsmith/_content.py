"""What goes into a run and what comes out of it, as far as content may be shown.

otelkit's own spans carry what the capture mode of their call allowed. Spans of other libraries
follow switches of their own, so here the process's mode is applied to them.
"""

from __future__ import annotations

import json
from typing import Any

from otelkit import capture, semconv
from otelkit.langsmith import _messages
from otelkit.redaction import scrub

NOTHING = "{}"  # LangSmith drops the tokens of a run that has no outputs at all
WITHHELD = ("off", "metadata")

# The content of spans made by other libraries. LangSmith reads these as they are.
_FOREIGN_INPUTS = (
    "input.value", "traceloop.entity.input", "gen_ai.prompt.", "llm.input_messages.",
)  # fmt: skip
_FOREIGN_OUTPUTS = (
    "output.value", "traceloop.entity.output", "gen_ai.completion.", "llm.output_messages.",
    "retrieval.documents.",
)  # fmt: skip
# And these it shows as metadata: OpenInference, OpenLLMetry, Pydantic AI, older GenAI conventions.
_MORE_INPUTS = (
    "gen_ai.content.prompt", "gen_ai.request.instructions", "gen_ai.tool.definitions",
    "embedding.embeddings.", "llm.prompt_template.", "llm.prompts", "llm.request.functions.",
    "llm.tools.", "model_request_parameters", "mcp.request.", "reranker.input_documents.",
    "reranker.query", "tool.parameters", "tool_arguments", "traceloop.prompt.",
)  # fmt: skip
_MORE_OUTPUTS = (
    "gen_ai.content.completion", "gen_ai.event.content", "gen_ai.evaluation.explanation",
    "gen_ai.retrieval.", "all_messages_events", "events", "final_result", "llm.choices",
    "llm.completions", "llm.function_call", "logfire.msg", "mcp.response.",
    "pydantic_ai.all_messages", "reranker.output_documents.", "tool_response",
)  # fmt: skip
_INPUTS = (
    semconv.INPUT_MESSAGES, semconv.SYSTEM_INSTRUCTIONS, semconv.TOOL_CALL_ARGUMENTS, semconv.INPUT,
)  # fmt: skip
_OUTPUTS = (semconv.OUTPUT_MESSAGES, semconv.TOOL_CALL_RESULT, semconv.OUTPUT)
_INPUTS_OF_ANY = (*_INPUTS, semconv.PROMPT, *_FOREIGN_INPUTS, *_MORE_INPUTS)
_OUTPUTS_OF_ANY = (*_OUTPUTS, semconv.COMPLETION, *_FOREIGN_OUTPUTS, *_MORE_OUTPUTS)


def protect(attributes: dict[str, Any], mode: str, max_bytes: int) -> None:
    """Takes from the attributes of another library's span what ``mode`` does not allow."""
    if mode == "full":
        return
    content = (*_INPUTS_OF_ANY, *_OUTPUTS_OF_ANY)
    for name, value in list(attributes.items()):
        if not name.startswith(content):
            attributes[name] = scrubbed(value)
        elif mode in WITHHELD:
            del attributes[name]
        elif isinstance(value, str):
            attributes[name] = _redacted(value, max_bytes)
        else:
            attributes[name] = scrubbed(value)


def scrubbed(value: Any) -> Any:
    """The value of an attribute without what looks like a secret."""
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, (list, tuple)):
        return [scrubbed(one) for one in value]
    return value


def hide(attributes: dict[str, Any], *, inputs: bool, outputs: bool) -> None:
    """Takes away what goes in or what comes out, whoever made the span."""
    hidden = _INPUTS_OF_ANY * inputs + _OUTPUTS_OF_ANY * outputs
    for name in [name for name in attributes if name.startswith(hidden)]:
        del attributes[name]


def write(attributes: dict[str, Any]) -> None:
    """Adds inputs and outputs to ``attributes`` where LangSmith looks for them."""
    if semconv.PROMPT not in attributes and not _has(attributes, _FOREIGN_INPUTS):
        attributes[semconv.PROMPT] = _inputs(attributes)
    if semconv.COMPLETION not in attributes and not _has(attributes, _FOREIGN_OUTPUTS):
        attributes[semconv.COMPLETION] = _outputs(attributes)


def drop_sources(attributes: dict[str, Any]) -> None:
    """Takes away what :func:`write` has written in another form."""
    for name in (*_INPUTS, *_OUTPUTS):
        attributes.pop(name, None)


def _inputs(attributes: dict[str, Any]) -> str:
    messages = _parsed(attributes.get(semconv.INPUT_MESSAGES))
    if isinstance(messages, list):
        before = _messages.system(_parsed(attributes.get(semconv.SYSTEM_INSTRUCTIONS)))
        return json.dumps({"messages": [*before, *_messages.chat(messages)]})
    for name in (semconv.INPUT_MESSAGES, semconv.TOOL_CALL_ARGUMENTS, semconv.INPUT):
        if name in attributes:
            return _object(_parsed(attributes[name]), "input")
    return NOTHING


def _outputs(attributes: dict[str, Any]) -> str:
    messages = _parsed(attributes.get(semconv.OUTPUT_MESSAGES))
    if isinstance(messages, list):
        return json.dumps({"messages": _messages.chat(messages)})
    for name in _OUTPUTS:
        if name in attributes:
            return _object(_parsed(attributes[name]), "output")
    return NOTHING


def _has(attributes: dict[str, Any], beginnings: tuple[str, ...]) -> bool:
    return any(name.startswith(beginnings) for name in attributes)


def _parsed(text: Any) -> Any:
    """What JSON says; a text that is none stays as it is."""
    if not isinstance(text, str):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _object(value: Any, key: str) -> str:
    """Inputs and outputs are JSON objects; what is none is put into one."""
    return json.dumps(value if isinstance(value, dict) else {key: value})


def _redacted(text: str, max_bytes: int) -> str:
    value = _parsed(text)
    if isinstance(value, (dict, list)):
        return capture.encode(value, max_bytes=max(max_bytes, len(text)), redact=True).text
    return scrub(text)
