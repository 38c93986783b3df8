"""LangChain's messages, their chunks, and the results that hold them.

Source: the reference of ``langchain_core``: ``AIMessage``, ``UsageMetadata``, ``LLMResult``,
``ChatResult``. The totals of ``usage_metadata`` are inclusive. The usage of chunks adds up: that is
how LangChain itself merges them. What the model and the provider said is in ``response_metadata``,
under names that vary with the provider's package.
"""

from __future__ import annotations

from typing import Any

from otelkit.usage import anthropic, openai_usage
from otelkit.usage._draft import Draft, Output
from otelkit.usage._fields import either, get, items, text, tokens
from otelkit.usage._providers import standard_name
from otelkit.usage._types import Usage

_REPLY_TYPES = {"ai", "AIMessageChunk"}
_OWN_IDS = ("run-", "lc_")  # made by LangChain, not by the provider


def matches(value: dict[str, Any]) -> bool:
    """Whether a dict is a message or a result, dumped, or a structured output with its message."""
    if value.keys() == {"raw", "parsed", "parsing_error"}:
        return True
    if value.get("type") in _REPLY_TYPES:
        return "response_metadata" in value
    return "generations" in value and "llm_output" in value


def feed(draft: Draft, value: Any) -> None:
    """Read a message, a chunk or a result into the draft."""
    if get(value, "type") in _REPLY_TYPES:
        _message(draft, value)
    elif get(value, "generations") is not None:
        _result(draft, value)
    elif (inner := get(value, "message")) is not None or (inner := get(value, "raw")) is not None:
        feed(draft, inner)


def usage(block: Any) -> Usage:
    """A block of usage metadata."""
    inputs, outputs = get(block, "input_token_details"), get(block, "output_token_details")
    hour = tokens(get(inputs, "ephemeral_1h_input_tokens"))
    # Where the times to live are known, the sum is 0 lest it be counted twice.
    written = tokens(get(inputs, "ephemeral_5m_input_tokens")) + hour
    return Usage(
        input_tokens=tokens(get(block, "input_tokens")),
        output_tokens=tokens(get(block, "output_tokens")),
        cache_read_tokens=tokens(get(inputs, "cache_read")),
        cache_write_tokens=written or tokens(get(inputs, "cache_creation")),
        reasoning_tokens=tokens(get(outputs, "reasoning")),
        cache_write_1h_tokens=hour,
    )


def _result(draft: Draft, result: Any) -> None:
    """A result: the choices of one prompt, or a list of such lists. Usage adds up over prompts."""
    llm_output = get(result, "llm_output")
    draft.identify(None, either(llm_output, "model_name", "model"), get(llm_output, "id"))
    prompts = items(get(result, "generations"))
    if prompts and not isinstance(prompts[0], list):
        prompts = (prompts,)
    choice = 0
    for generations in prompts:
        for position, generation in enumerate(items(generations)):
            # Further choices repeat the usage of their prompt.
            _generation(draft, generation, choice, counts=position == 0)
            choice += 1
    if draft.usage is None and (block := either(llm_output, "token_usage", "usage")):
        draft.usage = _provider_usage(block)


def _generation(draft: Draft, generation: Any, choice: int, *, counts: bool) -> None:
    message = get(generation, "message")
    if message is not None:
        _message(draft, message, choice, counts=counts)
        return
    draft.finish(get(get(generation, "generation_info"), "finish_reason"), choice)
    if draft.output is not None:
        draft.output.say(get(generation, "text"), choice=choice)


def _message(draft: Draft, message: Any, choice: int = 0, *, counts: bool = True) -> None:
    facts = get(message, "response_metadata")
    draft.identify(
        standard_name(get(facts, "model_provider")),
        either(facts, "model_name", "model"),
        get(facts, "id") or _provider_id(get(message, "id")),
    )
    draft.service_tier = text(get(facts, "service_tier")) or draft.service_tier
    draft.finish(
        either(facts, "finish_reason", "stop_reason") or either(facts, "done_reason", "stopReason"),
        choice,
    )
    if counts and (block := get(message, "usage_metadata")) is not None:
        draft.usage = _sum(draft.usage, usage(block))
    elif counts and (block := either(facts, "token_usage", "usage")):
        draft.usage = _sum(draft.usage, _provider_usage(block))
    if draft.output is not None:
        _content(draft.output, message, choice)


def _provider_id(id_: object) -> str | None:
    return id_ if isinstance(id_, str) and not id_.startswith(_OWN_IDS) else None


def _provider_usage(block: Any) -> Usage:
    """Usage in the words of the provider, for integrations that do not translate it."""
    if either(block, "cache_read_input_tokens", "cache_creation_input_tokens") is not None:
        return anthropic.usage(block)
    return openai_usage.usage(block)


def _sum(one: Usage | None, other: Usage) -> Usage:
    if one is None:
        return other
    return Usage(
        input_tokens=one.input_tokens + other.input_tokens,
        output_tokens=one.output_tokens + other.output_tokens,
        cache_read_tokens=one.cache_read_tokens + other.cache_read_tokens,
        cache_write_tokens=one.cache_write_tokens + other.cache_write_tokens,
        reasoning_tokens=one.reasoning_tokens + other.reasoning_tokens,
        cache_write_1h_tokens=one.cache_write_1h_tokens + other.cache_write_1h_tokens,
    )


def _content(output: Output, message: Any, choice: int) -> None:
    thoughts = get(get(message, "additional_kwargs"), "reasoning_content")
    output.say(thoughts, kind="reasoning", choice=choice)
    content = get(message, "content")
    output.say(content, choice=choice)
    for block in items(content):
        output.say(block, choice=choice)
        output.say(either(block, "reasoning", "thinking"), kind="reasoning", choice=choice)
        output.say(get(block, "text"), choice=choice)
    pieces = items(get(message, "tool_call_chunks"))
    calls = pieces or (
        *items(get(message, "tool_calls")),
        *items(get(message, "invalid_tool_calls")),
    )
    for call in calls:
        output.call(
            get(call, "index") if pieces else None,
            id=get(call, "id"),
            name=get(call, "name"),
            arguments=get(call, "args"),
            choice=choice,
        )
