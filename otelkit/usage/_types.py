"""What one LLM response says about itself, in the same words for every provider."""

from __future__ import annotations

from typing import NamedTuple


class Usage(NamedTuple):
    """Tokens of one LLM call. The totals are inclusive; the details are parts of the totals.

    Attributes:
        input_tokens: All tokens that went in, cached ones included.
        output_tokens: All tokens that came out, reasoning included.
        cache_read_tokens: The part of the input that was read from the provider's cache.
        cache_write_tokens: The part of the input that was written to the provider's cache.
        reasoning_tokens: The part of the output that was reasoning (thinking).
        cost: USD, only where the provider itself reports it; never computed here.
        cache_write_1h_tokens: The part of ``cache_write_tokens`` that is kept for an hour, which
            Anthropic prices higher than the usual five minutes.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cost: float | None = None
    cache_write_1h_tokens: int = 0


class Reply(NamedTuple):
    """What one response (or what has arrived of a stream) says about itself.

    Attributes:
        usage: Tokens and reported cost; None when the response carries none.
        model: The model that answered, which may be a dated version of the one asked for.
        id: The provider's id of the response.
        finish_reasons: One for each choice: ``stop``, ``length``, ``tool_call`` (OpenAI's own
            word is ``tool_calls``), ``content_filter``, ``error``, or else the provider's word in
            lower case.
        provider: ``gen_ai.provider.name`` of the API the response belongs to. A server that speaks
            another one's protocol looks like that one here.
        service_tier: What the response says of how it was processed and is billed, such as
            ``"default"``, ``"flex"``, ``"priority"``, ``"fast"`` or ``"batch"``.
    """

    usage: Usage | None = None
    model: str | None = None
    id: str | None = None
    finish_reasons: tuple[str, ...] = ()
    provider: str | None = None
    service_tier: str | None = None
