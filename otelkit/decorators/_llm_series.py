"""The series that LLM calls are measured in."""

from __future__ import annotations

from typing import NamedTuple

from opentelemetry.context import Context
from opentelemetry.util.types import AttributeValue

from otelkit import instruments
from otelkit.decorators._state import note_failure
from otelkit.usage import Usage


class Series(NamedTuple):
    """Attribute sets of one kind of call: closed lists, ids never."""

    call: dict[str, AttributeValue]
    input: dict[str, AttributeValue]
    output: dict[str, AttributeValue]
    totals: instruments.Key


def record(
    to: instruments.Instruments,
    series: Series,
    seconds: float,
    first_chunk: float | None,
    used: Usage | None,
    usd: float | None,
    context: Context,
) -> None:
    """Measure one call that has ended. Called later, so it takes no call, which would live on."""
    try:
        to.operation_duration.record(seconds, series.call, context)
        if first_chunk is not None:
            to.time_to_first_chunk.record(first_chunk, series.call, context)
        if used is not None:
            to.token_usage.record(used.input_tokens, series.input, context)
            to.token_usage.record(used.output_tokens, series.output, context)
            instruments.count_llm(series.totals, used, usd)
    except Exception:
        note_failure()
