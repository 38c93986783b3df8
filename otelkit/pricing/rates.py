"""Prices as numbers to multiply by."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from otelkit.usage import Usage


class Rates(NamedTuple):
    """USD per token of each kind, and per request."""

    input: float
    output: float
    cache_read: float
    cache_write: float
    cache_write_1h: float
    reasoning: float
    request: float = 0.0


# Rates by size of the input, the highest threshold first: those of the first threshold that the
# input exceeds hold for all tokens of the call. The last threshold is -1.
Bands = tuple[tuple[int, Rates], ...]


def in_band(bands: Bands, input_tokens: int) -> Rates:
    """The rates for an input of this size."""
    for start, rates in bands:
        if input_tokens > start:
            return rates
    return bands[-1][1]


def usd(rates: Rates, usage: Usage) -> tuple[float, float]:
    """What the input and the output of a call cost. Details count once: they are in the totals."""
    read, written, hour = usage.cache_read_tokens, usage.cache_write_tokens, 0
    if not (read or written or usage.reasoning_tokens):
        return usage.input_tokens * rates.input, usage.output_tokens * rates.output
    if usage.cache_write_1h_tokens:
        hour = min(usage.cache_write_1h_tokens, written)
    plain = usage.input_tokens - read - written
    spoken = usage.output_tokens - usage.reasoning_tokens
    # Details beyond their total are a provider's mistake; they must not make the rest negative.
    input_cost = (
        max(plain, 0) * rates.input
        + read * rates.cache_read
        + (written - hour) * rates.cache_write
        + hour * rates.cache_write_1h
    )
    return input_cost, max(spoken, 0) * rates.output + usage.reasoning_tokens * rates.reasoning
