"""Google's Gemini API and Vertex AI, as the ``google-genai`` client or the wire has them.

Source: the API reference, "GenerateContentResponse" and "UsageMetadata". The prompt's count holds
the cached tokens; thoughts and the results of tools are counted beside candidates and prompt. Each
chunk of a stream carries the usage of all up to it. Keys are camelCase on the wire.
"""

from __future__ import annotations

from typing import Any

from otelkit.usage._draft import Draft, Output
from otelkit.usage._fields import either, get, items, text, tokens
from otelkit.usage._types import Usage

PROVIDER = "gcp.gen_ai"

_TIERS = {"ON_DEMAND_PRIORITY": "priority", "ON_DEMAND_FLEX": "flex"}


def matches(value: dict[str, Any]) -> bool:
    """Whether a plain dict is a response or a chunk of this API."""
    if "usageMetadata" in value or "modelVersion" in value:
        return True
    return "candidates" in value and ("usage_metadata" in value or "model_version" in value)


def feed(draft: Draft, value: Any) -> None:
    """Read a response or a chunk into the draft."""
    candidates = get(value, "candidates")
    block = either(value, "usage_metadata", "usageMetadata")
    model = either(value, "model_version", "modelVersion")
    if candidates is None and block is None and model is None:
        return
    draft.identify(PROVIDER, model, either(value, "response_id", "responseId"))
    if block is not None:
        draft.usage = usage(block)
        traffic = text(either(block, "traffic_type", "trafficType"))
        draft.service_tier = _TIERS.get(traffic) if traffic else draft.service_tier
    for candidate in items(candidates):
        index = get(candidate, "index")
        draft.finish(either(candidate, "finish_reason", "finishReason"), index)
        if draft.output is not None:
            for part in items(get(get(candidate, "content"), "parts")):
                _part(draft.output, part, index)


def usage(block: Any) -> Usage:
    """A block of usage metadata."""
    prompt = tokens(either(block, "prompt_token_count", "promptTokenCount"))
    tools = tokens(either(block, "tool_use_prompt_token_count", "toolUsePromptTokenCount"))
    candidates = tokens(either(block, "candidates_token_count", "candidatesTokenCount"))
    thoughts = tokens(either(block, "thoughts_token_count", "thoughtsTokenCount"))
    return Usage(
        input_tokens=prompt + tools,
        output_tokens=candidates + thoughts,
        cache_read_tokens=tokens(
            either(block, "cached_content_token_count", "cachedContentTokenCount")
        ),
        reasoning_tokens=thoughts,
    )


def _part(output: Output, part: Any, choice: Any) -> None:
    kind = "reasoning" if get(part, "thought") is True else "text"
    output.say(get(part, "text"), kind=kind, choice=choice)
    if (call := either(part, "function_call", "functionCall")) is not None:
        output.call(
            None,
            id=get(call, "id"),
            name=get(call, "name"),
            arguments=get(call, "args"),
            choice=choice,
        )
