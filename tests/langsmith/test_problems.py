"""What of the environment is named as a problem."""

from __future__ import annotations

import pytest

from otelkit.langsmith import problems
from otelkit.langsmith._plan import Plan, plan
from otelkit.settings import Settings

ON = {"LANGSMITH_TRACING": "true", "LANGSMITH_API_KEY": "lsv2_pt_key"}


@pytest.mark.parametrize(
    "environ",
    [
        {},
        ON,
        {**ON, "LANGSMITH_TRACING_MODE": "langsmith", "LANGSMITH_OTEL_ENABLED": "true"},
        {"LANGSMITH_API_KEY": "lsv2_pt_key"},
        {**ON, "LANGSMITH_TRACING": "false", "LANGSMITH_OTEL_ENABLED": "true"},
        {**ON, "OTELKIT_LANGSMITH": "off", "LANGSMITH_OTEL_ONLY": "true"},
        {"OTELKIT_LANGSMITH": "stamp"},
    ],
)
def test_what_is_supported_is_no_problem(environ: dict[str, str]) -> None:
    assert problems(environ) == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"LANGSMITH_API_KEY": ""}, "LANGSMITH_API_KEY is not set"),
        ({"LANGSMITH_OTEL_ENABLED": "true"}, "LANGSMITH_OTEL_ENABLED is not supported"),
        ({"LANGCHAIN_OTEL_ENABLED": "1"}, "LANGCHAIN_OTEL_ENABLED is not supported"),
        ({"LANGSMITH_OTEL_ONLY": "true"}, "LANGSMITH_OTEL_ONLY is not supported"),
        ({"LANGSMITH_OTEL_ENABLED": "true", "LANGSMITH_OTEL_ONLY": "true"},
         "LANGSMITH_OTEL_ONLY is not supported"),
        ({"LANGSMITH_TRACING_MODE": "hybrid"}, "LANGSMITH_TRACING_MODE=hybrid is not supported"),
        ({"LANGSMITH_TRACING_MODE": "otel"}, "LANGSMITH_TRACING_MODE=otel is not supported"),
        ({"LANGSMITH_TRACING_MODE": "other"}, "langsmith's client raises on it"),
        ({"OTELKIT_LANGSMITH": "stamp", "LANGSMITH_OTEL_ENABLED": "true"},
         "LANGSMITH_OTEL_ENABLED is not supported"),
        ({"LANGSMITH_TRACING": "1"}, "LANGSMITH_TRACING is not exactly 'true'"),
        ({"LANGCHAIN_TRACING_V2": "false"}, "LANGCHAIN_TRACING_V2 is not exactly 'true'"),
        ({"LANGSMITH_PROJECT": "a\nb"}, "no HTTP header can hold this name"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "https://api.smith.langchain.com/otel"},
         "every span goes there twice"),
    ],
)  # fmt: skip
def test_what_is_not_is_named(more: dict[str, str], said: str) -> None:
    (problem,) = problems({**ON, **more})
    assert said in problem


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, Plan(sends=True, mode="langsmith")),
        ({"LANGSMITH_OTEL_ENABLED": "true"}, Plan(sends=True, mode="hybrid")),
        ({"LANGSMITH_OTEL_ONLY": "true"}, Plan(sends=True, mode="otel")),
        ({"LANGSMITH_TRACING": "1"}, Plan(sends=True, mode="")),
        ({"OTELKIT_LANGSMITH": "stamp"}, Plan(stamps=True, mode="langsmith")),
        ({"OTELKIT_LANGSMITH": "off"}, Plan()),
        ({"LANGSMITH_API_KEY": ""}, Plan()),
    ],
)
def test_the_plan(more: dict[str, str], expected: Plan) -> None:
    environ = {**ON, **more}
    assert plan(Settings.from_env(environ), environ) == expected
