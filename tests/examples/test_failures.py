"""What the example service does when schemas, models and clients go wrong."""

from __future__ import annotations

import http.client
import json
from typing import Any

import pytest

from otelkit.cli._demo_trace import Trace
from tests.examples.service import Service, until


@pytest.fixture
def service(service_on_sqlite: Service) -> Service:
    return service_on_sqlite


def failed(trace: Trace) -> set[str]:
    return {span.name for span in trace.spans if span.failed}


def newest(service: Service) -> dict[str, Any]:
    run: dict[str, Any] = service.ask("/runs?limit=1").json[0]
    return run


def test_a_wrong_schema_is_answered_with_422_that_names_each_problem(service: Service) -> None:
    columns = [
        {"name": "id", "type": "integr", "primary_key": True},
        {"name": "user_id", "type": "uuid", "foreign_key": "users.id"},
    ]
    answer = service.ask("/generate", {"tables": [{"name": "orders", "columns": columns}]})
    assert answer.status == 422
    assert answer.json["detail"] == [
        {
            "type": "schema_error",
            "loc": ["body", "tables", "orders", "columns", "id"],
            "msg": "table 'orders', column 'id': unknown type 'integr'; did you mean 'integer'?",
        },
        {
            "type": "schema_error",
            "loc": ["body", "tables", "orders", "columns", "user_id"],
            "msg": "table 'orders', column 'user_id': foreign key refers to unknown table 'users'",
        },
    ]
    assert newest(service)["status"] == "rejected"
    trace = service.trace(answer)
    assert "stage validate" in failed(trace)
    assert trace.llm_calls == []


def test_a_body_of_the_wrong_shape_is_answered_with_422(service: Service) -> None:
    answer = service.ask("/generate", {"tables": [{"name": "orders", "columns": [{"name": "x"}]}]})
    assert answer.status == 422
    assert answer.json["detail"][0]["loc"] == ["body", "tables", 0, "columns", 0, "type"]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("error=500", "the model gave no answer: Error code: 500"),
        ("error=429", "the model gave no answer: Error code: 429"),
        ("truncate", "the model gave no answer: Connection error. (peer closed connection"),
        ("garbage", "no usable answer in two attempts: invalid syntax"),
    ],
)
def test_a_failing_agent_is_answered_with_502_and_stored(
    service: Service, sample: dict[str, Any], fault: str, reason: str
) -> None:
    answer = service.ask("/generate", {**sample, "llm": {"coder": f"gpt-5-mini@{fault}"}})
    assert answer.status == 502
    assert answer.json["agent"] == "coder"
    assert answer.json["detail"].startswith(f"agent 'coder' failed: {reason}")
    run = newest(service)
    assert (run["status"], run["error"]) == ("failed", answer.json["detail"])

    trace = service.trace(answer)
    assert {
        "POST /generate",
        "invoke_workflow generate_models",
        "stage generate",
        "invoke_agent coder",
    } <= failed(trace)
    coders = [span for span in trace.spans if span.name == "invoke_agent coder" and span.failed]
    assert {span.attributes["error.type"].rpartition(".")[2] for span in coders} == {"AgentFailed"}
    calls = [span for span in trace.llm_calls if span.agent == "coder" and span.failed]
    assert bool(calls) == (fault != "garbage")  # nonsense is an answer like any other


@pytest.mark.parametrize("fault", ["garbage-once", "error-once=500", "delay=0.1"])
def test_a_passing_trouble_is_survived(
    service: Service, sample: dict[str, Any], fault: str
) -> None:
    answer = service.ask("/generate", {**sample, "llm": {"architect": f"gpt-5@{fault}"}})
    assert answer.status == 200, answer.text


def test_nonsense_is_logged_with_the_reason(service: Service, sample: dict[str, Any]) -> None:
    answer = service.ask("/generate", {**sample, "llm": {"architect": "gpt-5@garbage"}})
    assert answer.json["detail"].startswith("agent 'architect' failed: no usable answer")
    warnings = [r for r in service.trace(answer).logs if r["body"] == "answer refused"]
    assert [record["attributes"]["attempt"] for record in warnings] == [1, 2]
    assert all("Invalid JSON" in record["attributes"]["reason"] for record in warnings)


def test_a_failure_ends_a_stream_with_an_error(service: Service, sample: dict[str, Any]) -> None:
    wanted = {**sample, "llm": {"reviewer": "gpt-5-nano@error=500"}}
    name, data = service.ask("/generate/stream", wanted).events[-1]
    assert name == "error"
    assert data["agent"] == "reviewer"


def test_a_client_that_leaves_cancels_its_run(service: Service, sample: dict[str, Any]) -> None:
    body = json.dumps({**sample, "llm": {"coder": "gpt-5-mini@delay=30"}})
    connection = http.client.HTTPConnection(service.url.removeprefix("http://"), timeout=10)
    connection.request("POST", "/generate/stream", body, {"content-type": "application/json"})
    response = connection.getresponse()
    while b"generate" not in response.readline():
        pass
    response.close()
    connection.close()
    until(lambda: newest(service)["status"] == "cancelled")
