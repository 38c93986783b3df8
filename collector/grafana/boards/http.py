"""HTTP: what a service is asked for, how long it takes, what fails."""

from __future__ import annotations

from panels import Query, dashboard, graph, logs, row, stat

_RATE = "rate(http_server_request_duration_seconds_count{%s}[$__rate_interval])"
_ALL = _RATE % "chosen"
_FAILED = _RATE % 'chosen, http_response_status_code=~"5.."'


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
        stat("Requests", "reqps", Query(f"sum({_ALL})"), about="Requests a second."),
        stat(
            "Errors",
            "percentunit",
            Query(f"(sum({_FAILED}) or vector(0)) / sum({_ALL})"),
            about="Share of requests answered with 5xx. HighErrorRate fires above 5 %.",
            warn=0.01,
            bad=0.05,
        ),
        stat(
            "95 % are faster than",
            "s",
            Query(_duration(0.95)),
            about="95th percentile of the duration. SlowResponses fires above 5 s, per route.",
            warn=1,
            bad=5,
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
            about="RequestRateAboveLimit fires above 100 a second for a whole service.",
            bad=100,
        ),
        graph(
            "Requests by status",
            "reqps",
            Query(f"sum by (http_response_status_code) ({_ALL})", "{{http_response_status_code}}"),
            about="4xx: the client's fault; 5xx: the service's.",
            stacked=True,
        ),
        graph(
            "Errors by route",
            "percentunit",
            Query(
                f"sum by (http_route) ({_FAILED}) / sum by (http_route) ({_ALL})", "{{http_route}}"
            ),
            about="Share of 5xx. One route: its own fault; all of them: something beneath.",
            warn=0.01,
            bad=0.05,
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
            warn=1,
            bad=5,
        ),
        graph(
            "95th percentile by route",
            "s",
            Query(_duration(0.95, "http_route"), "{{http_route}}", exemplars=True),
            about="SlowResponses fires above 5 s.",
            warn=1,
            bad=5,
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
            about="Log records in five minutes. LogErrorBurst fires above 50 errors.",
            width=24,
            stacked=True,
        ),
        logs(
            "Errors in the log",
            '{service_name=~"$service"} | severity_text=~"ERROR|CRITICAL"',
            about="Each line with a trace_id leads to its trace in Jaeger.",
        ),
    ],
)
