"""Agent performance: workflows, stages, agents and tools; metrics of otelkit's decorators."""

from __future__ import annotations

from limits import limit
from panels import TRAFFIC, Query, dashboard, graph, logs, row, stat

_AGENT = "gen_ai_invoke_agent_duration_seconds"
_WORKFLOW = "gen_ai_invoke_workflow_duration_seconds"
_TOOL = "gen_ai_execute_tool_duration_seconds"
_STAGE = "otelkit_stage_duration_seconds"
_FAILED = 'chosen, otelkit_outcome="failed"'
_FAILURES = limit("AgentFailures")


def _rate(metric: str, select: str = "chosen") -> str:
    return f"rate({metric}_count{{{select}}}[$__rate_interval])"


def _slow(metric: str, by: str) -> str:
    buckets = f"rate({metric}_bucket{{chosen}}[$__rate_interval])"
    return f"histogram_quantile(0.95, sum by ({by}, le) ({buckets}))"


def _share_failed(metric: str, by: str) -> str:
    return f"sum by ({by}) ({_rate(metric, _FAILED)}) / sum by ({by}) ({_rate(metric)})"


DASHBOARD = dashboard(
    "agents",
    "Agent performance",
    "Workflows, stages, agents and tools: how often, how long, how many fail.",
    [
        stat(
            "Workflow runs",
            "short",
            Query(f"sum(increase({_WORKFLOW}_count{{chosen}}[$__range]))"),
            about="Ended within the time shown.",
            unlimited=TRAFFIC,
        ),
        stat(
            "Agent runs",
            "short",
            Query(f"sum(increase({_AGENT}_count{{chosen}}[$__range]))"),
            about="Ended within the time shown.",
            unlimited=TRAFFIC,
        ),
        stat(
            "Failed agent runs",
            "percentunit",
            Query(f"(sum({_rate(_AGENT, _FAILED)}) or vector(0)) / sum({_rate(_AGENT)})"),
            about=f"AgentFailures fires above {_FAILURES:.0%}, per agent.",
            warn=_FAILURES / 4,
            bad=_FAILURES,
        ),
        stat(
            "Running workflows",
            "short",
            Query('sum(otelkit_active{chosen, otelkit_kind="workflow"})'),
            about="Runs that have begun and not ended.",
            warn=100,
        ),
        row("Agents"),
        graph(
            "Runs by agent",
            "ops",
            Query(f"sum by (gen_ai_agent_name) ({_rate(_AGENT)})", "{{gen_ai_agent_name}}"),
            about="Runs that have ended, a second.",
            unlimited=TRAFFIC,
            stacked=True,
        ),
        graph(
            "Duration by agent",
            "s",
            Query(_slow(_AGENT, "gen_ai_agent_name"), "{{gen_ai_agent_name}}", exemplars=True),
            about="95th percentile. Each point is a run: click it for its trace.",
            warn=30,
            bad=120,
        ),
        graph(
            "Failures by agent",
            "percentunit",
            Query(_share_failed(_AGENT, "gen_ai_agent_name"), "{{gen_ai_agent_name}}"),
            about="Share of the runs that ended with an error. "
            f"AgentFailures fires above {_FAILURES:.0%}.",
            warn=_FAILURES / 4,
            bad=_FAILURES,
        ),
        graph(
            "Errors",
            "ops",
            Query(
                f"sum by (gen_ai_agent_name, error_type) ({_rate(_AGENT, _FAILED)})",
                "{{gen_ai_agent_name}}: {{error_type}}",
            ),
            about="Which error ended the runs, a second.",
            warn=0.1,
            width=12,
        ),
        graph(
            "Running",
            "short",
            Query(
                "sum by (otelkit_kind, otelkit_name) (otelkit_active{chosen}) > 0",
                "{{otelkit_kind}} {{otelkit_name}}",
            ),
            about="What has begun and not ended: where a stuck workflow waits.",
            warn=100,
            width=12,
        ),
        row("Workflows and stages"),
        graph(
            "Runs by workflow and outcome",
            "ops",
            Query(
                f"sum by (gen_ai_workflow_name, otelkit_outcome) ({_rate(_WORKFLOW)})",
                "{{gen_ai_workflow_name}} {{otelkit_outcome}}",
            ),
            about="Runs that end, a second. WorkflowStuck fires when some run and none ends.",
            unlimited=TRAFFIC,
            stacked=True,
        ),
        graph(
            "Duration by workflow",
            "s",
            Query(
                _slow(_WORKFLOW, "gen_ai_workflow_name"), "{{gen_ai_workflow_name}}", exemplars=True
            ),
            about="95th percentile. Each point is a run: click it for its trace.",
            warn=300,
            bad=1800,
        ),
        graph(
            "Mean duration by stage",
            "s",
            Query(
                f"sum by (otelkit_stage_name) (rate({_STAGE}_sum{{chosen}}[$__rate_interval]))"
                f" / sum by (otelkit_stage_name) ({_rate(_STAGE)})",
                "{{otelkit_stage_name}}",
            ),
            about="On top of each other: how a run's time is divided.",
            warn=60,
            stacked=True,
        ),
        row("Tools"),
        graph(
            "Calls by tool",
            "ops",
            Query(f"sum by (gen_ai_tool_name) ({_rate(_TOOL)})", "{{gen_ai_tool_name}}"),
            about="Calls that have ended, a second.",
            unlimited=TRAFFIC,
            stacked=True,
        ),
        graph(
            "Duration by tool",
            "s",
            Query(_slow(_TOOL, "gen_ai_tool_name"), "{{gen_ai_tool_name}}", exemplars=True),
            about="95th percentile. Each point is a call: click it for its trace.",
            warn=5,
            bad=30,
        ),
        graph(
            "Failures by tool",
            "percentunit",
            Query(_share_failed(_TOOL, "gen_ai_tool_name"), "{{gen_ai_tool_name}}"),
            about="Share of the calls that ended with an error; agents may cope with some.",
            warn=0.1,
            bad=0.5,
        ),
        row("Log"),
        logs(
            "What agents log",
            '{service_name=~"$service"} | trace_id!=""',
            about="Lines written within a trace; each leads to it in Jaeger.",
        ),
    ],
)
