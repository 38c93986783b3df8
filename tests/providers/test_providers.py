"""Providers: made out of Settings, or joined where somebody else made them."""

from __future__ import annotations

import json

import pytest

from tests.lifecycle.peers import Receiver
from tests.processes import python

START = """
import json, logging, otelkit
from opentelemetry import metrics, trace
telemetry = otelkit.setup("api", instrument="none", log_format="off")
"""


def environ(receiver: Receiver, **more: str) -> dict[str, str]:
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, **more}


def test_all_three_signals_arrive_with_one_resource() -> None:
    with Receiver() as receiver:
        python(
            START
            + """
with trace.get_tracer("t").start_as_current_span("span"):
    logging.getLogger("app").warning("record")
metrics.get_meter("m").create_counter("counter").add(2)
""",
            environ=environ(
                receiver,
                OTEL_RESOURCE_ATTRIBUTES="service.version=1.2,team=blue",
                OTELKIT_ENVIRONMENT="staging",
            ),
        )
        assert receiver.spans() == {"span": 1}
        assert receiver.logs()["record"] == 1
        assert list(receiver.totals("counter").values()) == [2]
        (said,) = receiver.resources("traces")
        assert receiver.resources("logs") == [said]
        assert receiver.resources("metrics") == [said]
        assert said["service.name"] == "api"
        assert said["service.version"] == "1.2"
        assert said["team"] == "blue"
        assert said["deployment.environment.name"] == "staging"
        assert said["telemetry.distro.name"] == "otelkit"
        assert {"service.instance.id", "process.pid", "host.name", "os.type"} <= set(said)


def test_a_provider_that_somebody_else_installed_is_joined() -> None:
    with Receiver() as receiver:
        done = python(
            """
from opentelemetry import trace, metrics, _logs
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.resources import Resource
resource = Resource({"service.name": "theirs"})
theirs = InMemorySpanExporter()
provider = TracerProvider(resource=resource)
provider.add_span_processor(SimpleSpanProcessor(theirs))
trace.set_tracer_provider(provider)
metrics.set_meter_provider(MeterProvider(resource=resource))
_logs.set_logger_provider(LoggerProvider(resource=resource))
"""
            + START
            + """
with trace.get_tracer("t").start_as_current_span("span"):
    logging.getLogger("app").warning("record")
metrics.get_meter("m").create_counter("counter").add(2)
telemetry.shutdown()
otelkit.setup("again", instrument="none", log_format="off")
with trace.get_tracer("t").start_as_current_span("second"):
    pass
assert trace.get_tracer_provider() is provider
status = otelkit.status()
print(json.dumps([len(theirs.get_finished_spans()),
    {signal: status[signal]["state"] for signal in ("traces", "metrics", "logs")}]))
""",
            environ=environ(receiver),
        )
        assert json.loads(done.stdout) == [
            2, {"traces": "joined", "metrics": "joined", "logs": "joined"}
        ]  # fmt: skip
        assert receiver.spans() == {"span": 1, "second": 1}
        assert receiver.logs()["record"] == 1
        assert receiver.totals("counter")
        assert {said["service.name"] for said in receiver.resources("traces")} == {"theirs"}


def test_a_provider_that_takes_no_processors_is_left_alone() -> None:
    done = python(
        """
from opentelemetry import trace
trace.set_tracer_provider(trace.NoOpTracerProvider())
"""
        + START
        + 'print(telemetry.status()["traces"]["state"])',
        environ={"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"},
    )
    assert done.stdout.strip() == "off"


def test_exporter_none_still_makes_the_provider() -> None:
    done = python(
        START
        + """
with trace.get_tracer("t").start_as_current_span("span") as span:
    assert span.is_recording()
print(json.dumps(telemetry.status()["traces"]))
""",
        environ={
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
        },
    )
    assert json.loads(done.stdout) == {"state": "created", "destinations": {}}


def test_a_test_run_sends_nothing_unless_told_to() -> None:
    done = python(
        START + 'print([telemetry.status()[s]["destinations"] for s in ("traces", "logs")])',
        environ={"PYTEST_VERSION": "8"},
    )
    assert done.stdout.strip() == "[{}, {}]"


def test_console_and_otlp_are_destinations_side_by_side() -> None:
    with Receiver() as receiver:
        done = python(
            START
            + """
with trace.get_tracer("t").start_as_current_span("span"):
    logging.getLogger("app").warning("record")
metrics.get_meter("m").create_counter("counter").add(2)
assert telemetry.flush()
counts = telemetry.shutdown().counts
assert counts["traces"]["console"].sent == counts["traces"]["otlp"].sent == 1
assert counts["metrics"]["console"].sent > 0
""",
            environ=environ(
                receiver,
                OTEL_TRACES_EXPORTER="otlp,console",
                OTEL_METRICS_EXPORTER="console",
                OTEL_LOGS_EXPORTER="console",
            ),
        )
        assert '"name": "span"' in done.stdout
        assert '"body": "record"' in done.stdout
        assert '"counter"' in done.stdout
        assert receiver.spans() == {"span": 1}
        assert receiver.totals("counter") == {}


