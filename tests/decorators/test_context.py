"""Parent and child are right wherever the work runs; bound values and names are inherited."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from opentelemetry import baggage, trace
from opentelemetry.instrumentation.threading import ThreadingInstrumentor

import otelkit
from otelkit import context, traced, traced_agent, traced_llm, traced_stage, traced_workflow
from otelkit.settings import Settings


@pytest.fixture
def threads():
    ThreadingInstrumentor().instrument()
    yield
    ThreadingInstrumentor().uninstrument()


def test_tasks(seen):
    @traced
    async def child(name):
        with traced_stage(name):
            await asyncio.sleep(0)

    @traced
    async def parent():
        await asyncio.gather(child("a"), child("b"))

    asyncio.run(parent())
    children = [span for span in seen.spans if span.name == "child"]
    assert len(children) == 2
    for stage in ("stage a", "stage b"):
        assert seen.span(stage).parent.span_id in {c.context.span_id for c in children}
    assert {s.context.trace_id for s in seen.spans} == {seen.spans[0].context.trace_id}


def test_threads_pools_and_executors(seen, threads):
    @traced_stage
    def plain():
        pass

    @traced_stage
    def pooled():
        pass

    @traced_stage
    def to_thread():
        pass

    @traced_stage
    def executed():
        pass

    @traced_workflow
    async def flow():
        thread = threading.Thread(target=plain)
        thread.start()
        thread.join()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(pooled).result()
        await asyncio.to_thread(to_thread)
        await asyncio.get_running_loop().run_in_executor(None, executed)

    asyncio.run(flow())
    for name in ("plain", "pooled", "to_thread", "executed"):
        assert seen.parent(f"stage {name}") == "invoke_workflow flow"
        assert seen.attributes(f"stage {name}")["gen_ai.workflow.name"] == "flow"


def test_agent_and_workflow_are_inherited_by_the_nearest(seen):
    @traced_llm(provider="openai", model="m")
    def ask():
        return None

    @traced_agent
    def inner():
        ask()

    @traced_agent
    def outer():
        inner()

    with traced_workflow("flow"):
        outer()
    asked = seen.attributes("chat m")
    assert (asked["gen_ai.agent.name"], asked["gen_ai.workflow.name"]) == ("inner", "flow")


def test_an_explicit_parent_of_somebody_else_is_kept(seen):
    with seen.tracers.get_tracer("mine").start_as_current_span("request"):
        traced(lambda: None)()
    assert seen.span("request").context.span_id == seen.spans[0].parent.span_id


class TestBind:
    def test_values_are_in_scope_inside_and_gone_outside(self):
        assert dict(context.bound()) == {}
        with otelkit.bind(user_id="u", session_id="s", tags=["a"]):
            with otelkit.bind(user_id="v", tags=["b"], request_id="r"):
                assert dict(context.bound()) == {
                    "user.id": "v",
                    "gen_ai.conversation.id": "s",
                    "otelkit.tags": ("a", "b"),
                    "otelkit.request.id": "r",
                }
            assert context.bound()["user.id"] == "u"
        assert dict(context.bound()) == {}

    def test_a_tag_given_again_inside_is_there_once(self):
        with otelkit.bind(tags=["a", "b", "a"]), otelkit.bind(tags=["b", "c"]):
            assert context.bound()["otelkit.tags"] == ("a", "b", "c")

    def test_across_await_and_tasks(self):
        async def read():
            await asyncio.sleep(0)
            return context.bound().get("user.id")

        async def work():
            async with otelkit.bind(user_id="u"):
                return await asyncio.create_task(read()), await read()

        assert asyncio.run(work()) == ("u", "u")

    def test_across_threads(self, threads):
        with otelkit.bind(user_id="u"), ThreadPoolExecutor(1) as pool:
            assert pool.submit(lambda: context.bound()["user.id"]).result() == "u"

    @pytest.mark.parametrize("tags", [5, b"beta", object(), 1.5])
    def test_tags_that_are_no_list_are_a_clear_error(self, tags):
        with pytest.raises(otelkit.ConfigError, match="expected a list of texts"):
            otelkit.bind(tags=tags)

    def test_no_tags(self):
        with otelkit.bind(tags=None, user_id="u"):
            assert dict(context.bound()) == {"user.id": "u"}

    def test_values_without_text_are_left_out_and_said(self, caplog):
        class Hostile:
            def __str__(self):
                raise RuntimeError

        def tags():
            yield "a"
            raise KeyError

        with otelkit.bind(user_id=Hostile(), session_id=7, tags=["a", Hostile(), None, "\ud800"]):
            assert dict(context.bound()) == {
                "gen_ai.conversation.id": "7",
                "otelkit.tags": ("a", "\\ud800"),
            }
        with otelkit.bind(tags=tags(), user_id=10**5000):
            assert dict(context.bound()) == {}
        assert "RuntimeError" in caplog.text

    def test_one_string_for_tags_is_a_clear_error(self):
        with pytest.raises(otelkit.ConfigError, match=r'tags=\["beta"\]'):
            otelkit.bind(tags="beta")

    def test_no_baggage_unless_asked_for(self):
        with otelkit.bind(user_id="u"):
            assert baggage.get_all() == {}

    def test_as_baggage_when_asked_for(self):
        context.configure(Settings(baggage=True))
        try:
            with otelkit.bind(user_id="u", tags=["a", "b"]):
                carried = dict(baggage.get_all())
            assert carried == {"user.id": "u", "otelkit.tags": "a,b"}
            caller = baggage.set_baggage("user.id", "them")
            caller = baggage.set_baggage("otelkit.tags", "a,b", caller)
            caller = baggage.set_baggage("other", "ignored", caller)
            assert context.bound(caller) == {"user.id": "them", "otelkit.tags": ("a", "b")}
        finally:
            context.configure(Settings())


def test_nothing_is_current_after_everything(seen):
    assert not trace.get_current_span().get_span_context().is_valid
