"""LLM usage and cost: calls of language models, by model, agent and workflow."""

from __future__ import annotations

from limits import compared, limit
from panels import TRAFFIC, Query, dashboard, graph, row, stat, table

_CALL = "gen_ai_client_operation_duration_seconds"
_FIRST = "gen_ai_client_operation_time_to_first_chunk_seconds"
_COST = "otelkit_llm_cost_USD_total"
_TOKENS = "otelkit_llm_tokens_total"
# The other types are parts of these two.
_WHOLE = 'chosen, gen_ai_token_type=~"input|output"'
_FAILED = 'chosen, error_type!=""'
_DEAR, _ERRORS, _LONG = limit("HighLLMCost"), limit("LLMErrors"), limit("LLMSlow")
_RANGE = "it grows with the time shown"
_JUMP = "TokenBurnRateJump compares with the days before"


def _calls(select: str = "chosen") -> str:
    return f"rate({_CALL}_count{{{select}}}[$__rate_interval])"


def _slow(metric: str, share: float, by: str) -> str:
    buckets = f"rate({metric}_bucket{{chosen}}[$__rate_interval])"
    return f"histogram_quantile({share}, sum by ({by}, le) ({buckets}))"


def _cost_an_hour(by: str) -> Query:
    expr = f"sum by ({by}) (rate({_COST}{{chosen}}[$__rate_interval])) * 3600"
    return Query(expr, f"{{{{{by}}}}}")


def _tokens(kind: str, by: str) -> str:
    select = f'chosen, gen_ai_token_type="{kind}"'
    return f"sum by ({by}) (rate({_TOKENS}{{{select}}}[$__rate_interval]))"


def _a_call(kind: str) -> str:
    select = f'chosen, gen_ai_token_type="{kind}"'
    both = [
        f"sum by (gen_ai_request_model) "
        f"(rate(gen_ai_client_token_usage_{part}{{{select}}}[$__rate_interval]))"
        for part in ("sum", "count")
    ]
    return " / ".join(both)


_MODEL, _AGENT, _WORKFLOW = "gen_ai_request_model", "gen_ai_agent_name", "gen_ai_workflow_name"

