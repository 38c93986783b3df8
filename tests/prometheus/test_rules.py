"""The recording rules: Prometheus takes them, and they say what the endpoint says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from otelkit._bounded import About
from otelkit.prometheus import aliases, rules
from otelkit.prometheus.families import Family, sample_names
from tests.processes import ROOT

TARGET = 'job="shop",instance="a"'
REQUEST = (
    'http_request_method="GET",http_route="/items/{id}",url_scheme="http",'
    'network_protocol_version="1.1",otel_scope_name="otelkit.fastapi",server_port="80"'
)
AGENT = 'gen_ai_agent_name="architect",gen_ai_workflow_name="generate"'
MODEL = 'gen_ai_provider_name="openai",gen_ai_request_model="gpt-5-mini"'
GIVEN = {
    f'http_server_request_duration_seconds_count{{{REQUEST},http_response_status_code="200"}}': 3,
    f'http_server_request_duration_seconds_count{{{REQUEST},http_response_status_code="500",'
    'error_type="500"}': 2,
    f'http_server_request_duration_seconds_bucket{{{REQUEST},le="0.1"}}': 4,
    f'gen_ai_invoke_agent_duration_seconds_count{{{AGENT},otelkit_outcome="completed"}}': 5,
    f'gen_ai_invoke_agent_duration_seconds_count{{{AGENT},otelkit_outcome="failed",'
    'error_type="ValueError"}': 1,
    f'otelkit_llm_tokens_total{{{MODEL},{AGENT},gen_ai_token_type="input"}}': 100,
    f'otelkit_llm_tokens_total{{{MODEL},gen_ai_token_type="input"}}': 10,
    f'otelkit_llm_tokens_total{{{MODEL},gen_ai_token_type="output"}}': 20,
    f'otelkit_llm_tokens_total{{{MODEL},gen_ai_token_type="cache_read"}}': 99,
    'otelkit_active{otelkit_kind="workflow",otelkit_name="generate"}': 2,
    'otelkit_active{otelkit_kind="agent",otelkit_name="architect"}': 7,
    'target_info{service_version="1.2",deployment_environment_name="test",host_name="h"}': 1,
    'uploads_total{kind="video"}': 6,
}
EXPECTED = {
    'b_http_requests_total{method="GET",endpoint="/items/{id}",status="200"}': 3,
    'b_http_requests_total{method="GET",endpoint="/items/{id}",status="500"}': 2,
    'b_http_request_duration_seconds_count{method="GET",endpoint="/items/{id}"}': 5,
    'b_http_request_duration_seconds_bucket{method="GET",endpoint="/items/{id}",le="0.1"}': 4,
    'b_agent_executions_total{agent_name="architect",status="completed"}': 5,
    'b_agent_executions_total{agent_name="architect",status="failed"}': 1,
    'b_agent_errors_total{agent_name="architect",error_type="ValueError"}': 1,
    'b_llm_tokens_used_total{provider="openai",model="gpt-5-mini",type="prompt"}': 110,
    'b_llm_tokens_used_total{provider="openai",model="gpt-5-mini",type="completion"}': 20,
    "b_active_workflows{}": 2,
    'b_system_info{version="1.2",environment="test"}': 1,
    'b_uploads_total{kind="video"}': 6,
    'http_requests_total{method="GET",path="/items/{id}",status="200"}': 3,
    'http_requests_total{method="GET",path="/items/{id}",status="500"}': 2,
}


def labelled(series: str) -> str:
    """``series`` as the one of a target."""
    return series.replace("{", f"{{{TARGET},", 1).replace(",}", "}")


def test_rules_give_what_is_expected_and_nothing_else(tmp_path: Path) -> None:
    made = rules.write("b", ["instrumentator"], [("counter", About("uploads", "{upload}"))])
    (tmp_path / "rules.yml").write_text(made)
    metrics = sorted({series.partition("{")[0] for series in EXPECTED})
    tests = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": labelled(series), "values": f"{value}x5"}
                    for series, value in GIVEN.items()
                ],
                "promql_expr_test": [
                    {
                        "expr": metric,
                        "eval_time": "3m",
                        "exp_samples": [
                            {"labels": labelled(series), "value": value}
                            for series, value in EXPECTED.items()
                            if series.partition("{")[0] == metric
                        ],
                    }
                    for metric in metrics
                ],
            }
        ],
    }
    (tmp_path / "tests.yml").write_text(json.dumps(tests))
    done = subprocess.run(
        ["promtool", "test", "rules", str(tmp_path / "tests.yml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alias_has_its_rules_and_prometheus_takes_them(tmp_path: Path) -> None:
    command = [
        *(sys.executable, "-m", "otelkit", "rules", "--namespace", "backbone"),
        *("--aliases", "instrumentator", "examples.codegen_service.workflow"),
    ]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    file = tmp_path / "rules.yml"
    file.write_text(made)
    checked = subprocess.run(["promtool", "check", "rules", file], capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr
    recorded = {line.partition("record: ")[2] for line in made.splitlines() if "record: " in line}
    assert recorded >= {
        sample
        for name, alias in aliases.chosen("backbone", ["instrumentator"])
        for sample in sample_names(Family(name, aliases.kind(alias), ""))
    }
    assert "backbone_code_files_generated_total" in recorded


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--namespace", "9a"], "expected letters, digits and underscores"),
        ([], "required: --namespace"),
        (["--namespace", "a", "no.such.module"], "no.such.module cannot be imported"),
    ],
)
def test_wrong_arguments_are_said(arguments: list[str], said: str) -> None:
    command = [sys.executable, "-m", "otelkit", "rules", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert said in done.stderr


def test_metrics_of_the_application_that_have_the_namespace_need_no_rule() -> None:
    made = rules.write("shop", instruments=[("gauge", About("shop.users")), ("gauge", About("x"))])
    assert "shop_shop" not in made
    assert "record: shop_x\n" in made
