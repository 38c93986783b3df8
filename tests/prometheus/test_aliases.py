"""The alias families of SEMCONV's table, from what the decorators and the server really record."""

from __future__ import annotations

from typing import Any

import pytest

from otelkit import semconv
from otelkit.prometheus import aliases
from otelkit.prometheus.families import Buckets, Family, Labels
from tests.prometheus.conftest import Measuring

REQUEST = {
    semconv.HTTP_REQUEST_METHOD: "GET",
    semconv.URL_SCHEME: "http",
    semconv.NETWORK_PROTOCOL_VERSION: "1.1",
    semconv.HTTP_ROUTE: "/items/{id}",
}
AGENT = {semconv.AGENT_NAME: "architect", semconv.WORKFLOW_NAME: "generate"}
MODEL = {semconv.PROVIDER_NAME: "openai", semconv.REQUEST_MODEL: "gpt-5-mini"}
FAILED = {semconv.OUTCOME: "failed", semconv.ERROR_TYPE: "ValueError"}
COMPLETED = {semconv.OUTCOME: "completed"}


def measure(measuring: Measuring) -> None:
    """Two of everything, the second one failing where it can."""
    meter = measuring.meter

    def histogram(name: str, *attributes: dict[str, Any]) -> None:
        unit, bounds = semconv.UNITS[name], semconv.BUCKETS[name]
        made = meter.create_histogram(name, unit, explicit_bucket_boundaries_advisory=bounds)
        for each in attributes:
            made.record(2, each)

    def number(name: str, make: Any, *attributes: dict[str, Any]) -> None:
        made = make(name, semconv.UNITS[name])
        for each in attributes:
            made.add(5, each)

    status = semconv.HTTP_RESPONSE_STATUS_CODE
    for name in (
        semconv.HTTP_SERVER_DURATION,
        semconv.HTTP_SERVER_REQUEST_SIZE,
        semconv.HTTP_SERVER_RESPONSE_SIZE,
    ):
        histogram(name, {**REQUEST, status: 200}, {**REQUEST, status: 500, "error.type": "500"})
    number(semconv.HTTP_SERVER_ACTIVE_REQUESTS, meter.create_up_down_counter, REQUEST)
    histogram(semconv.AGENT_DURATION, {**AGENT, **COMPLETED}, {**AGENT, **FAILED})
    workflow = {semconv.WORKFLOW_NAME: "generate"}
    histogram(semconv.WORKFLOW_DURATION, {**workflow, **COMPLETED}, {**workflow, **FAILED})
    histogram(semconv.STAGE_DURATION, {**workflow, semconv.STAGE_NAME: "plan", **COMPLETED})
    kinds = [{semconv.KIND: kind, semconv.NAME: "x"} for kind in ("workflow", "agent")]
    number(semconv.ACTIVE, meter.create_up_down_counter, *kinds)
    histogram(
        semconv.CLIENT_OPERATION_DURATION,
        {**MODEL, **AGENT, **COMPLETED},
        {**MODEL, **AGENT, **FAILED, semconv.RESPONSE_MODEL: "gpt-5-mini-1"},
    )
    tokens = [{**MODEL, semconv.TOKEN_TYPE: t} for t in ("input", "output", "cache_read")]
    number(semconv.LLM_TOKENS, meter.create_counter, *tokens)
    number(semconv.LLM_COST, meter.create_counter, {**MODEL, **AGENT}, MODEL)


def derived(
    measuring: Measuring, namespace: str | None, aliases_: tuple[str, ...] = ()
) -> dict[str, Family]:
    measure(measuring)
    families = measuring.families()
    target = Family("target", "info", "")
    version = (("deployment_environment_name", "test"), ("host", "h"), ("service_version", "1"))
    target.points[version] = 1
    families["target"] = target
    return {f.name: f for f in aliases.derive(families, namespace, aliases_)}


def labelled(**labels: str) -> Labels:
    return tuple(sorted(labels.items()))