DASHBOARD = dashboard(
    "llm",
    "LLM usage and cost",
    "Calls of language models: what they cost, who spends it, how fast and how reliable they are.",
    [
        stat(
            "Cost",
            "currencyUSD",
            Query(f"sum(increase({_COST}{{chosen}}[$__range]))"),
            about="Within the time shown. Models without a known price are not in it.",
            unlimited=_RANGE,
        ),
        stat(
            "Cost of the last hour",
            "currencyUSD",
            Query(f"sum({compared('HighLLMCost', chosen=_COST)})"),
            about=f"HighLLMCost fires above {_DEAR:g} USD, per service.",
            warn=_DEAR / 2,
            bad=_DEAR,
        ),
        stat(
            "Tokens",
            "short",
            Query(f"sum(increase({_TOKENS}{{{_WHOLE}}}[$__range]))"),
            about="Input and output within the time shown.",
            unlimited=_RANGE,
        ),
        stat(
            "Failed calls",
            "percentunit",
            Query(f"(sum({_calls(_FAILED)}) or vector(0)) / sum({_calls()})"),
            about=f"LLMErrors fires above {_ERRORS:.0%}, per model.",
            warn=_ERRORS / 5,
            bad=_ERRORS,
        ),
        row("Cost"),
        graph(
            "Cost by model",
            "currencyUSD",
            _cost_an_hour(_MODEL),
            about="USD an hour at the present rate.",
            warn=_DEAR / 2,
            bad=_DEAR,
            stacked=True,
        ),
        graph(
            "Cost by agent",
            "currencyUSD",
            _cost_an_hour(_AGENT),
            about="USD an hour; calls outside of agents have no name.",
            warn=_DEAR / 2,
            bad=_DEAR,
            stacked=True,
        ),
        graph(
            "Cost by workflow",
            "currencyUSD",
            _cost_an_hour(_WORKFLOW),
            about="USD an hour; calls outside of workflows have no name.",
            warn=_DEAR / 2,
            bad=_DEAR,
            stacked=True,
        ),
        table(
            "Who spends it",
            "currencyUSD",
            Query(
                f"sum by (job, {_WORKFLOW}, {_AGENT}, {_MODEL}) "
                f"(increase({_COST}{{chosen}}[$__range])) > 0"
            ),
            about="Cost within the time shown.",
            unlimited=_RANGE,
        ),
        graph(
            "Cost of a workflow run",
            "currencyUSD",
            Query(
                f"sum by ({_WORKFLOW}) (rate({_COST}{{chosen}}[$__rate_interval])) / "
                f"sum by ({_WORKFLOW}) "
                "(rate(gen_ai_invoke_workflow_duration_seconds_count{chosen}[$__rate_interval]))",
                "{{gen_ai_workflow_name}}",
            ),
            about="Mean over the runs that have ended.",
            warn=0.5,
            width=12,
        ),
        row("Tokens"),
        graph(
            "Tokens by type",
            "short",
            Query(
                f"sum by (gen_ai_token_type) (rate({_TOKENS}{{chosen}}[$__rate_interval]))",
                "{{gen_ai_token_type}}",
            ),
            about="A second. cache_read and cache_write are part of input, reasoning of output.",
            unlimited=_JUMP,
        ),
        graph(
            "Tokens by agent",
            "short",
            Query(
                f"sum by ({_AGENT}) (rate({_TOKENS}{{{_WHOLE}}}[$__rate_interval]))",
                "{{gen_ai_agent_name}}",
            ),
            about="A second. TokenBurnRateJump fires at three times the usual.",
            unlimited=_JUMP,
            stacked=True,
        ),
        graph(
            "Cached input",
            "percentunit",
            Query(
                f"{_tokens('cache_read', _MODEL)} / {_tokens('input', _MODEL)}",
                "{{gen_ai_request_model}}",
            ),
            about="Share of input tokens read from the provider's cache; a fall costs money.",
            unlimited="how much can be read from it is a matter of the prompts",
        ),
        graph(
            "Input tokens a call",
            "short",
            Query(_a_call("input"), "{{gen_ai_request_model}}"),
            about="Mean. Grows with prompts and histories.",
            warn=50_000,
            width=12,
        ),
        graph(
            "Output tokens a call",
            "short",
            Query(_a_call("output"), "{{gen_ai_request_model}}"),
            about="Mean. Longer answers take longer.",
            warn=10_000,
            width=12,
        ),
        row("Calls"),
        graph(
            "Calls by model",
            "ops",
            Query(f"sum by ({_MODEL}) ({_calls()})", "{{gen_ai_request_model}}"),
            about="Calls that have ended, a second.",
            unlimited=TRAFFIC,
            stacked=True,
        ),
        graph(
            "Duration",
            "s",
            Query(_slow(_CALL, 0.95, _MODEL), "{{gen_ai_request_model}}", exemplars=True),
            about=f"95th percentile; LLMSlow fires above {_LONG:g} s. A point leads to its trace.",
            warn=_LONG / 3,
            bad=_LONG,
        ),
        graph(
            "Time to first token",
            "s",
            Query(_slow(_FIRST, 0.5, _MODEL), "{{gen_ai_request_model}} 50%", exemplars=True),
            Query(_slow(_FIRST, 0.95, _MODEL), "{{gen_ai_request_model}} 95%", exemplars=True),
            about="Of streamed calls: what somebody waits for who reads along.",
            warn=2,
            bad=10,
        ),
        graph(
            "Errors by type",
            "ops",
            Query(
                f"sum by ({_MODEL}, error_type) ({_calls(_FAILED)})",
                "{{gen_ai_request_model}}: {{error_type}}",
            ),
            about="Failed calls a second.",
            warn=0.1,
            width=12,
        ),
        graph(
            "Failed calls by model",
            "percentunit",
            Query(
                f"sum by ({_MODEL}) ({_calls(_FAILED)}) / sum by ({_MODEL}) ({_calls()})",
                "{{gen_ai_request_model}}",
            ),
            about=f"LLMErrors fires above {_ERRORS:.0%}.",
            warn=_ERRORS / 5,
            bad=_ERRORS,
            width=12,
        ),
    ],
)
