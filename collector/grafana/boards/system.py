"""System health: services and their components, databases, and the machines they run on."""

from __future__ import annotations

from panels import Query, dashboard, graph, row, stat, table

_POOL = "db_client_connection_pool_name"

DASHBOARD = dashboard(
    "system",
    "System health",
    "Health of components, connections to databases, processors, memory and disks.",
    [
        stat(
            "Services",
            "short",
            Query('count(count by (job) (target_info{chosen, job!="host"}))'),
            about="Services that send metrics. ServiceDown fires when one stops.",
            bad=0.5,
            warn=1,
            falling=True,
        ),
        stat(
            "Worst component",
            "percentunit",
            Query("min(otelkit_health_status_ratio{chosen})"),
            about="1: all are healthy, 0.5: one is degraded, 0: one is unhealthy.",
            bad=0.5,
            warn=1,
            falling=True,
        ),
        stat(
            "Fullest disk",
            "percentunit",
            Query('max(system_filesystem_utilization_ratio{job="host", mode="rw"})'),
            about="DiskLow fires above 90 %.",
            warn=0.8,
            bad=0.9,
        ),
        stat(
            "Memory",
            "percentunit",
            Query(
                'max(sum by (instance) (system_memory_utilization_ratio{job="host", state="used"}))'
            ),
            about="Of the machine that has least left. HighMemory fires above 90 %.",
            warn=0.8,
            bad=0.9,
        ),
        row("Components"),
        table(
            "Components",
            "short",
            Query("min by (job, otelkit_component) (otelkit_health_status_ratio{chosen})"),
            about="What the health checks last said: 1 healthy, 0.5 degraded, 0 unhealthy.",
        ),
        graph(
            "Components over time",
            "short",
            Query(
                "min by (job, otelkit_component) (otelkit_health_status_ratio{chosen})",
                "{{job}} {{otelkit_component}}",
            ),
            about="DatabaseDown and ComponentUnhealthy fire at 0.",
            width=12,
        ),
        row("Processes"),
        graph(
            "Processes by service",
            "short",
            Query('count by (job) (target_info{chosen, job!="host"})', "{{job}}"),
            about="Processes that send metrics.",
        ),
        graph(
            "Processor time by service",
            "short",
            Query(
                "sum by (job) (rate(process_cpu_time_seconds_total{chosen}[$__rate_interval]))",
                "{{job}}",
            ),
            about="Processors in use. Needs the extra `system` of otelkit.",
            stacked=True,
        ),
        graph(
            "Memory by service",
            "bytes",
            Query("sum by (job) (process_memory_usage_bytes{chosen})", "{{job}}"),
            about="One that only ever grows leaks. Needs the extra `system` of otelkit.",
            stacked=True,
        ),
        row("Databases"),
        graph(
            "Connections",
            "short",
            Query(
                f"sum by ({_POOL}, db_client_connection_state) "
                "(db_client_connection_count{chosen})",
                "{{db_client_connection_pool_name}} {{db_client_connection_state}}",
            ),
            Query(
                f"sum by ({_POOL}) (db_client_connection_max{{chosen}})",
                "{{db_client_connection_pool_name}} at most",
            ),
            about="DatabasePoolExhausted fires when all that may be are in use.",
        ),
        graph(
            "Database statements",
            "s",
            Query(
                "histogram_quantile(0.95, sum by (db_operation_name, le) "
                "(rate(db_client_operation_duration_seconds_bucket{chosen}[$__rate_interval])))",
                "{{db_operation_name}}",
                exemplars=True,
            ),
            about="95th percentile of the duration. A point leads to its trace.",
            warn=0.5,
            bad=2,
        ),
        graph(
            "Statements",
            "ops",
            Query(
                "sum by (db_operation_name, error_type) "
                "(rate(db_client_operation_duration_seconds_count{chosen}[$__rate_interval]))",
                "{{db_operation_name}} {{error_type}}",
            ),
            about="Statements a second, failed ones with their error.",
            stacked=True,
        ),
        row("Machines"),
        graph(
            "Processors",
            "percentunit",
            Query(
                '1 - sum by (instance) (rate(system_cpu_time_seconds_total{job="host", '
                'state=~"idle|wait"}[$__rate_interval])) / sum by (instance) '
                '(rate(system_cpu_time_seconds_total{job="host"}[$__rate_interval]))',
                "{{instance}}",
            ),
            about="Share of time that is not idle. HighCPU fires above 90 %.",
            warn=0.7,
            bad=0.9,
        ),
        graph(
            "Memory of machines",
            "percentunit",
            Query(
                "sum by (instance, state) (system_memory_utilization_ratio"
                '{job="host", state!="free"})',
                "{{instance}} {{state}}",
            ),
            about="`cached` is given back when it is needed. HighMemory fires at 90 % used.",
            warn=0.8,
            bad=0.9,
        ),
        graph(
            "Disks",
            "percentunit",
            Query(
                "max by (instance, mountpoint) "
                '(system_filesystem_utilization_ratio{job="host", mode="rw"})',
                "{{instance}} {{mountpoint}}",
            ),
            about="DiskLow fires above 90 %.",
            warn=0.8,
            bad=0.9,
        ),
        graph(
            "Load",
            "short",
            Query('sum by (instance) (system_cpu_load_average_5m{job="host"})', "{{instance}}"),
            Query(
                'sum by (instance) (system_cpu_logical_count{job="host"})',
                "{{instance}} processors",
            ),
            about="More than there are processors: work waits.",
            width=12,
        ),
        graph(
            "Disk traffic",
            "Bps",
            Query(
                "sum by (instance, direction) "
                '(rate(system_disk_io_bytes_total{job="host"}[$__rate_interval]))',
                "{{instance}} {{direction}}",
            ),
            about="Bytes a second.",
            width=12,
        ),
    ],
)
