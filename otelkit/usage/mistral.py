"""Mistral's chat completions and embeddings: OpenAI's protocol, streamed in an envelope.

Source: the API reference of Mistral, "Chat Completion". Its client wraps each chunk of a stream
into an event whose ``data`` it is; usage names the service tier.
"""

from __future__ import annotations

from typing import Any

from otelkit.usage import openai
from otelkit.usage._draft import Draft
from otelkit.usage._fields import get, text

PROVIDER = "mistral_ai"


def feed(draft: Draft, value: Any) -> None:
    """Read a response or an event into the draft."""
    if type(value).__name__ == "CompletionEvent":
        value = get(value, "data")
    openai.feed(draft, value, PROVIDER)
    tier = text(get(get(value, "usage"), "service_tier"))
    draft.service_tier = tier or draft.service_tier
