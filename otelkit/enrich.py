"""What spans of other libraries get: bound values at their start; usage and cost at their end.

An ended span of the SDK cannot be changed, so an enriched one is a copy, which goes to otelkit's
own destinations; the processors of others see the span as it was.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span
from opentelemetry.util.types import AttributeValue

from otelkit import instruments, pricing, semconv
from otelkit.context import Scope, bound, scope
from otelkit.decorators._llm_reply import Counted, beyond
from otelkit.decorators._state import note_failure
from otelkit.usage import Reply, Usage

_OWN = "otelkit"
_OPERATIONS = ("chat", "text_completion", "generate_content", "embeddings")
_OPEN_AT_MOST = 4096  # spans somebody forgets to end must not add up


class _Names(NamedTuple):
    """Where spans keep what they say of an LLM call; the first name that is set counts."""

    input: tuple[str, ...]
    output: tuple[str, ...]
    cache_read: tuple[str, ...]
    cache_write: tuple[str, ...]
    reasoning: tuple[str, ...]
    provider: tuple[str, ...]
    request_model: tuple[str, ...]
    response_model: tuple[str, ...]


# The GenAI conventions (today's and those of 2024, which OpenLLMetry still writes), OpenInference.
_NAMES = _Names(
    input=(semconv.USAGE_INPUT_TOKENS, "gen_ai.usage.prompt_tokens", "llm.token_count.prompt"),
    output=(
        semconv.USAGE_OUTPUT_TOKENS,
        "gen_ai.usage.completion_tokens",
        "llm.token_count.completion",
    ),
    cache_read=(
        semconv.USAGE_CACHE_READ_TOKENS,
        "gen_ai.usage.cache_read_input_tokens",
        "llm.token_count.prompt_details.cache_read",
    ),
    cache_write=(
        semconv.USAGE_CACHE_WRITE_TOKENS,
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "llm.token_count.prompt_details.cache_write",
    ),
    reasoning=(
        semconv.USAGE_REASONING_TOKENS,
        "gen_ai.usage.reasoning_tokens",
        "llm.token_count.completion_details.reasoning",
    ),
    provider=(semconv.PROVIDER_NAME, "gen_ai.system", "llm.provider", "llm.system"),
    request_model=(semconv.REQUEST_MODEL, "llm.model_name"),
    response_model=(semconv.RESPONSE_MODEL, "llm.model_name"),
)

_TIERS = ("openai.response.service_tier", "gen_ai.openai.response.service_tier")

_USAGE_PREFIXES = ("gen_ai.usage.", "llm.usage.", "llm.token_count.", "llm.cost.")

# Every open span by its id: itself, whose it is, and what LLM spans inside it have counted.
_Open = tuple[ReadableSpan, Scope, list[Counted]]
_open: dict[int, _Open] = {}

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_open.clear)


def start(span: Span, parent_context: Context | None) -> None:
    """Write the bound values on ``span``, and remember whose agent and workflow it belongs to."""
    try:
        _start(span, parent_context)
    except Exception:
        note_failure()


def finish(span: ReadableSpan) -> ReadableSpan:
    """``span``, or a copy with usage under the standard names and its cost.

    The tokens and cost of LLM spans made by other libraries are added to the metrics here; what a
    decorator made is measured there.
    """
    try:
        return _finish(span)
    except Exception:
        note_failure()
        return span


def _start(span: Span, parent_context: Context | None) -> None:
    context = otel_context.get_current() if parent_context is None else parent_context
    values = bound(context)
    if values:
        span.set_attributes(values)
    _open[span.get_span_context().span_id] = (span, scope(context), [])
    if len(_open) > _OPEN_AT_MOST:
        # Another thread may open a span just now. A lock would be taken twice by a finalizer that
        # starts a span, if the collector runs in here.
        with suppress(RuntimeError):
            while len(_open) > _OPEN_AT_MOST:
                _open.pop(next(iter(_open), 0), None)


def _finish(span: ReadableSpan) -> ReadableSpan:
    opened = _open.pop(span.context.span_id, None) if span.context else None
    attributes = span.attributes or {}
    if not _is_llm_call(attributes):
        return span
    used = _usage(attributes)
    if used is None:
        return span
    around, inside = opened[1:] if opened else (Scope(), [])
    reply = Reply(used, id=_text(attributes.get(semconv.RESPONSE_ID)))
    if _is_own(span):
        _count_inside(span, (reply.id, used))
        return span
    left = beyond(reply, inside) if inside else used
    more: dict[str, AttributeValue] = {}
    if left is not None:
        _count_inside(span, (reply.id, left))
        if around.llm is not None:
            around.llm.count_inside((reply.id, left))
        more = _count(attributes, left, around)
    if left is not used:  # the rest is on spans inside, and counted there
        attributes = {k: v for k, v in attributes.items() if not k.startswith(_USAGE_PREFIXES)}
    return _copy(span, {**attributes, **more})


def _count_inside(span: ReadableSpan, counted: Counted) -> None:
    """Note what ``span`` has counted on the LLM spans of other libraries that it is inside of."""
    parent = span.parent
    while parent is not None and (opened := _open.get(parent.span_id)):
        above, _, inside = opened
        if not _is_own(above) and _is_llm_call(above.attributes or {}):
            inside.append(counted)
        parent = above.parent


def _is_own(span: ReadableSpan) -> bool:
    return span.instrumentation_scope is not None and span.instrumentation_scope.name == _OWN


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _is_llm_call(attributes: Mapping[str, Any]) -> bool:
    return (
        attributes.get(semconv.OPERATION_NAME) in _OPERATIONS
        or attributes.get("openinference.span.kind") in ("LLM", "EMBEDDING")
        or "llm.request.type" in attributes  # OpenLLMetry
    )


def _first(attributes: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((attributes[name] for name in names if attributes.get(name) is not None), None)


def _usage(attributes: Mapping[str, Any]) -> Usage | None:
    counts = [
        _first(attributes, names)
        for names in (
            _NAMES.input,
            _NAMES.output,
            _NAMES.cache_read,
            _NAMES.cache_write,
            _NAMES.reasoning,
        )
    ]
    if counts[0] is None and counts[1] is None:
        return None
    return Usage(*(count if isinstance(count, int) else 0 for count in counts))


def _count(attributes: Mapping[str, Any], used: Usage, around: Scope) -> dict[str, AttributeValue]:
    """Add to the metrics; the attributes that the span lacks."""
    provider = _first(attributes, _NAMES.provider)
    requested = _first(attributes, _NAMES.request_model)
    responded = _first(attributes, _NAMES.response_model)
    found = pricing.cost(
        provider,
        responded,
        used,
        fallback_model=requested,
        service_tier=_first(attributes, _TIERS),
    )
    key = instruments.llm_key(provider, requested or responded, around.agent, around.workflow)
    instruments.count_llm(key, used, found.amount if found else None)
    more: dict[str, AttributeValue | None] = {
        semconv.PROVIDER_NAME: provider,
        semconv.REQUEST_MODEL: requested,
        semconv.USAGE_INPUT_TOKENS: used.input_tokens,
        semconv.USAGE_OUTPUT_TOKENS: used.output_tokens,
        semconv.USAGE_CACHE_READ_TOKENS: used.cache_read_tokens or None,
        semconv.USAGE_CACHE_WRITE_TOKENS: used.cache_write_tokens or None,
        semconv.USAGE_REASONING_TOKENS: used.reasoning_tokens or None,
    }
    if found is not None and semconv.USAGE_COST_AMOUNT not in attributes:
        more[semconv.USAGE_COST_AMOUNT] = found.amount
        more[semconv.USAGE_COST_CURRENCY] = "USD"
        more[semconv.USAGE_COST_SOURCE] = found.source
    return {name: value for name, value in more.items() if value is not None}


def _copy(span: ReadableSpan, attributes: Mapping[str, AttributeValue]) -> ReadableSpan:
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=attributes,
        events=span.events,
        links=span.links,
        kind=span.kind,
        status=span.status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )
