"""What every application of the matrix does: it sets telemetry up, and works.

With what ``WITH`` names: otelkit, the plain SDK as its documentation has it, or nothing.
"""

from __future__ import annotations

import logging
import os
import uuid

from opentelemetry import _logs, metrics, trace

WITH = os.environ.get("WITH", "otelkit")

log = logging.getLogger("app")


def setup() -> None:
    """As an application would."""
    {"otelkit": _otelkit, "sdk": _sdk, "nothing": lambda: None}[WITH]()


def work(name: str) -> None:
    """One span, one log line and one count, all of this name."""
    with trace.get_tracer("app").start_as_current_span(name):
        log.info("%s", name)
        metrics.get_meter("app").create_counter("work_done").add(1)


def flush() -> None:
    """Has everything sent that waits."""
    if WITH == "otelkit":
        import otelkit

        otelkit.flush()
    for provider in _providers():
        provider.force_flush()


def shutdown() -> None:
    """Ends telemetry."""
    if WITH == "otelkit":
        import otelkit

        otelkit.shutdown()
    for provider in _providers():
        provider.shutdown()


def _providers() -> list:
    if WITH != "sdk":
        return []
    return [
        trace.get_tracer_provider(), metrics.get_meter_provider(), _logs.get_logger_provider()
    ]  # fmt: skip


def _otelkit() -> None:
    import otelkit

    otelkit.setup(service_name="matrix", log_format="off")


def _sdk() -> None:
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.logging.handler import LoggingHandler
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    if isinstance(trace.get_tracer_provider(), TracerProvider):
        return  # a forked child that sets up what it has inherited
    resource = Resource.create({"service.name": "matrix", "service.instance.id": str(uuid.uuid4())})
    tracers = TracerProvider(resource=resource)
    tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(tracers)
    reader = PeriodicExportingMetricReader(OTLPMetricExporter())
    metrics.set_meter_provider(MeterProvider([reader], resource=resource))
    loggers = LoggerProvider(resource=resource)
    loggers.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    _logs.set_logger_provider(loggers)
    log.addHandler(LoggingHandler(logger_provider=loggers))
    log.setLevel(logging.INFO)
