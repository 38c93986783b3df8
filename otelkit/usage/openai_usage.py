"""What every API of OpenAI's says about a call in the same way: model, id, tier and usage.

Source: the API reference, "The chat completion object" and "The response object". Totals are
inclusive: the input holds the cached tokens, the output the reasoning. xAI counts reasoning on top
of its ``completion_tokens``; its ``total_tokens`` shows that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from otelkit.usage._draft import Draft
from otelkit.usage._fields import amount, get, getter, text, tokens
from otelkit.usage._types import Usage

_TICKS_PER_USD = 1e10  # xAI's unit of cost


def identify(draft: Draft, value: Any, provider: str) -> None:
    """Read what a response, or the chunk of one, says about the call."""
    field = getter(value)
    draft.identify(provider, field("model"), field("id"))
    if (block := field("usage")) is not None:
        draft.usage = usage(block)
    if (tier := field("service_tier")) is not None:
        draft.service_tier = text(tier)


def usage(block: Any) -> Usage:
    """A usage block: chat names its fields otherwise than the Responses API."""
    field = getter(block)
    prompt, completion = field("prompt_tokens"), field("completion_tokens")
    inputs, outputs = field("prompt_tokens_details"), field("completion_tokens_details")
    prompt = tokens(field("input_tokens") if prompt is None else prompt)
    completion = tokens(field("output_tokens") if completion is None else completion)
    inputs = field("input_tokens_details") if inputs is None else inputs
    outputs = field("output_tokens_details") if outputs is None else outputs
    reasoning = tokens(get(outputs, "reasoning_tokens"))
    if reasoning and tokens(field("total_tokens")) == prompt + completion + reasoning:
        completion += reasoning
    cached = tokens(get(inputs, "cached_tokens"))
    return Usage(
        prompt,
        completion,
        cached or tokens(field("prompt_cache_hit_tokens")),  # DeepSeek's name for it
        tokens(get(inputs, "cache_write_tokens")),
        reasoning,
        _cost(field),
    )


def _cost(field: Callable[[str], Any]) -> float | None:
    """USD, as OpenRouter and LiteLLM (a number), Perplexity (a dict) or xAI (ticks) report it."""
    if (ticks := amount(field("cost_in_usd_ticks"))) is not None:
        return ticks / _TICKS_PER_USD
    cost = field("cost")
    return amount(get(cost, "total_cost")) if isinstance(cost, dict) else amount(cost)
