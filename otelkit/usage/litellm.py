"""LiteLLM: OpenAI's protocol for everyone, with the provider and the price in hidden fields.

Source: LiteLLM's documentation, "Response" and "Token Usage & Cost". The price of a stream comes
with the usage of its last chunk, that of a whole response as ``response_cost``.
"""

from __future__ import annotations

from typing import Any

from otelkit.usage import openai
from otelkit.usage._draft import Draft
from otelkit.usage._fields import amount
from otelkit.usage._providers import standard_name


def feed(draft: Draft, value: Any) -> None:
    """Read a response or a chunk into the draft."""
    openai.feed(draft, value)
    hidden = getattr(value, "_hidden_params", None)  # a private attribute of the model
    if not draft.known or not isinstance(hidden, dict):
        return
    draft.provider = standard_name(hidden.get("custom_llm_provider")) or draft.provider
    cost = amount(hidden.get("response_cost"))
    if cost is not None and draft.usage is not None:
        draft.usage = draft.usage._replace(cost=cost)
