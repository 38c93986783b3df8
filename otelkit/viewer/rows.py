"""The columns of a record: what queries need of it without reading its body."""

from __future__ import annotations

import json
import math
from typing import Any

from otelkit.viewer.decode import Record

# Usage on spans of these operations is a sum over the LLM calls inside them.
_NOT_LLM = ("invoke_workflow", "invoke_agent", "create_agent", "execute_tool")


def span(record: Record) -> Record:
    """Gives the columns of a span."""
    attributes = record["attributes"]
    llm = attributes.get("gen_ai.operation.name") not in _NOT_LLM
    return {
        "trace_id": record["trace_id"],
        "span_id": record["span_id"],
        "parent_id": record["parent_id"],
        "name": record["name"],
        "service": record["service"],
        "start_ns": record["start_unix_nano"],
        "end_ns": record["end_unix_nano"],
        "failed": record["status"]["code"] == "ERROR",
        "input_tokens": _tokens(attributes.get("gen_ai.usage.input_tokens")) if llm else None,
        "output_tokens": _tokens(attributes.get("gen_ai.usage.output_tokens")) if llm else None,
        "cost": _cost(attributes.get("gen_ai.usage.cost.amount")) if llm else None,
    }


def log(record: Record) -> Record:
    """Gives the columns of a log record."""
    return {"trace_id": record["trace_id"], "time_ns": record["time_unix_nano"]}


def point(record: Record) -> Record:
    """Gives the columns of a metric point: the identity of its series."""
    instance = record["resource"].get("service.instance.id")
    identity = [record["service"], instance, record["scope"]["name"], record["name"]]
    series = [*identity, record["type"], record["attributes"]]
    return {"series": json.dumps(series, sort_keys=True)}


def _tokens(value: Any) -> int | None:
    # anybody may send any number: what is summed must stay within SQLite's integers
    return value if type(value) is int and 0 <= value < 2**40 else None


def _cost(value: Any) -> float | None:
    number = type(value) in (int, float) and math.isfinite(value) and value >= 0
    return float(value) if number else None
