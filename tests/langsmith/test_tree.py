"""Which spans are runs, and where they hang."""

from __future__ import annotations

import asyncio
import gc
import threading
import uuid
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from langsmith import run_trees
from langsmith._internal._sampling import is_sampled_by_id
from langsmith.run_trees import RunTree
from opentelemetry import context, trace
from opentelemetry.propagate import extract
from opentelemetry.trace import SpanKind

import otelkit
from otelkit import enrich
from otelkit.langsmith import _native, _runs
from otelkit.langsmith._sampling import is_sampled
from tests.langsmith.conftest import Application, Connect

UPSTREAM = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}


def http(application: Application, name: str = "POST /ask", **options: Any) -> Any:
    tracer = application.provider.get_tracer("otelkit.fastapi")
    return tracer.start_as_current_span(name, kind=SpanKind.SERVER, **options)


def sql(application: Application) -> None:
    application.provider.get_tracer("otelkit.sqlalchemy").start_span("SELECT").end()


@otelkit.traced_workflow
def answer(application: Application) -> None:
    with otelkit.traced_stage("plan"), application.tracer.start_as_current_span("helper"):
        agent(application)
    sql(application)


@otelkit.traced_agent("writer")
def agent(application: Application) -> None:
    sql(application)
    with otelkit.traced("plain"):
        look_up("x")
        ask("why")


@otelkit.traced_tool
def look_up(word: str) -> str:
    return word


@otelkit.traced_llm(provider="openai", model="gpt-5-mini")
def ask(question: str) -> dict[str, Any]:
    return {
        "object": "chat.completion",
        "id": "chatcmpl-1",
        "model": "gpt-5-mini-2025-08-07",
        "choices": [{"message": {"role": "assistant", "content": "because"}}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15},
    }


TREE = """\
chain answer
  chain plan
    chain writer
      tool look_up
      llm chat gpt-5-mini"""


def test_kept_spans_hang_on_the_nearest_kept_one(application: Application) -> None:
    with http(application):
        answer(application)
    assert application.tree() == TREE
    assert len(application.jaeger.spans) == 10


def test_the_first_root_keeps_the_trace_id(application: Application) -> None:
    with http(application) as span:
        trace_id = f"{span.get_span_context().trace_id:032x}"
        answer(application)
    runs = application.runs()
    assert {run.trace_id.replace("-", "") for run in runs} == {trace_id}
    assert {run.metadata["otel_trace_id"] for run in runs} == {trace_id}


def test_two_workflows_in_one_request_are_two_traces(application: Application) -> None:
    with http(application) as span:
        answer(application)
        answer(application)
    assert application.tree() == f"{TREE}\n{TREE}"
    runs = application.runs()
    assert len({run.trace_id for run in runs}) == 2
    ids = {run.metadata["otel_trace_id"] for run in runs}
    assert ids == {f"{span.get_span_context().trace_id:032x}"}


def test_workflows_that_start_at_once_are_two_traces(application: Application) -> None:
    barrier = threading.Barrier(8)

    def work(inherited: Any) -> None:
        token = context.attach(inherited)
        barrier.wait()
        answer(application)
        context.detach(token)

    with http(application), ThreadPoolExecutor(8) as pool:
        list(pool.map(work, [context.get_current()] * 8))
    runs = application.runs()
    assert len(runs) == 8 * 5
    assert len({run.trace_id for run in runs if run.parent_id is None}) == 8


def test_a_caller_upstream_is_no_parent(application: Application) -> None:
    for _ in range(2):  # another request of the same trace must not take its place
        with http(application, context=extract(UPSTREAM)):
            answer(application)
    assert application.tree() == f"{TREE}\n{TREE}"
    runs = application.runs()
    assert {run.metadata["otel_trace_id"] for run in runs} == {UPSTREAM["traceparent"][3:35]}
    assert not any(run.trace_id.replace("-", "") == UPSTREAM["traceparent"][3:35] for run in runs)


