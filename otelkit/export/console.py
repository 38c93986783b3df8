"""The destination ``console``: the SDK's console exporters behind a queue of ours."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import ConsoleLogRecordExporter
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter
from opentelemetry.sdk.trace.export import ConsoleSpanExporter

from otelkit.export.exporter import Answer, Batch, Exporter

_CONSOLE: dict[str, Any] = {
    "traces": ConsoleSpanExporter,
    "metrics": ConsoleMetricExporter,
    "logs": ConsoleLogRecordExporter,
}


class ConsoleExporter(Exporter):
    """Prints items as the SDK's console exporters do.

    Args:
        signal: ``traces``, ``metrics`` or ``logs``.
    """

    endpoint = "stdout"

    def __init__(self, signal: str) -> None:
        self._signal = signal
        self._print = _CONSOLE[signal](out=sys.stdout)

    def prepare(self, items: Sequence[Any]) -> tuple[list[Batch], int]:
        """One batch of all ``items``; of metrics, counted in data points."""
        if self._signal == "logs":
            items = [_readable(record) for record in items]
        if self._signal != "metrics":
            return [Batch(len(items), items)], 0
        points = sum(
            len(metric.data.data_points)
            for data in items
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        )
        return [Batch(points, items[0])], 0

    def send(self, batch: Batch, timeout: float) -> Answer:  # noqa: ARG002
        """Prints the batch."""
        try:
            self._print.export(batch.payload)
        except Exception as error:
            return Answer("failed", f"{type(error).__name__}: {error}")
        return Answer("sent")


def _readable(record: Any) -> ReadableLogRecord:
    return ReadableLogRecord(
        record.log_record, record.resource, record.instrumentation_scope, record.limits
    )
