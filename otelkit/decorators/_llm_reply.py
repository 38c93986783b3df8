"""What the responses of an LLM call say: put together, and as attributes of its span."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from opentelemetry.util.types import AttributeValue

from otelkit import semconv
from otelkit.pricing import Cost
from otelkit.usage import Reply, Usage
from otelkit.usage._fields import amount, tokens

_logger = logging.getLogger("otelkit")

Counted = tuple["str | None", Usage]  # the response's id, and what was counted of it

NOTHING = Reply()
_warned: set[str] = set()
_COUNTS = tuple(name for name in Usage._fields if name != "cost")


def stated(cost: Any = None, **counts: Any) -> Usage | None:
    """What the application itself says that was used; None where that is nothing.

    Where one count is wrong none is taken: the others alone would look cheaper than it was. Wrong
    numbers are warned of once.
    """
    given = {name: value for name, value in counts.items() if value is not None}
    wrong = [name for name, value in given.items() if amount(value) is None]
    usd = amount(cost)
    if wrong or (cost is not None and usd is None):
        _warn(wrong or ["cost"])
    known = {} if wrong else {name: tokens(value) for name, value in given.items()}
    return Usage(**known, cost=usd) if any(known.values()) or usd is not None else None


def _warn(wrong: list[str]) -> None:
    if "usage" not in _warned:
        _warned.add("usage")
        _logger.warning(
            "otelkit: record_usage(): %s must be a number from 0 on; what is not is left out,"
            " and all tokens with it where it is one of theirs",
            " and ".join(wrong),
        )


def tell_if_uncounted(replies: Iterable[Reply]) -> None:
    """Warn once of a stream that has come to its end, but has not said what was used."""
    ended = [reply for reply in replies if reply.finish_reasons]
    if ended and not any(reply.usage for reply in ended) and "stream" not in _warned:
        _warned.add("stream")
        _logger.warning(
            "otelkit: a stream of %.100r said nothing of tokens: such calls have neither tokens nor"
            ' cost. OpenAI\'s API tells them with stream_options={"include_usage": True}',
            ended[-1].model,
        )


def merged(first: Reply, second: Reply) -> Reply:
    """``first``, with what it leaves open taken from ``second``."""
    return Reply(
        usage=first.usage or second.usage,
        model=first.model or second.model,
        id=first.id or second.id,
        finish_reasons=first.finish_reasons or second.finish_reasons,
        provider=first.provider or second.provider,
        service_tier=first.service_tier or second.service_tier,
    )


def by_id(replies: Iterable[Reply]) -> dict[str | None, Reply]:
    """Replies by the ids of their responses, the latest last: a response counts once.

    Those without an id are taken for different ones, and add up under None.
    """
    found: dict[str | None, Reply] = {}
    for reply in replies:
        known = found.pop(reply.id, None)
        if known is None:
            found[reply.id] = reply
        elif reply.id is None:
            found[None] = added(known, reply)
        else:
            found[reply.id] = merged(reply, known)
    return found


def added(known: Reply, reply: Reply) -> Reply:
    """Both replies' usage together under the later one's name."""
    return merged(reply, known)._replace(usage=_sum(known.usage, reply.usage))


def with_result(replies: list[Reply], result: Reply) -> list[Reply]:
    """Recorded replies and that of what the function itself returned or yielded.

    It may be one of the recorded: where ids cannot tell, it is, and its tokens count once.
    """
    counted = [reply.id for reply in replies if _has_tokens(reply.usage)]
    if counted and (result.id is None or (None in counted and result.id not in counted)):
        result = result._replace(usage=None)
    return [*replies, result]


def _has_tokens(used: Usage | None) -> bool:
    return used is not None and any(getattr(used, name) for name in _COUNTS)


def _sum(first: Usage | None, second: Usage | None) -> Usage | None:
    if first is None or second is None:
        return first or second
    counts = {name: getattr(first, name) + getattr(second, name) for name in _COUNTS}
    costs = [one.cost for one in (first, second) if one.cost is not None]
    return Usage(**counts, cost=sum(costs) if costs else None)


def beyond(reply: Reply, inside: Iterable[Counted]) -> Usage | None:
    """What of a reply's usage the LLM spans inside its call have not counted already."""
    return uncounted({reply.id: reply}, inside).get(reply.id, NOTHING).usage


def uncounted(
    replies: Mapping[str | None, Reply], inside: Iterable[Counted]
) -> dict[str | None, Reply]:
    """The replies with only the usage that the LLM spans inside their call have not counted.

    Several libraries may trace one request, each with a span. Ids of responses tell whether it is
    the same one; where one of the two has none, it is taken for the same.
    """
    left = dict(replies)
    others = []
    for counted_id, counted in inside:
        if counted_id is not None and counted_id in left:
            left[counted_id] = left[counted_id]._replace(usage=None)
        else:
            others.append((counted_id, counted))
    for counted_id, counted in others:
        to_take = counted
        for reply in list(left.values()):
            if reply.usage is not None and (reply.id is None or counted_id is None):
                rest, to_take = _minus(reply.usage, to_take), _minus(to_take, reply.usage)
                left[reply.id] = reply._replace(usage=rest if _has_tokens(rest) else None)
    if any(_has_tokens(reply.usage) for reply in left.values()):
        return left
    return {id: reply._replace(usage=None) for id, reply in left.items()}


def _minus(first: Usage, second: Usage) -> Usage:
    return Usage(**{name: max(0, getattr(first, name) - getattr(second, name)) for name in _COUNTS})


def attributes(reply: Reply, cost: Cost | None) -> dict[str, AttributeValue]:
    """What is written on the span of a call; what is not known is left out."""
    found: dict[str, Any] = {}
    if reply.model is not None:
        found[semconv.RESPONSE_MODEL] = reply.model
    if reply.id is not None:
        found[semconv.RESPONSE_ID] = reply.id
    if reply.finish_reasons:
        found[semconv.RESPONSE_FINISH_REASONS] = reply.finish_reasons
    used = reply.usage
    if used is not None:
        found[semconv.USAGE_INPUT_TOKENS] = used.input_tokens
        found[semconv.USAGE_OUTPUT_TOKENS] = used.output_tokens
        if used.cache_read_tokens:
            found[semconv.USAGE_CACHE_READ_TOKENS] = used.cache_read_tokens
        if used.cache_write_tokens:
            found[semconv.USAGE_CACHE_WRITE_TOKENS] = used.cache_write_tokens
        if used.reasoning_tokens:
            found[semconv.USAGE_REASONING_TOKENS] = used.reasoning_tokens
    if cost is not None:
        found[semconv.USAGE_COST_AMOUNT] = cost.amount
        found[semconv.USAGE_COST_CURRENCY] = "USD"
        found[semconv.USAGE_COST_SOURCE] = cost.source
    return found