def test_a_run_without_anything_around_it_is_a_root(application: Application) -> None:
    ask("why")
    (run,) = application.runs()
    assert (run.name, run.parent_id) == ("chat gpt-5-mini", None)


def test_what_goes_on_after_its_workflow_still_hangs_on_it(application: Application) -> None:
    async def main() -> None:
        async def later() -> None:
            await asyncio.sleep(0)
            look_up("x")

        with otelkit.traced_workflow("request"):
            task = asyncio.create_task(later())
        await task

    asyncio.run(main())
    assert application.tree() == "chain request\n  tool look_up"


def test_what_goes_on_after_a_request_is_a_root_of_its_own(application: Application) -> None:
    with http(application):
        inherited = context.get_current()
    for _ in range(2):
        token = context.attach(inherited)
        look_up("x")
        context.detach(token)
    assert application.tree() == "tool look_up\ntool look_up"


def test_a_span_marked_after_its_start_is_a_run(application: Application) -> None:
    with application.tracer.start_as_current_span("pipeline") as span:
        span.set_attribute("langsmith.span.kind", "chain")
        look_up("x")
        with application.tracer.start_as_current_span("search") as inner:
            inner.set_attribute("langsmith.span.kind", "retriever")
    assert application.tree() == "chain pipeline\n  tool look_up\n  retriever search"


def test_spans_of_other_libraries_are_runs(application: Application) -> None:
    with otelkit.traced_workflow("request"):
        for name, attributes in {
            "embed": {"gen_ai.operation.name": "embeddings"},
            "find": {"gen_ai.operation.name": "retrieval"},
            "infer": {"openinference.span.kind": "LLM"},
            "metry": {"llm.request.type": "chat"},
            "task": {"traceloop.span.kind": "task"},
        }.items():
            application.tracer.start_span(name, attributes=attributes).end()
    assert application.tree() == "\n".join(
        ("chain request", "  embedding embed", "  retriever find", "  llm infer", "  llm metry",
         "  chain task")
    )  # fmt: skip


def test_two_thousand_spans_in_one_trace(application: Application) -> None:
    with otelkit.traced_workflow("big"):
        for number in range(200):
            with otelkit.traced_agent(f"agent {number}"):
                for _ in range(4):
                    look_up("x")
                with otelkit.traced_stage("ask"):
                    for _ in range(4):
                        ask("why")
    runs = application.runs()
    assert len(runs) == 1 + 200 * 10
    assert [run.name for run in runs if run.parent_id is None] == ["big"]
    assert application.queue.counts().lost == 0
    assert max(application.langsmith.sizes) <= 100
    there = [s.span_id for s in application.jaeger.spans if s.name == "chat gpt-5-mini"]
    usages = [run.usage for run in runs if run.run_type == "llm"]
    assert len(there) == len(usages) == 800
    assert {(usage["total_tokens"], usage["total_cost"] > 0) for usage in usages} == {(15, True)}


def test_generators_hang_where_they_were_made(application: Application) -> None:
    @otelkit.traced_agent
    def numbers() -> Any:
        yield look_up("one")
        yield look_up("two")

    with otelkit.traced_workflow("outer"):
        made = numbers()
        next(made)
        with otelkit.traced_stage("between"):
            look_up("three")
            next(made)
        made.close()
    assert application.tree() == "\n".join(
        ("chain outer", "  chain numbers", "    tool look_up", "    tool look_up",
         "  chain between", "    tool look_up")
    )  # fmt: skip
    assert application.langsmith.run("numbers").metadata["stopped_early"] is True


def test_sampling_keeps_or_drops_whole_traces(connected: Connect) -> None:
    application = connected(LANGSMITH_TRACING_SAMPLING_RATE="0.5")
    for _ in range(60):
        answer(application)
    runs = application.runs()
    assert len(application.jaeger.spans) == 60 * 9
    roots = [run for run in runs if run.parent_id is None]
    assert 10 <= len(roots) <= 50
    assert len(runs) == 5 * len(roots)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9])
