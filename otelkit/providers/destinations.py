"""The destinations that ``OTEL_*_EXPORTER`` names: a queue each, with its exporter behind it."""

from __future__ import annotations

import functools
from urllib.parse import urlsplit

from otelkit.errors import MissingExtraError
from otelkit.export.console import ConsoleExporter
from otelkit.export.exporter import Exporter
from otelkit.export.otlp_http import OtlpHttpExporter
from otelkit.export.queue import Queue
from otelkit.export.trouble import Trouble
from otelkit.providers import metric_options
from otelkit.providers.processors import MetricQueue, PushReader
from otelkit.settings import SIGNALS, Settings
from otelkit.spool import Spool, files


def queues(settings: Settings) -> list[Queue]:
    """A queue for every signal and destination.

    Raises:
        MissingExtraError: gRPC is asked for and not installed.
    """
    troubles: dict[str, Trouble] = {}  # one for each receiver, whatever signals go there
    made = []
    for signal in SIGNALS:
        for name, exporter in exporters(settings, signal).items():
            receiver = urlsplit(exporter.endpoint)._replace(path="").geturl() or name
            trouble = troubles.setdefault(receiver, Trouble(receiver))
            made.append(_queue(settings, signal, name, exporter, trouble))
    return made


def trace_queue(settings: Settings, name: str, exporter: Exporter) -> Queue:
    """A queue for one more destination of traces."""
    address = urlsplit(exporter.endpoint)._replace(path="").geturl()
    return _queue(settings, "traces", name, exporter, Trouble(f"{name} ({address})"))


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
        from otelkit.export.otlp_grpc import OtlpGrpcExporter
    except ImportError:
        raise MissingExtraError("grpc", f"sending {signal} over gRPC") from None
    return OtlpGrpcExporter(signal, destination)


def _queue(
    settings: Settings, signal: str, name: str, exporter: Exporter, trouble: Trouble
) -> Queue:
    timeout = settings.otlp(signal).timeout
    spool = None
    if settings.spool_dir and exporter.spoolable and not files.obstacle(settings.spool_dir):
        spool = _spool(settings.spool_dir, settings.spool_max_mb * 1_000_000)
    if signal == "metrics":
        return MetricQueue(
            name,
            exporter,
            PushReader(metric_options.temporality(settings), metric_options.aggregation(settings)),
            interval=settings.metric_interval,
            timeout=timeout,
            cumulative=settings.temporality == "cumulative",
            trouble=trouble,
            spool=spool,
        )
    kind = "span" if signal == "traces" else "log"
    return Queue(
        signal,
        name,
        exporter,
        capacity=getattr(settings, f"{kind}_queue_size"),
        batch_size=getattr(settings, f"{kind}_batch_size"),
        delay=getattr(settings, f"{kind}_delay"),
        timeout=timeout,
        trouble=trouble,
        spool=spool,
    )


@functools.cache
def _spool(folder: str, limit: int) -> Spool:
    """One for a folder, whoever asks: it knows all that this process has put there."""
    return Spool(folder, limit)
