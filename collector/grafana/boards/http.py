"""HTTP: what a service is asked for, how long it takes, what fails."""

from __future__ import annotations

from limits import compared, limit
from panels import TRAFFIC, Query, dashboard, graph, logs, row, stat

_RATE = "rate(http_server_request_duration_seconds_count{%s}[$__rate_interval])"
_ALL = _RATE % "chosen"
_FAILED = _RATE % 'chosen, http_response_status_code=~"5.."'
_ERRORS, _SLOW = limit("HighErrorRate"), limit("SlowResponses")
_MANY, _BURST = limit("RequestRateAboveLimit"), limit("LogErrorBurst")


def _duration(share: float, *by: str) -> str:
    labels = ", ".join((*by, "le"))
    buckets = "rate(http_server_request_duration_seconds_bucket{chosen}[$__rate_interval])"
    return f"histogram_quantile({share}, sum by ({labels}) ({buckets}))"


def _size(metric: str) -> str:
    buckets = f"rate({metric}_bucket{{chosen}}[$__rate_interval])"
    return f"histogram_quantile(0.95, sum by (http_route, le) ({buckets}))"


DASHBOARD = dashboard(
    "http",
    "HTTP",
    "Requests that services answer: how many, how fast, how many in vain.",
    [
        stat(
            "Requests",
            "reqps",
            Query(f"sum({_ALL})"),
            about="Requests a second, of all services.",
            warn=0.8 * _MANY,
            bad=_MANY,
        ),
        stat(
            "Errors",
            "percentunit",
            Query(f"(sum({_FAILED}) or vector(0)) / sum({_ALL})"),
            about=f"Share of requests answered with 5xx. HighErrorRate fires above {_ERRORS:.0%}.",
            warn=_ERRORS / 5,
            bad=_ERRORS,
        ),
        stat(
            "95 % are faster than",
            "s",
            Query(_duration(0.95)),
            about="95th percentile of the duration. "
            f"SlowResponses fires above {_SLOW:g} s, per route.",
            warn=_SLOW / 5,
            bad=_SLOW,
        ),
        stat(
            "In progress",
            "short",
            Query("sum(http_server_active_requests{chosen})"),
            about="Requests that are being answered now.",
            warn=100,
        ),
        row("Traffic"),
        graph(
            "Requests by route",
            "reqps",
            Query(f"sum by (http_route) ({_ALL})", "{{http_route}}"),
            about=f"RequestRateAboveLimit fires above {_MANY:g} a second for a whole service.",
            warn=0.8 * _MANY,
            bad=_MANY,
            stacked=True,
        ),
        graph(
            "Requests by status",
            "reqps",
            Query(f"sum by (http_response_status_code) ({_ALL})", "{{http_response_status_code}}"),
            about="4xx: the client's fault; 5xx: the service's.",
            unlimited=TRAFFIC,
            stacked=True,
        ),
        graph(
            "Errors by route",
            "percentunit",
            Query(
                f"sum by (http_route) ({_FAILED}) / sum by (http_route) ({_ALL})", "{{http_route}}"
            ),
            about="Share of 5xx. One route: its own fault; all of them: something beneath.",
            warn=_ERRORS / 5,
            bad=_ERRORS,
        ),
        row("Duration"),
        graph(
            "Duration",
            "s",
            *(
                Query(_duration(share), f"{share:.0%}", exemplars=True)
                for share in (0.5, 0.95, 0.99)
            ),
            about="Percentiles of all requests. Each point is a request: click it for its trace.",
            warn=_SLOW / 5,
            bad=_SLOW,
        ),
        graph(
            "95th percentile by route",
            "s",
            Query(_duration(0.95, "http_route"), "{{http_route}}", exemplars=True),
            about=f"SlowResponses fires above {_SLOW:g} s.",
            warn=_SLOW / 5,
            bad=_SLOW,
        ),
        graph(
            "In progress by route",
            "short",
            Query("sum by (http_route) (http_server_active_requests{chosen})", "{{http_route}}"),
            about="Grows without end where something waits for ever.",
            warn=100,
        ),
        row("Size"),
        graph(
            "Request bodies, 95th percentile",
            "bytes",
            Query(_size("http_server_request_body_size_bytes"), "{{http_route}}"),
            about="What clients send.",
            warn=1e6,
            width=12,
        ),
        graph(
            "Response bodies, 95th percentile",
            "bytes",
            Query(_size("http_server_response_body_size_bytes"), "{{http_route}}"),
            about="What services answer.",
            warn=1e6,
            width=12,
        ),
        row("Log"),
        graph(
            "Records by level",
            "short",
            Query(
                "sum by (otelkit_level) (increase(otelkit_log_records_total{chosen}[5m]))",
                "{{otelkit_level}}",
            ),
            about="Log records in five minutes.",
            unlimited=TRAFFIC,
            width=12,
            stacked=True,
        ),
        graph(
            "Errors by service",
            "short",
            Query(
                compared("LogErrorBurst", chosen="otelkit_log_records_total"),
                "{{job}} {{deployment_environment_name}}",
            ),
            about=f"Errors logged in five minutes. LogErrorBurst fires above {_BURST:g}.",
            warn=_BURST / 5,
            bad=_BURST,
            width=12,
        ),
        logs(
            "Errors in the log",
            '{service_name=~"$service"} | severity_text=~"ERROR|CRITICAL"',
            about="Each line with a trace_id leads to its trace in Jaeger.",
        ),
    ],
)