def test_sampling_decides_as_langsmith_does(rate: float) -> None:
    ids = [str(uuid.uuid4()) for _ in range(500)]
    assert [is_sampled(one, rate) for one in ids] == [is_sampled_by_id(one, rate) for one in ids]


def test_an_unsampled_run_has_no_link(connected: Connect) -> None:
    application = connected(LANGSMITH_TRACING_SAMPLING_RATE="0")
    with otelkit.traced_workflow("unseen"):
        assert otelkit.langsmith.run_id() is None
    assert application.runs() == []
    assert "otelkit.langsmith.run_url" not in application.span("invoke_workflow unseen")


def test_a_span_that_never_ends_is_forgotten(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enrich, "_OPEN_AT_MOST", 0)  # of which as many as that are remembered
    span = application.tracer.start_span("lost", attributes={"gen_ai.operation.name": "chat"})
    place = _runs.place_of(span.get_span_context())
    assert place is not None
    forgotten = weakref.ref(place.run)
    del span, place
    assert forgotten() is None


def test_tasks_that_start_each_other_hold_no_memory(application: Application) -> None:
    inherited = context.get_current()
    first = None
    for _ in range(350):
        token = context.attach(inherited)
        with otelkit.traced_workflow("poll") as span:
            inherited = context.get_current()
        context.detach(token)
        if first is None:
            place = _runs.place_of(span.get_span_context())
            assert place is not None
            first = weakref.ref(place.run)
            del place
    runs = application.runs()
    assert len(runs) == 350
    assert len([run for run in runs if run.parent_id is None]) == 4
    gc.collect()
    assert first() is None


def test_threads_share_what_langsmith_knows_of_a_span_and_that_is_bounded(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    barrier = threading.Barrier(4)

    def made_at_once(**values: Any) -> Any:
        made = RunTree(**values)
        barrier.wait(30)
        return made

    with otelkit.traced_workflow("outer") as span:
        place = _runs.place_of(span.get_span_context())
    assert place is not None
    with monkeypatch.context() as slower, ThreadPoolExecutor(4) as pool:
        slower.setattr(run_trees, "RunTree", made_at_once)
        trees = list(pool.map(lambda _: _native._tree(place.run, "tests"), range(4)))
    assert len({id(tree) for tree in trees}) == 1
    for _ in range(300):
        trees[0].create_child(name="below")
    assert len(trees[0].child_runs) == 100


def test_what_a_span_is_part_of_survives_a_wrapper(application: Application) -> None:
    with otelkit.traced_workflow("outer") as span:
        carried = trace.NonRecordingSpan(span.get_span_context())
    with trace.use_span(carried):
        look_up("x")
    assert application.tree() == "chain outer\n  tool look_up"


def test_hostile_attributes_do_not_stop_anything(connected: Connect) -> None:
    application = connected(OTELKIT_CAPTURE="full")
    with otelkit.traced_workflow("outer"):
        span = application.tracer.start_span("odd", attributes={"gen_ai.operation.name": "chat"})
        span.set_attribute("gen_ai.input.messages", "[")
        span.set_attribute("gen_ai.output.messages", '{"a": 1}')
        span.set_attribute("gen_ai.usage.input_tokens", "many")
        span.set_attribute("gen_ai.usage.cost.amount", "much")
        span.set_attribute("otelkit.tags", 7)
        span.end()
    assert application.tree() == "chain outer\n  llm odd"
    odd = application.langsmith.run("odd")
    assert odd.inputs == {"input": "["}
    assert (odd.outputs or {})["a"] == 1


@pytest.mark.parametrize("sampled", [True, False])
def test_a_current_span_of_nobody_is_no_obstacle(application: Application, sampled: bool) -> None:
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED if sampled else 0)
    nobody = trace.NonRecordingSpan(trace.SpanContext(1 << 90, 1 << 40, False, flags))
    with trace.use_span(nobody):
        look_up("x")
    assert application.tree() == ("tool look_up" if sampled else "")
