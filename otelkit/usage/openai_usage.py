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


def identify(draft: Draft, field: Callable[[str], Any], provider: str) -> None:
    """Read what a response, or the chunk of one, says about the call; ``field`` gets its fields."""
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
    reasoning = 0 if outputs is None else tokens(get(outputs, "reasoning_tokens"))
    if reasoning and tokens(field("total_tokens")) == prompt + completion + reasoning:
        completion += reasoning
    cached = written = 0
    if inputs is not None:
        cached = tokens(get(inputs, "cached_tokens"))
        written = tokens(get(inputs, "cache_write_tokens"))
    if not cached and (hit := field("prompt_cache_hit_tokens")) is not None:  # DeepSeek's name
        cached = tokens(hit)
    ticks, cost = field("cost_in_usd_ticks"), field("cost")
    reported = None if ticks is None and cost is None else _reported(ticks, cost)
    return Usage(prompt, completion, cached, written, reasoning, reported)


def _reported(ticks: Any, cost: Any) -> float | None:
    """USD, as OpenRouter and LiteLLM (a number), Perplexity (a dict) or xAI (ticks) report it."""
    if (ticks := amount(ticks)) is not None:
        return float(ticks / _TICKS_PER_USD)
    return amount(get(cost, "total_cost") if isinstance(cost, dict) else cost)
