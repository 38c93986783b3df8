"""Every kind of function keeps its kind, its signature, its results and its exceptions."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import copy
import functools
import gc
import inspect
import os
import pickle
import traceback
import weakref
from collections import abc

import pytest
from opentelemetry import trace

import otelkit
from otelkit import traced, traced_agent, traced_llm, traced_stage, traced_tool, traced_workflow


@traced
def module_level(x: int, *, y: str = "b") -> str:
    """Says x and y."""
    return f"{x}{y}"


def test_a_function(seen):
    assert module_level(1, y="c") == "1c"
    assert seen.names == ["module_level"]


def test_a_wrapped_function_looks_like_the_original():
    original = module_level.__wrapped__
    assert inspect.signature(module_level) == inspect.signature(original)
    assert (module_level.__name__, module_level.__doc__) == ("module_level", "Says x and y.")
    assert pickle.loads(pickle.dumps(module_level)) is module_level


@pytest.mark.parametrize("decorate", [traced, traced(), traced("n"), traced(name="n")])
def test_bare_and_with_arguments(seen, decorate):
    assert decorate(lambda: 5)() == 5
    assert len(seen.spans) == 1


def test_a_coroutine_function(seen):
    @traced
    async def work() -> int:
        await asyncio.sleep(0)
        return 3

    assert inspect.iscoroutinefunction(work)
    assert asyncio.run(work()) == 3
    assert seen.names == ["work"]


def test_a_generator_function(seen):
    @traced
    def numbers():
        yield from (1, 2)

    assert inspect.isgeneratorfunction(numbers)
    assert list(numbers()) == [1, 2]
    assert seen.names == ["numbers"]


def test_an_asynchronous_generator_function(seen):
    @traced
    async def numbers():
        for number in (1, 2):
            await asyncio.sleep(0)
            yield number

    async def collect():
        return [number async for number in numbers()]

    assert inspect.isasyncgenfunction(numbers)
    assert asyncio.run(collect()) == [1, 2]
    assert seen.names == ["numbers"]


class Service:
    @traced_tool
    def method(self, x):
        return self, x

    @traced_tool
    @staticmethod
    def static_inside(x):
        return x

    @staticmethod
    @traced_tool
    def static_outside(x):
        return x

    @traced_tool
    @classmethod
    def class_inside(cls, x):
        return cls, x

    @classmethod
    @traced_tool
    def class_outside(cls, x):
        return cls, x

    @functools.cached_property
    @traced_tool
    def cached(self):
        return 9


def test_methods_of_every_kind_in_either_order(seen):
    service = Service()
    assert service.method(1) == (service, 1)
    assert Service.static_inside(2) == service.static_outside(2) == 2
    assert Service.class_inside(3) == service.class_outside(3) == (Service, 3)
    assert service.cached == 9
    assert [name.split()[1] for name in seen.names] == [
        "method", "static_inside", "static_outside", "class_inside", "class_outside", "cached",
    ]  # fmt: skip


def test_a_plain_span_has_the_qualified_name(seen):
    class Service:
        @traced
        def method(self):
            pass

    Service().method()
    assert seen.names == ["Service.method"]


def test_a_partial(seen):
    def add(a, b):
        return a + b

    assert traced_tool(functools.partial(add, 1))(2) == 3
    assert seen.names == ["execute_tool add"]


def test_a_partial_of_a_coroutine_function(seen):
    async def add(a, b):
        return a + b

    add_one = traced_tool(functools.partial(add, 1))
    assert inspect.iscoroutinefunction(add_one)
    assert asyncio.run(add_one(2)) == 3
    assert seen.names == ["execute_tool add"]


def test_callable_objects(seen):
    class Adder:
        def __call__(self, x):
            return x + 1

    class Later:
        async def __call__(self, x):
            return x + 1

    assert traced_tool(Adder())(1) == 2
    assert asyncio.run(traced_tool(Later())(1)) == 2
    assert seen.names == ["execute_tool Adder", "execute_tool Later"]


def test_a_callable_object_stays_what_it_is(seen):
    class Model:
        scale = 2

        def __init__(self):
            self.calls = 0

        def __call__(self, x):
            self.calls += 1
            if x is None:
                raise KeyError("x")
            return x * self.scale

        def reset(self):
            self.calls = 0

    model = Model()
    traced_model = traced_tool(model)
    assert isinstance(traced_model, Model)
    assert inspect.signature(traced_model) == inspect.signature(model)
    assert traced_model(3) == 6
    assert (traced_model.calls, model.calls, traced_model.scale) == (1, 1, 2)
    traced_model.reset()
    traced_model.scale = 10
    assert traced_model(3) == 30
    assert copy.copy(traced_model)(3) == 30
    assert copy.deepcopy(traced_model).calls == 1
    with pytest.raises(KeyError) as caught:
        traced_model(None)
    frames = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert frames[1:] == ["traced", "__call__"]
    assert seen.names == ["execute_tool Model"] * 3


def test_two_decorators_on_a_callable_object(seen):
    class Later:
        async def __call__(self):
            yield trace.get_current_span().name

    async def consume():
        return [name async for name in traced_stage("outer")(traced_tool(Later()))()]

    assert asyncio.run(consume()) == ["execute_tool Later"]
    assert seen.parent("execute_tool Later") == "stage outer"


def test_a_builtin(seen):
    assert traced_tool(len)("abc") == 3
    assert seen.names == ["execute_tool len"]


class TestClasses:
    def test_run_is_traced_and_the_class_stays_a_class(self, seen):
        @traced_agent
        class Architect:
            def run(self, task):
                return task.upper()

            def other(self):
                return 1

        assert inspect.isclass(Architect)
        assert isinstance(Architect(), Architect)
        assert Architect().run("x") == "X"
        Architect().other()
        assert seen.names == ["invoke_agent Architect"]

    def test_call_is_traced_where_there_is_no_run(self, seen):
        @traced_agent("caller")
        class Agent:
            async def __call__(self, task):
                return task

        assert asyncio.run(Agent()("x")) == "x"
        assert seen.names == ["invoke_agent caller"]

    def test_a_named_method(self, seen):
        @traced_agent(method="solve")
        class Agent:
            @classmethod
            def solve(cls):
                return cls

        assert Agent.solve() is Agent
        assert seen.names == ["invoke_agent Agent"]

    def test_an_inherited_method_is_traced_in_the_subclass_only(self, seen):
        class Base:
            def run(self):
                return 1

        @traced_agent
        class Sub(Base):
            pass

        Base().run()
        assert seen.names == []
        Sub().run()
        assert seen.names == ["invoke_agent Sub"]

    def test_a_class_without_the_method_is_a_clear_error(self):
        with pytest.raises(
            otelkit.ConfigError, match="Empty has neither run nor __call__ to trace: name a method"
        ):
            traced_agent(type("Empty", (), {}))


@pytest.mark.parametrize("wrong", [5, None.__class__, ["f"]])
def test_what_cannot_be_traced_is_a_clear_error(wrong):
    with pytest.raises(otelkit.ConfigError):
        traced_tool(wrong)


@pytest.mark.parametrize("options", [{"capture": "all"}, {"attributes": ["a"]}])
def test_wrong_options_are_a_clear_error_at_decoration(options):
    with pytest.raises(otelkit.ConfigError):
        traced_stage("plan", **options)


class TestBlocks:
    def test_a_block_gives_the_span(self, seen):
        with traced_stage("plan") as span:
            span.set_attribute("mine", 1)
        assert seen.attributes("stage plan")["mine"] == 1

    def test_an_asynchronous_block(self, seen):
        async def work():
            async with traced_workflow("flow"), traced_stage("plan"):
                await asyncio.sleep(0)

        asyncio.run(work())
        assert seen.parent("stage plan") == "invoke_workflow flow"

    def test_one_object_entered_nested(self, seen):
        stage = traced_stage("again")
        with stage as outer, stage as inner:
            assert outer is not inner
        inner_span, outer_span = seen.spans
        assert inner_span.parent.span_id == outer_span.context.span_id

    def test_one_object_entered_by_many_tasks_at_once(self, seen):
        stage = traced_stage("shared")

        async def enter(number, all_in):
            with stage as span:
                span.set_attribute("number", number)
                all_in.append(number)
                while len(all_in) < 5:
                    await asyncio.sleep(0)
            # What ended is this task's own span.
            assert not span.is_recording()

        async def together():
            all_in = []
            await asyncio.gather(*(enter(number, all_in) for number in range(5)))

        asyncio.run(together())
        assert {span.attributes["number"] for span in seen.spans} == set(range(5))
        assert all(span.parent is None for span in seen.spans)

    def test_one_object_entered_by_interleaved_generators(self, seen):
        stage = traced_stage("shared")

        def work(number):
            with stage as span:
                span.set_attribute("number", number)
                yield span

        def interleave():
            first, second = work(1), work(2)
            span, other = next(first), next(second)
            first.close()
            assert not span.is_recording()
            assert other.is_recording()
            second.close()

        # A block in a suspended generator changes its consumer's context, which ends here.
        contextvars.copy_context().run(interleave)
        assert [s.attributes["number"] for s in seen.spans] == [1, 2]


class TestExceptions:
    def test_the_exception_is_the_original_with_one_more_frame(self, seen):
        error = ValueError("no")

        @traced
        def fail():
            raise error

        with pytest.raises(ValueError, match="no") as caught:
            fail()
        assert caught.value is error
        frames = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
        assert frames[1:] == ["traced", "fail"]

    def test_generators_too_show_one_more_frame(self, seen):
        @traced
        def numbers():
            yield 1
            raise KeyError

        @traced
        async def later():
            yield 1
            await asyncio.sleep(0)
            raise KeyError

        async def consume():
            async for _ in later():
                pass

        for run, name in ((lambda: list(numbers()), "numbers"), (consume, "later")):
            with pytest.raises(KeyError) as caught:
                asyncio.run(run()) if run is consume else run()
            frames = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
            assert frames[-2:] == ["traced", name]
            assert frames.count("traced") == 1

    def test_status_and_type_and_one_event(self, seen):
        @traced_stage("inner")
        def fail():
            raise LookupError("nothing there")

        with pytest.raises(LookupError), traced_workflow("outer"):
            fail()
        for name in ("stage inner", "invoke_workflow outer"):
            assert seen.span(name).status.description == "LookupError: nothing there"
            assert seen.attributes(name)["error.type"] == "LookupError"
        (event,) = seen.events("stage inner")
        assert event["exception.type"] == "LookupError"
        assert event["exception.message"] == "nothing there"
        assert "raise LookupError" in event["exception.stacktrace"]
        assert seen.events("invoke_workflow outer") == []

    def test_a_further_trace_records_the_same_exception_again(self, seen):
        error = ValueError("kept")

        @traced
        def fail():
            raise error

        for _ in range(2):
            with pytest.raises(ValueError, match="kept"):
                fail()
        assert [len(span.events) for span in seen.spans] == [1, 1]

    def test_secrets_in_messages_are_not_written(self, seen):
        @traced
        def fail():
            raise RuntimeError("cannot log in with password=hunter2")

        with pytest.raises(RuntimeError, match="hunter2"):
            fail()
        (event,) = seen.events("fail")
        written = str(event) + str(seen.span("fail").status.description)
        assert "hunter2" not in written.replace('"cannot log in with password=hunter2"', "")

    def test_an_exception_that_cannot_say_what_it_is(self, seen):
        class Mute(Exception):
            def __str__(self):
                raise RuntimeError("no words")

            def __setattr__(self, name, value):
                raise RuntimeError("no attributes")

        @traced
        def fail():
            raise Mute

        with pytest.raises(Mute):
            fail()
        assert "without a readable message" in seen.span("fail").status.description

    def test_cancellation_is_no_error(self, seen):
        @traced_tool
        async def wait():
            await asyncio.Event().wait()

        async def cancel():
            task = asyncio.create_task(wait())
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(cancel())
        span = seen.span("execute_tool wait")
        assert span.status.is_unset
        assert span.attributes["otelkit.cancelled"] is True
        assert "error.type" not in span.attributes
        (point,) = seen.points("gen_ai.execute_tool.duration")
        assert point.attributes["otelkit.outcome"] == "cancelled"

    @pytest.mark.parametrize(("code", "failed"), [(0, False), (None, False), (3, True)])
    def test_a_clean_exit_is_no_error(self, seen, code, failed):
        @traced
        def leave():
            raise SystemExit(code)

        with pytest.raises(SystemExit):
            leave()
        assert seen.span("leave").status.is_ok is not failed
        assert ("error.type" in seen.attributes("leave")) is failed


class TestWhatAnObjectCanDo:
    def test_a_function_with_methods_keeps_them(self, seen):
        @traced
        @functools.lru_cache
        def cached(x):
            return x

        assert cached(1) == cached(1) == 1
        assert cached.cache_info().hits == 1
        cached.cache_clear()
        assert cached.cache_info().hits == 0
        assert len(seen.spans) == 2

    def test_one_in_a_class_is_a_method(self, seen):
        class Service:
            @traced
            @functools.lru_cache  # noqa: B019
            def cached(self, x):
                return [self, x]

        service = Service()
        assert service.cached(1) == [service, 1]
        assert Service.cached(service, 1) == [service, 1]
        assert service.cached.cache_info().hits == 1
        assert len(seen.spans) == 2

    def test_an_object_with_a_get_of_its_own(self, seen):
        class Task:
            def __get__(self, instance, owner=None):
                return self

            def __call__(self):
                return 1

            def submit(self):
                return "sent"

        task = traced(Task())
        holder = type("Holder", (), {"task": task})
        assert task() == holder().task() == holder.task() == 1
        assert task.submit() == "sent"
        assert isinstance(task, Task)
        assert len(seen.spans) == 3

    def test_a_plain_callable_is_nothing_else(self):
        class Tool:
            def __call__(self):
                return 1

        tool = traced(Tool())
        kinds = (
            *(abc.Iterable, abc.Sized, abc.Container, abc.Reversible, abc.Awaitable),
            *(abc.AsyncIterable, abc.Iterator, os.PathLike),
            *(contextlib.AbstractContextManager, contextlib.AbstractAsyncContextManager),
        )
        assert [kind for kind in kinds if isinstance(tool, kind)] == []
        assert not hasattr(tool, "__next__")
        assert not inspect.isroutine(tool)
        assert bool(tool)
        with pytest.raises(TypeError):
            iter(tool)

    def test_what_its_type_can_do_works(self):
        class Handle:
            def __call__(self):
                return 1

            def __await__(self):
                yield from asyncio.sleep(0).__await__()
                return 3

            async def __aenter__(self):
                return self

            async def __aexit__(self, *error):
                return None

            def __aiter__(self):
                return self

            async def __anext__(self):
                raise StopAsyncIteration

            def __iter__(self):
                return iter((1, 2))

            def __next__(self):
                return 5

            def __len__(self):
                return 2

            def __fspath__(self):
                return "/"

        handle = traced(Handle())

        async def use():
            async with handle as entered:
                assert isinstance(entered, Handle)
            assert [one async for one in handle] == []
            return await handle

        assert asyncio.run(use()) == 3
        assert (list(handle), next(handle), len(handle), os.fspath(handle)) == ([1, 2], 5, 2, "/")
        assert isinstance(handle, abc.Awaitable)

    def test_what_python_does_with_another_method_works(self):
        class Sequence:
            def __call__(self):
                return 1

            def __getitem__(self, index):
                return (1, 2)[index]

            def __len__(self):
                return 2

        sequence = traced(Sequence())
        assert (list(sequence), list(reversed(sequence))) == ([1, 2], [2, 1])
        assert 2 in sequence
        assert sequence[0] == 1

    def test_what_it_lets_go_of_is_let_go(self):
        class Big:
            pass

        class Tool:
            def __init__(self):
                self.history = Big()

            def __call__(self):
                return 1

        tool = Tool()
        history = weakref.ref(tool.history)
        decorated = traced(tool)
        tool.history = None
        gc.collect()
        assert history() is None
        assert decorated() == 1


def test_a_task_cancelled_before_its_first_step_ends_its_call(seen):
    @traced_agent
    def begin():
        async def work():
            return 1

        return work()

    async def main():
        task = asyncio.create_task(begin())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    gc.collect()
    assert seen.names == ["invoke_agent begin"]
    assert seen.attributes("invoke_agent begin")["otelkit.stopped_early"] is True
    assert [point.value for point in seen.points("otelkit.active")] == [0]
    assert asyncio.run(begin()) == 1
    assert "otelkit.stopped_early" not in seen.spans[-1].attributes


class TestAnObjectThatRaisesWhenItIsAsked:
    @pytest.mark.parametrize("decorator", [traced, traced_llm, traced("given"), traced_tool])
    def test_is_traced(self, seen, decorator):
        class Unready:
            def __getattr__(self, name):
                raise RuntimeError("working outside of application context")

            def __call__(self, x):
                return x + 1

        assert decorator(Unready())(1) == 2
        assert len(seen.spans) == 1

    def test_is_traced_as_what_a_class_runs(self, seen):
        class Unready:
            def __getattr__(self, name):
                raise RuntimeError("working outside of application context")

            def __call__(self, x):
                return x + 1

        class Agent:
            run = Unready()

        assert traced_agent(Agent)().run(1) == 2
        assert seen.names == ["invoke_agent Agent"]
