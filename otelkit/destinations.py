"""The destinations that ``OTEL_*_EXPORTER`` names: an exporter each, ready for a queue."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from opentelemetry.sdk._logs.export import ConsoleLogRecordExporter
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter
from opentelemetry.sdk.trace.export import ConsoleSpanExporter

from otelkit.errors import MissingExtraError
from otelkit.export import Answer, Batch, Exporter
from otelkit.otlp_http import OtlpHttpExporter
from otelkit.settings import Settings

_CONSOLE: dict[str, Any] = {
    "traces": ConsoleSpanExporter,
    "metrics": ConsoleMetricExporter,
    "logs": ConsoleLogRecordExporter,
}


def exporters(settings: Settings, signal: str) -> dict[str, Exporter]:
    """The exporters of ``signal`` by name.

    Raises:
        MissingExtraError: gRPC is asked for and not installed.
    """
    made: dict[str, Exporter] = {}
    for name in getattr(settings, f"{signal}_exporter"):
        if name == "otlp":
            made[name] = _otlp(settings, signal)
        elif name == "console":
            made[name] = ConsoleExporter(signal)
    return made


def _otlp(settings: Settings, signal: str) -> Exporter:
    destination = settings.otlp(signal)
    if destination.protocol != "grpc":
        return OtlpHttpExporter(signal, destination)
    try:
        from otelkit.otlp_grpc import OtlpGrpcExporter
    except ImportError:
        raise MissingExtraError("grpc", f"sending {signal} over gRPC") from None
    return OtlpGrpcExporter(signal, destination)


class ConsoleExporter:
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

    def halve(self, batch: Batch) -> list[Batch]:  # noqa: ARG002
        """Nothing is too large for a console."""
        return []

    def reset(self) -> None:
        """There is no connection."""

    def speak_as(self, resource: Any) -> None:
        """Items are printed as they are."""
