"""The overlay that pushes metrics to Prometheus 3."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.processes import python

from .destinations import PrometheusOtlp
from .programs import BASE, COLLECTOR, Collector, until

pytestmark = pytest.mark.stack

CODE = """
    import otelkit
    with otelkit.setup("shop"), otelkit.traced_agent("clerk"):
        otelkit.counter("orders").add(1)
"""


def test_metrics_of_applications_of_spans_and_of_the_machine_are_pushed(
    otelcol: str, tmp_path: Path
) -> None:
    files = (*BASE, COLLECTOR / "overlays" / "prometheus-otlp.yaml")
    soon = {
        "connectors": {"span_metrics": {"metrics_flush_interval": "1s"}},
        "receivers": {"host_metrics": {"collection_interval": "1s"}},
    }
    wanted = {
        "orders": {"shop"},
        "gen_ai.invoke_agent.duration": {"shop"},
        "traces.span.metrics.calls": {"shop"},
        "system.cpu.time": {"host"},
    }
    with PrometheusOtlp() as prometheus:
        env = {"PROMETHEUS_ENDPOINT": prometheus.url}
        with Collector(otelcol, tmp_path, files, soon, env) as collector:
            python(CODE, environ={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.http})
            until(lambda: set(wanted) <= set(prometheus.metrics), 60, "all kinds arrive")
            assert collector.own("otelcol_exporter_send_failed_metric_points") == 0

    assert {name: prometheus.metrics[name] for name in wanted} == wanted
