"""Sharing one span with the official GenAI instrumentations.

A client instrumented by ``opentelemetry-instrumentation-genai-*`` makes an LLM span of its own.
When the context holds an ``InferenceData`` under the key of ``opentelemetry-util-genai``, it makes
none and no metrics, and fills that object instead: one call, one span, its tokens counted once.
"""

from __future__ import annotations

import functools
import sys
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry.context import Context

from otelkit.usage import Reply, Usage

_KEY = "opentelemetry.genai.client.inference.context"
_MODULE = "opentelemetry.util.genai.invocation"
_ADDED_UP = (
    "usage_input_tokens",
    "usage_output_tokens",
    "usage_cache_read_input_tokens",
    "usage_cache_write_input_tokens",
    "usage_reasoning_output_tokens",
)


def share(context: Context) -> tuple[Context, Any]:
    """A context in which an instrumented client fills the returned object; None without one."""
    # Not imported for this: where nobody loaded it, no client is instrumented with it.
    module = sys.modules.get(_MODULE)
    if module is None:
        return context, None
    data = _shared_data(module.InferenceData)()
    return otel_context.set_value(_KEY, data, context), data


def reply(data: Any) -> Reply | None:
    """What the instrumented client learnt from the provider's responses; None if nothing."""
    if data is None or (data.usage_input_tokens is None and data.usage_output_tokens is None):
        return None
    counts = [getattr(data, name) or 0 for name in _ADDED_UP]
    return Reply(
        usage=Usage(*counts),
        model=data.response_model,
        id=data.response_id,
        finish_reasons=tuple(data.response_finish_reasons or ()),
        provider=data.provider_name,
    )


def time_to_first_chunk(data: Any) -> float | None:
    """Seconds, if the instrumented client saw a stream."""
    seconds = getattr(data, "response_time_to_first_chunk", None)
    return seconds if isinstance(seconds, float) else None


@functools.cache
def _shared_data(base: Any) -> Any:
    """``InferenceData`` that adds up the tokens of several calls; its own keeps only the last."""

    class SharedData(base):  # type: ignore[misc]
        def merge(self, other: Any, *, overwrite: bool = True) -> None:
            before = {name: getattr(self, name) for name in _ADDED_UP}
            super().merge(other, overwrite=overwrite)
            for name, earlier in before.items():
                later = getattr(other, name)
                if overwrite and earlier is not None and later is not None:
                    setattr(self, name, earlier + later)

    return SharedData
