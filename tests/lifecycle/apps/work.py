"""What every application of the matrix does: it sets telemetry up, and works."""

from __future__ import annotations

import logging
import os

from opentelemetry import metrics, trace

log = logging.getLogger("app")


def setup() -> None:
    """As an application would, with what ``WITH`` names: otelkit, the plain SDK, or nothing."""
    {"otelkit": _otelkit, "sdk": _sdk, "nothing": _nothing}[os.environ.get("WITH", "otelkit")]()


def work(name: str) -> None:
    """One span, one log line and one count, all of this name."""
    with trace.get_tracer("app").start_as_current_span(name):
        log.info("%s", name)
        metrics.get_meter("app").create_counter("work_done").add(1)


def _otelkit() -> None:
    import otelkit

    otelkit.setup(service_name="matrix", log_format="off")


def _nothing() -> None:
    pass


def _sdk() -> None:
    """What the SDK's own automatic configuration does."""
    if hasattr(trace.get_tracer_provider(), "add_span_processor"):
        return  # a forked child that sets up what it has inherited
    from opentelemetry.sdk._configuration import _OTelSDKConfigurator

    os.environ["OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED"] = "true"
    for signal in ("TRACES", "METRICS", "LOGS"):
        os.environ[f"OTEL_{signal}_EXPORTER"] = "otlp"
    os.environ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf"
    _OTelSDKConfigurator().configure()
    logging.getLogger().setLevel(logging.INFO)
