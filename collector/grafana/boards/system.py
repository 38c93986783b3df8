"""System health: services and their components, databases, and the machines they run on."""

from __future__ import annotations

from limits import limit
from panels import TRAFFIC, Query, dashboard, graph, row, stat, table

_POOL = "db_client_connection_pool_name"
_DISK, _MEMORY, _CPU = limit("DiskLow"), limit("HighMemory"), limit("HighCPU")
_USED = limit("DatabasePoolExhausted")

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
            about=f"DiskLow fires above {_DISK:.0%}.",
            warn=_DISK - 0.1,
            bad=_DISK,
        ),
        stat(
            "Memory",
            "percentunit",
            Query(
                'max(sum by (instance) (system_memory_utilization_ratio{job="host", state="used"}))'
            ),
            about=f"Of the machine that has least left. HighMemory fires above {_MEMORY:.0%}.",
            warn=_MEMORY - 0.1,
            bad=_MEMORY,
        ),
        row("Components"),
        table(
            "Components",
            "short",
            Query("min by (job, otelkit_component) (otelkit_health_status_ratio{chosen})"),
            about="What the health checks last said: 1 healthy, 0.5 degraded, 0 unhealthy.",
            bad=0.5,
            warn=1,
            falling=True,
        ),
        graph(
            "Components over time",
            "short",
            Query(
                "min by (job, otelkit_component) (otelkit_health_status_ratio{chosen})",
                "{{job}} {{otelkit_component}}",
            ),
            about="DatabaseDown and ComponentUnhealthy fire at 0.",
            bad=0.5,
            warn=1,
            falling=True,
            width=12,
        ),
        row("Processes"),
        graph(
            "Processes by service",
            "short",
            Query('count by (job) (target_info{chosen, job!="host"})', "{{job}}"),
            about="Processes that send metrics. ServiceDown fires when the last one stops.",
            bad=0.5,
            warn=1,
            falling=True,
        ),
        graph(
            "Processor time by service",
            "short",
            Query(
                "sum by (job) (rate(process_cpu_time_seconds_total{chosen}[$__rate_interval]))",
                "{{job}}",
            ),
            about="Processors in use. Needs the extra `system` of otelkit.",
            unlimited="Processors has one, for all that runs on a machine",
            stacked=True,
        ),
        graph(
            "Memory by service",
            "bytes",
            Query("sum by (job) (process_memory_usage_bytes{chosen})", "{{job}}"),
            about="One that only ever grows leaks. Needs the extra `system` of otelkit.",
            unlimited="Memory of machines has one, for all that runs there",
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
            about="Idle ones wait for work; the pool makes more until there are so many at most.",
            unlimited="Pools in use has one",
            width=12,
        ),
        graph(
            "Pools in use",
            "percentunit",
            Query(
                f"sum by (job, {_POOL}) "
                '(db_client_connection_count{chosen, db_client_connection_state="used"}) / '
                f"sum by (job, {_POOL}) (db_client_connection_max{{chosen}})",
                "{{job}} {{db_client_connection_pool_name}}",
            ),
            about="Share of the connections that may be. "
            f"DatabasePoolExhausted fires at {_USED:.0%}, for one process.",
            warn=_USED - 0.25,
            bad=_USED,
            width=12,
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
            width=12,
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
            unlimited=TRAFFIC,
            width=12,
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
            about=f"Share of time that is not idle. HighCPU fires above {_CPU:.0%}.",
            warn=_CPU - 0.2,
            bad=_CPU,
        ),
        graph(
            "Memory of machines",
            "percentunit",
            Query(
                "sum by (instance, state) (system_memory_utilization_ratio"
                '{job="host", state!="free"})',
                "{{instance}} {{state}}",
            ),
            about="`cached` is given back when it is needed. "
            f"HighMemory fires above {_MEMORY:.0%} used.",
            warn=_MEMORY - 0.1,
            bad=_MEMORY,
        ),
        graph(
            "Disks",
            "percentunit",
            Query(
                "max by (instance, mountpoint) "
                '(system_filesystem_utilization_ratio{job="host", mode="rw"})',
                "{{instance}} {{mountpoint}}",
            ),
            about=f"DiskLow fires above {_DISK:.0%}.",
            warn=_DISK - 0.1,
            bad=_DISK,
        ),
        graph(
            "Load of a processor",
            "short",
            Query(
                'sum by (instance) (system_cpu_load_average_5m{job="host"}) / '
                'sum by (instance) (system_cpu_logical_count{job="host"})',
                "{{instance}}",
            ),
            about="Processes that run or want to, for each processor. Above 1: work waits.",
            warn=1,
            bad=2,
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
            unlimited="what a disk can do differs by the disk",
            width=12,
        ),
    ],
)
