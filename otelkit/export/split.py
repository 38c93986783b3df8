"""An OTLP request cut in two, on the encoded level: for receivers that refuse it as too large."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message

# The lists of a request, from the outermost to the items.
LEAVES = {
    "traces": ("resource_spans", "scope_spans", "spans"),
    "metrics": ("resource_metrics", "scope_metrics", "metrics"),
    "logs": ("resource_logs", "scope_logs", "log_records"),
}


def count(message: Message, signal: str) -> int:
    """The items of a request; of metrics, their data points."""
    return sum(
        len(_points(leaf)) if signal == "metrics" else 1 for leaf in _leaves(message, signal)
    )


def halve(message: Message, signal: str) -> list[Message]:
    """Two requests with half of the items each; nothing when there is a single item."""
    total = len(_leaves(message, signal))
    if total > 1:
        middle = total // 2
        return [_part(message, signal, 0, middle), _part(message, signal, middle, total)]
    if signal == "metrics" and count(message, signal) > 1:
        return _halved_metric(message)
    return []


def _leaves(message: Message, signal: str) -> list[Any]:
    outer, middle, inner = LEAVES[signal]
    return [
        leaf
        for group in getattr(message, outer)
        for scope in getattr(group, middle)
        for leaf in getattr(scope, inner)
    ]


def _part(message: Message, signal: str, start: int, stop: int) -> Message:
    """The items from ``start`` to ``stop`` under copies of their resources and scopes."""
    outer, middle, inner = LEAVES[signal]
    part = type(message)()
    position = 0
    for group in getattr(message, outer):
        copied_group = None
        for scope in getattr(group, middle):
            leaves = getattr(scope, inner)
            chosen = leaves[max(0, start - position) : max(0, stop - position)]
            position += len(leaves)
            if not chosen:
                continue
            if copied_group is None:
                copied_group = getattr(part, outer).add(
                    resource=group.resource, schema_url=group.schema_url
                )
            copied_scope = getattr(copied_group, middle).add(
                scope=scope.scope, schema_url=scope.schema_url
            )
            getattr(copied_scope, inner).extend(chosen)
    return part


def _points(metric: Any) -> Any:
    kind = metric.WhichOneof("data")
    return getattr(metric, kind).data_points if kind else ()


def _halved_metric(message: Message) -> list[Message]:
    """A request with a single metric, its data points shared between two."""
    parts = []
    for second in (False, True):
        part = type(message)()
        part.CopyFrom(message)
        points = _points(_leaves(part, "metrics")[0])
        middle = len(points) // 2
        del points[slice(0, middle) if second else slice(middle, None)]
        parts.append(part)
    return parts
