"""What every API of OpenAI's says about a call in the same way: model, id, tier and usage.

Source: the API reference, "The chat completion object" and "The response object". Totals are
inclusive: the input holds the cached tokens, the output the reasoning. xAI counts reasoning on top
of its ``completion_tokens``; its ``total_tokens`` shows that.
"""

from __future__ import annotations

from typing import Any

from otelkit.usage._draft import Draft
from otelkit.usage._fields import amount, either, get, text, tokens
from otelkit.usage._types import Usage

_TICKS_PER_USD = 1e10  # xAI's unit of cost


def identify(draft: Draft, value: Any, provider: str) -> None:
    """Read what a response, or the chunk of one, says about the call."""
    draft.identify(provider, get(value, "model"), get(value, "id"))
    if (block := get(value, "usage")) is not None:
        draft.usage = usage(block)
    if (tier := get(value, "service_tier")) is not None:
        draft.service_tier = text(tier)


def usage(block: Any) -> Usage:
    """A usage block: chat names its fields otherwise than the Responses API."""
    inputs = either(block, "prompt_tokens_details", "input_tokens_details")
    outputs = either(block, "completion_tokens_details", "output_tokens_details")
    prompt = tokens(either(block, "prompt_tokens", "input_tokens"))
    completion = tokens(either(block, "completion_tokens", "output_tokens"))
    reasoning = tokens(get(outputs, "reasoning_tokens"))
    if reasoning and tokens(get(block, "total_tokens")) == prompt + completion + reasoning:
        completion += reasoning
    return Usage(
        input_tokens=prompt,
        output_tokens=completion,
        cache_read_tokens=tokens(get(inputs, "cached_tokens"))
        or tokens(get(block, "prompt_cache_hit_tokens")),  # DeepSeek's name for it
        cache_write_tokens=tokens(get(inputs, "cache_write_tokens")),
        reasoning_tokens=reasoning,
        cost=_cost(block),
    )


def _cost(block: Any) -> float | None:
    """USD, as OpenRouter and LiteLLM (a number), Perplexity (a dict) or xAI (ticks) report it."""
    if (ticks := amount(get(block, "cost_in_usd_ticks"))) is not None:
        return ticks / _TICKS_PER_USD
    cost = get(block, "cost")
    return amount(get(cost, "total_cost")) if isinstance(cost, dict) else amount(cost)
