"""The example service from end to end: what it answers, stores and writes, and its trace."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from otelkit.cli._demo_trace import Span, Trace
from tests import postgres
from tests.examples.service import Answer, Service, until

TABLES = ("customers", "orders", "order_items")
FILES = ["__init__.py", "_base.py", "customers.py", "order_items.py", "orders.py"]
# Where PostgreSQL is not installed, SQLite must do.
DATABASES = ["sqlite", *(["postgresql"] if postgres.binaries() else [])]


@pytest.fixture(scope="module", params=DATABASES)
def service(request: pytest.FixtureRequest) -> Service:
    running: Service = request.getfixturevalue(f"service_on_{request.param}")
    return running


@pytest.fixture(scope="module")
def answer(service: Service, sample: dict[str, Any]) -> Answer:
    return service.ask("/generate", sample)


@pytest.fixture(scope="module")
def trace(service: Service, answer: Answer) -> Trace:
    return service.trace(answer)


def named(trace: Trace, name: str) -> list[Span]:
    return [span for span in trace.spans if span.name == name]


def below(span: Span) -> list[str]:
    return [one.name for one in span.walk() if one.kind not in ("sql", "other")][1:]


def test_models_are_generated_written_and_stored(service: Service, answer: Answer) -> None:
    assert answer.status == 200, answer.text
    assert answer.json["models"] == ["Customer", "Order", "OrderItem"]
    assert answer.json["files"] == FILES
    assert any("customer_id" in remark for remark in answer.json["remarks"])

    run = service.ask(f"/runs/{answer.json['run_id']}").json
    assert run["status"] == "completed"
    assert run["tables"] == list(TABLES)
    assert run["remarks"] == answer.json["remarks"]
    assert sum(file["lines"] for file in run["files"]) == answer.json["lines"]
    written = {p.name: p.read_text("utf-8") for p in Path(answer.json["folder"]).iterdir()}
    assert {file["path"]: file["source"] for file in run["files"]} == written
    assert 'class Order(Base):\n    """One row of orders' in written["orders.py"]


def test_the_trace_is_one_tree_under_the_http_span(trace: Trace) -> None:
    [root] = trace.roots
    assert (root.name, root.kind) == ("POST /generate", "http")
    assert root.attributes["http.route"] == "/generate"
    [workflow] = [span for span in root.children if span.kind == "workflow"]
    assert workflow.name == "invoke_workflow generate_models"
    stages = [span.name for span in workflow.children if span.kind == "stage"]
    assert stages == ["stage validate", "stage plan", "stage generate", "stage check"]
    assert [span for span in trace.spans if span.failed] == []


def test_agents_work_in_their_stages_with_their_tools_and_models(trace: Trace) -> None:
    [plan] = named(trace, "stage plan")
    assert below(plan) == [
        "invoke_agent architect",
        "execute_tool recall_class_names",
        "chat gpt-5",
    ]
    [generate] = named(trace, "stage generate")
    assert [span.name for span in generate.children] == ["invoke_agent coder"] * len(TABLES)
    for coder in generate.children:
        steps = ["chat gpt-5-mini", "execute_tool render_model", "chat gpt-5-mini"]
        assert below(coder) == steps
    [check] = named(trace, "stage check")
    assert below(check) == [
        "execute_tool compile_check",
        "invoke_agent reviewer",
        "chat gpt-5-nano",
    ]


def test_queries_hang_where_they_are_made(trace: Trace) -> None:
    queries = [span for span in trace.spans if span.kind == "sql"]
    parents = Counter(span.parent.name for span in queries if span.parent)
    assert parents["execute_tool recall_class_names"] >= 1
    assert parents["invoke_workflow generate_models"] >= 1  # the run's end
    assert parents["POST /generate"] >= 1  # the run's start
    [recall] = named(trace, "execute_tool recall_class_names")
    assert any("generated_files" in s.attributes.get("db.query.text", "") for s in recall.children)