ROUTE = {"method": "GET", "endpoint": "/items/{id}"}
OPENAI = {"provider": "openai", "model": "gpt-5-mini"}
NUMBERS = {
    "b_http_requests": {labelled(**ROUTE, status="200"): 1, labelled(**ROUTE, status="500"): 1},
    "b_http_requests_inprogress": {labelled(**ROUTE): 5},
    "b_agent_executions": {
        labelled(agent_name="architect", status="completed"): 1,
        labelled(agent_name="architect", status="failed"): 1,
    },
    "b_agent_errors": {labelled(agent_name="architect", error_type="ValueError"): 1},
    "b_workflow_executions": {labelled(status="completed"): 1, labelled(status="failed"): 1},
    "b_active_workflows": {(): 5},
    "b_llm_requests": {labelled(**OPENAI): 2},
    "b_llm_errors": {labelled(provider="openai", error_type="ValueError"): 1},
    "b_llm_tokens_used": {
        labelled(**OPENAI, type="prompt"): 5,
        labelled(**OPENAI, type="completion"): 5,
    },
    "b_llm_cost_usd": {labelled(**OPENAI): 10},
    "b_system": {labelled(version="1", environment="test"): 1},
}
HISTOGRAMS = {
    "b_http_request_duration_seconds": (labelled(**ROUTE), 2),
    "b_http_request_size_bytes": (labelled(**ROUTE), 2),
    "b_http_response_size_bytes": (labelled(**ROUTE), 2),
    "b_agent_execution_duration_seconds": (labelled(agent_name="architect"), 2),
    "b_workflow_duration_seconds": ((), 2),
    "b_workflow_stages_duration_seconds": (labelled(stage="plan"), 1),
    "b_llm_request_duration_seconds": (labelled(**OPENAI), 2),
}


def test_every_alias_of_the_table(measuring: Measuring) -> None:
    found = derived(measuring, "b")
    assert set(found) == {*NUMBERS, *HISTOGRAMS}
    for name, points in NUMBERS.items():
        assert found[name].points == points, name
    for name, (labels, count) in HISTOGRAMS.items():
        ((key, value),) = found[name].points.items()
        assert isinstance(value, Buckets)
        assert (key, sum(value.counts), value.sum) == (labels, count, 2 * count), name
    counters = {name for name, family in found.items() if family.kind == "counter"}
    assert counters == {n for n in NUMBERS if n not in (
        "b_http_requests_inprogress", "b_active_workflows", "b_system"
    )}  # fmt: skip


def test_the_names_of_the_instrumentator(measuring: Measuring) -> None:
    found = derived(measuring, None, ("instrumentator",))
    assert set(found) == {
        "http_requests", "http_request_duration_seconds", "http_requests_inprogress",
    }  # fmt: skip
    path = {"method": "GET", "path": "/items/{id}"}
    assert found["http_requests"].points == {
        labelled(**path, status="200"): 1,
        labelled(**path, status="500"): 1,
    }
    assert set(found["http_requests_inprogress"].points) == {labelled(**path)}


def test_what_is_collected_stays_as_it_was(measuring: Measuring) -> None:
    measure(measuring)
    families = measuring.families()
    before = {name: str(family) for name, family in families.items()}
    assert aliases.derive(families, "b", ("instrumentator",))
    assert {name: str(family) for name, family in families.items()} == before


def test_nothing_is_derived_unless_asked_for(measuring: Measuring) -> None:
    assert derived(measuring, None) == {}


@pytest.mark.parametrize(
    ("name", "expected"), [("uploads", "shop_uploads"), ("shop_uploads", None)]
)
def test_metrics_of_the_application_get_the_namespace(name: str, expected: str | None) -> None:
    family = Family(name, "counter", "Uploads.", user=True, points={(): 3})
    found = aliases.derive({name: family}, "shop", ())
    assert [(f.name, f.points) for f in found] == ([(expected, {(): 3})] if expected else [])
