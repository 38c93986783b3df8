"""Telemetry pipeline: what the collector takes, keeps, delivers and loses."""

from __future__ import annotations

from limits import ANY, compared, limit
from panels import TRAFFIC, Query, dashboard, graph, row, stat, table

_FULL = limit("CollectorQueueFilling")
_SIGNALS = {"traces": "spans", "logs": "log_records", "metrics": "metric_points"}


def _rate(name: str, items: str, by: str) -> str:
    # The collector's counters end with _total or not, depending on how they are scraped.
    series = f'{{__name__=~"otelcol_{name}_{items}(_total)?"}}'
    return f"sum by ({by}) (rate({series}[$__rate_interval]))"


def _each(name: str, by: str = "exporter") -> list[Query]:
    return [
        Query(_rate(name, items, by), f"{{{{{by}}}}} {signal}")
        for signal, items in _SIGNALS.items()
    ]


def _lost(alert: str) -> Query:
    return Query(compared(alert), "{{exporter}} {{signal}}")


DASHBOARD = dashboard(
    "telemetry",
    "Telemetry pipeline",
    "What arrives at the collector, what waits in its queues, what is delivered and what is lost.",
    [
        stat(
            "Collector",
            "short",
            Query('min(up{job="otelcol"})'),
            about="1: it answers. CollectorDown fires at 0.",
            bad=0.5,
            warn=1,
            falling=True,
        ),
        stat(
            "Fullest queue",
            "percentunit",
            Query("max(otelcol_exporter_queue_size / otelcol_exporter_queue_capacity)"),
            about=f"CollectorQueueFilling fires above {_FULL:.0%}.",
            warn=_FULL / 5,
            bad=_FULL,
        ),
        stat(
            "Memory of the collector",
            "bytes",
            Query('max({__name__=~"otelcol_process_memory_rss(_bytes)?"})'),
            about="It refuses new data at 60 % of the limit of its container.",
            warn=300e6,
            bad=400e6,
        ),
        stat(
            "Processors of the collector",
            "short",
            Query(
                'sum(rate({__name__=~"otelcol_process_cpu_seconds(_total)?"}[$__rate_interval]))'
            ),
            about="Processors in use.",
            warn=1,
        ),
        row("Collector"),
        graph(
            "Received",
            "ops",
            *_each("receiver_accepted", "receiver"),
            about="Items a second, by receiver and signal.",
            unlimited=TRAFFIC,
            width=12,
        ),
        graph(
            "Delivered",
            "ops",
            *_each("exporter_sent"),
            about="Items a second, by destination and signal.",
            unlimited=TRAFFIC,
            width=12,
        ),
        graph(
            "Queues",
            "bytes",
            Query(
                "sum by (exporter, data_type) "
                '(otelcol_exporter_queue_size{exporter!="prometheus_remote_write"})',
                "{{exporter}} {{data_type}}",
            ),
            about="What waits on disk; prometheus_remote_write counts requests, in memory: see "
            "the next panel. DestinationUnreachable fires when nothing leaves a queue.",
            unlimited="Queues, share of their size, has one",
            width=12,
        ),
        graph(
            "Queues, share of their size",
            "percentunit",
            Query(
                "max by (exporter, data_type) "
                "(otelcol_exporter_queue_size / otelcol_exporter_queue_capacity)",
                "{{exporter}} {{data_type}}",
            ),
            about=f"CollectorQueueFilling fires above {_FULL:.0%}; at 100% telemetry is dropped "
            "(overlays) or refused (Jaeger, Loki: applications try again).",
            warn=_FULL / 5,
            bad=_FULL,
            width=12,
        ),
        graph(
            "No room: the queue is full",
            "short",
            _lost("CollectorDropsTelemetry"),
            about="Items in five minutes: dropped (overlays) or refused (Jaeger, Loki: "
            "applications try again). CollectorDropsTelemetry fires at once.",
            bad=ANY,
        ),
        graph(
            "Dropped: the destination refuses",
            "short",
            _lost("DestinationRefuses"),
            about="Items in five minutes. Lost. DestinationRefuses fires at once.",
            bad=ANY,
        ),
        graph(
            "Refused by the collector",
            "ops",
            *_each("receiver_refused", "receiver"),
            about="Applications send it again. CollectorRefuses fires after two minutes.",
            bad=ANY,
        ),
        row("Applications"),
        graph(
            "Items by outcome",
            "ops",
            Query(
                "sum by (otelkit_signal, otelkit_outcome) "
                "(rate(otelkit_export_items_total{chosen}[$__rate_interval]))",
                "{{otelkit_signal}} {{otelkit_outcome}}",
            ),
            about="What became of telemetry in the applications.",
            unlimited=TRAFFIC,
        ),
        graph(
            "Lost by applications",
            "short",
            Query(
                compared("TelemetryDropped", chosen="otelkit_export_items_total"),
                "{{job}} {{otelkit_signal}} {{otelkit_destination}}",
            ),
            about="Items in ten minutes. TelemetryDropped fires at once.",
            bad=ANY,
        ),
        graph(
            "Waiting in applications",
            "short",
            Query(
                "sum by (job, otelkit_signal, otelkit_destination) (otelkit_export_queue{chosen})",
                "{{job}} {{otelkit_signal}} {{otelkit_destination}}",
            ),
            about="Items in memory that are not sent yet.",
            warn=1500,
        ),
        row("Traces"),
        graph(
            "Spans by name",
            "ops",
            Query(
                "topk(15, sum by (service_name, span_name) "
                "(rate(traces_span_metrics_calls_total{chosen}[$__rate_interval])))",
                "{{service_name}} {{span_name}}",
            ),
            about="The fifteen most frequent, a second.",
            unlimited=TRAFFIC,
            width=12,
        ),
        table(
            "Who calls whom",
            "reqps",
            Query(
                "sum by (client, server, connection_type) "
                "(rate(traces_service_graph_request_total[$__rate_interval]))"
            ),
            about="Requests a second between services, to databases and to model providers.",
            unlimited=TRAFFIC,
        ),
        graph(
            "Failed spans",
            "percentunit",
            Query(
                "sum by (service_name, span_name) (rate(traces_span_metrics_calls_total"
                '{chosen, status_code="STATUS_CODE_ERROR"}[$__rate_interval])) / '
                "sum by (service_name, span_name) "
                "(rate(traces_span_metrics_calls_total{chosen}[$__rate_interval]))",
                "{{service_name}} {{span_name}}",
            ),
            about="Share of the spans of a name that ended with an error.",
            warn=0.05,
            bad=0.2,
            width=12,
        ),
        graph(
            "Duration of spans",
            "s",
            Query(
                "topk(15, histogram_quantile(0.95, sum by (service_name, span_name, le) "
                "(rate(traces_span_metrics_duration_seconds_bucket{chosen}[$__rate_interval]))))",
                "{{service_name}} {{span_name}}",
                exemplars=True,
            ),
            about="95th percentile of the fifteen slowest names. A point leads to its trace.",
            warn=10,
            bad=60,
            width=12,
        ),
        row("Logs"),
        graph(
            "Records by service",
            "ops",
            Query(
                "sum by (job, otelkit_level) "
                "(rate(otelkit_log_records_total{chosen}[$__rate_interval]))",
                "{{job}} {{otelkit_level}}",
            ),
            about="Log records a second, by level.",
            unlimited=TRAFFIC,
            stacked=True,
            width=12,
        ),
        graph(
            "Suppressed records",
            "ops",
            Query(
                "sum by (job) (rate(otelkit_log_suppressed_total{chosen}[$__rate_interval]))",
                "{{job}}",
            ),
            about="Identical lines beyond OTELKIT_LOG_RATE_LIMIT, which are only counted.",
            warn=1,
            width=12,
        ),
    ],
)