def test_every_llm_call_has_tokens_and_cost(trace: Trace) -> None:
    assert len(trace.llm_calls) == 2 + 2 * len(TABLES)
    for call in trace.llm_calls:
        assert call.attributes["gen_ai.provider.name"] == "openai"
        assert call.attributes["gen_ai.usage.input_tokens"] > 0
        reasoning = call.attributes["gen_ai.usage.reasoning.output_tokens"]
        assert 0 < reasoning < call.attributes["gen_ai.usage.output_tokens"]
        assert call.attributes["gen_ai.usage.cost.amount"] > 0
    cached = "gen_ai.usage.cache_read.input_tokens"
    assert sum(1 for call in trace.llm_calls if call.attributes.get(cached)) == len(TABLES)


def test_messages_are_captured_when_it_was_asked_for(trace: Trace) -> None:
    [call] = named(trace, "chat gpt-5")
    assert "customers" in json.dumps(json.loads(call.attributes["gen_ai.input.messages"]))
    assert "OrderItem" in json.dumps(json.loads(call.attributes["gen_ai.output.messages"]))


def test_the_run_binds_its_id_to_all_that_it_does(answer: Answer, trace: Trace) -> None:
    [workflow] = named(trace, "invoke_workflow generate_models")
    ids = {span.attributes.get("gen_ai.conversation.id") for span in workflow.walk()}
    assert ids == {answer.json["run_id"]}


def test_log_lines_carry_the_trace_and_their_span(trace: Trace) -> None:
    spans = {span.id: span for span in trace.spans}
    where = {str(record["body"]): spans[record["span_id"]].name for record in trace.logs}
    assert where["plan ready"] == "stage plan"
    assert where["models written"] == "stage generate"
    assert where["run completed"] == "POST /generate"
    [ready] = [record for record in trace.logs if record["body"] == "plan ready"]
    assert "OrderItem" in str(ready["attributes"]["class_names"])


def test_files_lines_and_models_are_counted(service: Service, sample: dict[str, Any]) -> None:
    runs = service.ask("/runs?limit=500").json
    before = [run["id"] for run in runs if run["status"] == "completed"]
    lines = service.ask("/generate", sample).json["lines"]
    until(lambda: service.counted("code_files_generated") == len(FILES) * (len(before) + 1))
    assert service.counted("code_models_generated") == len(TABLES) * (len(before) + 1)
    assert service.counted("code_lines_generated") == lines * (len(before) + 1)


def test_names_of_earlier_runs_are_recalled(service: Service, sample: dict[str, Any]) -> None:
    service.ask("/generate", sample)
    trace = service.trace(service.ask("/generate", sample))
    [recall] = named(trace, "execute_tool recall_class_names")
    result = json.loads(recall.attributes["gen_ai.tool.call.result"])
    assert result == {"customers": "Customer", "orders": "Order", "order_items": "OrderItem"}


def test_a_stream_tells_of_the_run_while_it_goes_on(
    service: Service, sample: dict[str, Any]
) -> None:
    answer = service.ask("/generate/stream", sample)
    events = answer.events
    stages = [data["stage"] for name, data in events if name == "stage"]
    assert stages == ["validate", "plan", "generate", "check"]
    texts = dict.fromkeys(TABLES, "")
    for name, data in events:
        if name == "text":
            texts[data["table"]] += data["text"]
    assert "class OrderItem(Base):" in texts["order_items"]
    assert events[-1][0] == "result"
    assert events[-1][1]["files"] == FILES

    trace = service.trace(answer)
    [root] = trace.roots
    assert root.name == "POST /generate/stream"
    [workflow] = [span for span in root.children if span.kind == "workflow"]
    assert workflow.start + workflow.duration * 1e6 <= root.start + root.duration * 1e6
    streamed = [
        s for s in trace.llm_calls if s.attributes.get("gen_ai.response.time_to_first_chunk")
    ]
    assert len(streamed) == len(TABLES)


def test_a_run_that_does_not_exist_is_not_found(service: Service) -> None:
    assert service.ask("/runs/none").status == 404