@pytest.mark.parametrize(
    ("preference", "expected"), [("cumulative", [3.0, 2]), ("delta", [1.0, 1])]
)
def test_metrics_are_totals_or_changes_as_preferred(preference: str, expected: list[float]) -> None:
    with Receiver() as receiver:
        python(
            START
            + """
counter = metrics.get_meter("m").create_counter("counter")
counter.add(2)
assert telemetry.flush()
counter.add(1)
assert telemetry.flush()
""",
            environ=environ(receiver, OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=preference),
        )
        found = [
            metric.sum
            for signal, request in receiver.requests
            if signal == "metrics"
            for group in request.resource_metrics
            for scope in group.scope_metrics
            for metric in scope.metrics
            if metric.name == "counter" and metric.sum.data_points
        ]
        assert [found[1].data_points[0].as_int, found[1].aggregation_temporality] == expected


def test_measurements_in_a_trace_carry_its_id() -> None:
    with Receiver() as receiver:
        done = python(
            START
            + """
with trace.get_tracer("t").start_as_current_span("span") as span:
    metrics.get_meter("m").create_histogram("h").record(1.5)
print(format(span.get_span_context().trace_id, "032x"))
""",
            environ=environ(receiver),
        )
        exemplars = [
            exemplar.trace_id.hex()
            for _, leaf in receiver._leaves(
                "metrics", "resource_metrics", "scope_metrics", "metrics"
            )
            if leaf.name == "h"
            for point in leaf.histogram.data_points
            for exemplar in point.exemplars
        ]
        assert exemplars == [done.stdout.strip()]


def test_limits_and_sampler_are_those_of_the_settings() -> None:
    with Receiver() as receiver:
        python(
            START
            + """
tracer = trace.get_tracer("t")
with tracer.start_as_current_span("span", attributes={"text": "x" * 100, "more": 1, "even": 2}):
    pass
""",
            environ=environ(
                receiver,
                OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT="10",
                OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT="2",
            ),
        )
        python(
            START
            + """
with trace.get_tracer("t").start_as_current_span("not sampled"):
    pass
""",
            environ=environ(receiver, OTEL_TRACES_SAMPLER="always_off"),
        )
        ((_, span),) = receiver._leaves("traces", "resource_spans", "scope_spans", "spans")
        assert len(span.attributes) == 2
        assert max(len(pair.value.string_value) for pair in span.attributes) <= 10


def test_the_providers_own_flush_sends_everything() -> None:
    with Receiver() as receiver:
        python(
            START
            + """
from opentelemetry import _logs
with trace.get_tracer("t").start_as_current_span("span"):
    logging.getLogger("app").warning("record")
metrics.get_meter("m").create_counter("counter").add(2)
assert trace.get_tracer_provider().force_flush(5000)
assert metrics.get_meter_provider().force_flush(5000)
assert _logs.get_logger_provider().force_flush(5000)
counts = {q.signal: q.counts() for q in telemetry._providers.queues}
assert all(c.delivered and c.sent for c in counts.values()), counts
""",
            environ=environ(receiver),
        )


def test_grpc_carries_all_three_signals() -> None:
    from tests.lifecycle.peers import GrpcReceiver

    with GrpcReceiver() as receiver:
        python(
            START
            + """
with trace.get_tracer("t").start_as_current_span("span"):
    logging.getLogger("app").warning("record")
metrics.get_meter("m").create_counter("counter").add(2)
""",
            environ={
                "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
                "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
            },
        )
        assert receiver.spans() == {"span": 1}
        assert receiver.logs()["record"] == 1
        assert receiver.totals("counter")


def test_what_became_of_telemetry_is_a_metric_itself() -> None:
    with Receiver() as receiver:
        python(
            START
            + """
for _ in range(3):
    with trace.get_tracer("t").start_as_current_span("span"):
        pass
assert telemetry.flush()
for _ in range(2):
    telemetry._providers.queues[0].account.turn_away()
""",
            environ=environ(receiver),
        )
        found = {}
        for _, leaf in receiver._leaves("metrics", "resource_metrics", "scope_metrics", "metrics"):
            if leaf.name in ("otelkit.export.items", "otelkit.export.queue"):
                points = leaf.sum.data_points or leaf.gauge.data_points
                for point in points:
                    labels = {pair.key: pair.value.string_value for pair in point.attributes}
                    assert labels["otelkit.destination"] == "otlp"
                    what = (labels["otelkit.signal"], labels.get("otelkit.outcome", "queued"))
                    found[what] = point.as_int
        assert found["traces", "sent"] == 3
        assert found["traces", "dropped"] == 2
        assert found["traces", "failed"] == 0
        assert found["traces", "queued"] == 0
        assert found["metrics", "sent"] > 0
