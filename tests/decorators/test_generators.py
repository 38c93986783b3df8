"""A generator's span covers its life, is current in its body only, and changes nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import inspect
import logging
import types
from contextvars import ContextVar

import pytest
import wrapt
from opentelemetry import trace

import otelkit
from otelkit import traced, traced_stage, traced_tool
from otelkit.context import bound
from otelkit.decorators import _state


def current() -> str | None:
    span = trace.get_current_span()
    return span.name if span.is_recording() else None


@traced
def numbers(count):
    for number in range(count):
        with traced_stage(f"step {number}"):
            pass
        assert current() == "numbers"
        yield number


@traced
async def anumbers(count):
    for number in range(count):
        await asyncio.sleep(0)
        with traced_stage(f"step {number}"):
            pass
        assert current() == "anumbers"
        yield number


@pytest.fixture(autouse=True)
def _no_complaints(caplog):
    yield
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


class TestGenerators:
    def test_the_span_is_current_in_the_body_and_nowhere_else(self, seen):
        for _ in numbers(2):
            assert current() is None
        assert seen.parent("stage step 0") == seen.parent("stage step 1") == "numbers"
        assert seen.parent("numbers") is None

    def test_consumers_spans_are_no_children_of_it(self, seen):
        with traced_tool("consumer"):
            for number in numbers(2):
                with traced_stage(f"consumed {number}"):
                    pass
        assert seen.parent("numbers") == "execute_tool consumer"
        assert seen.parent("stage consumed 1") == "execute_tool consumer"

    def test_stopping_early_is_marked_and_no_error(self, seen):
        for _ in numbers(5):
            break
        gc.collect()
        assert seen.attributes("numbers")["otelkit.stopped_early"] is True
        assert seen.span("numbers").status.is_unset
        assert current() is None

    def test_collected_half_way(self, seen):
        generator = numbers(5)
        next(generator)
        assert "numbers" not in seen.names
        del generator
        gc.collect()
        assert seen.attributes("numbers")["otelkit.stopped_early"] is True

    def test_never_iterated_makes_no_span(self, seen):
        numbers(5)
        gc.collect()
        assert seen.names == []
        assert seen.points("otelkit.active") == []

    def test_an_exception_in_the_body(self, seen):
        @traced
        def fails():
            yield 1
            raise ValueError("inside")

        with pytest.raises(ValueError, match="inside"):
            list(fails())
        assert seen.attributes("fails")["error.type"] == "ValueError"
        assert len(seen.events("fails")) == 1

    def test_an_exception_in_the_consumer_is_not_the_generators(self, seen):
        def consume():
            for _ in numbers(3):
                raise KeyError("mine")

        with pytest.raises(KeyError):
            consume()
        gc.collect()
        assert seen.span("numbers").status.is_unset

    def test_send_throw_and_the_return_value_are_kept(self, seen):
        @traced
        def talk():
            got = yield "first"
            try:
                yield got * 2
            except ValueError as error:
                yield f"caught {error}"
            return "end"

        generator = talk()
        assert next(generator) == "first"
        assert generator.send(21) == 42
        assert generator.throw(ValueError("x")) == "caught x"
        with pytest.raises(StopIteration) as stop:
            next(generator)
        assert stop.value.value == "end"
        assert seen.attributes("talk")["otelkit.output.type"] == "str"

    def test_yield_from_a_traced_generator_gives_its_value(self, seen):
        @traced
        def inner():
            yield 1
            return 5

        def outer():
            return (yield from inner())

        generator = outer()
        next(generator)
        with pytest.raises(StopIteration) as stop:
            next(generator)
        assert stop.value.value == 5

    def test_close_runs_the_bodys_finally_inside_the_span(self, seen):
        ran_in = []

        @traced
        def careful():
            try:
                yield 1
            finally:
                ran_in.append(current())

        generator = careful()
        next(generator)
        generator.close()
        assert ran_in == ["careful"]

    def test_closed_in_another_task(self, seen):
        async def work():
            generator = numbers(3)
            next(generator)

            async def close():
                generator.close()

            await asyncio.create_task(close())

        asyncio.run(work())
        assert seen.attributes("numbers")["otelkit.stopped_early"] is True


class TestAsyncGenerators:
    def test_the_span_is_current_in_the_body_and_nowhere_else(self, seen):
        async def consume():
            async for _ in anumbers(2):
                assert current() is None

        asyncio.run(consume())
        assert seen.parent("stage step 0") == seen.parent("stage step 1") == "anumbers"

    def test_break_is_stopping_early(self, seen):
        async def consume():
            async for _ in anumbers(5):
                break
            gc.collect()
            while "anumbers" not in seen.names:
                await asyncio.sleep(0)

        asyncio.run(consume())
        assert seen.attributes("anumbers")["otelkit.stopped_early"] is True
        assert seen.span("anumbers").status.is_unset

    def test_a_loop_that_ends_closes_what_is_left_open(self, seen):
        async def consume():
            kept = anumbers(5)
            await anext(kept)
            return kept

        asyncio.run(consume())
        assert "otelkit.stopped_early" in seen.attributes("anumbers")

    def test_never_iterated_makes_no_span(self, seen):
        async def consume():
            anumbers(5)

        asyncio.run(consume())
        assert seen.names == []

    def test_asend_athrow_aclose(self, seen):
        @traced
        async def talk():
            got = yield "first"
            await asyncio.sleep(0)
            try:
                yield got * 2
            except ValueError as error:
                await asyncio.sleep(0)
                yield f"caught {error}"

        async def speak():
            generator = talk()
            assert await anext(generator) == "first"
            assert await generator.asend(21) == 42
            assert await generator.athrow(ValueError("x")) == "caught x"
            await generator.aclose()

        asyncio.run(speak())
        assert seen.attributes("talk")["otelkit.stopped_early"] is True

    def test_closed_in_another_task_without_complaint(self, seen):
        async def work():
            generator = anumbers(3)
            await anext(generator)
            await asyncio.create_task(generator.aclose())

        asyncio.run(work())
        assert seen.attributes("anumbers")["otelkit.stopped_early"] is True
        assert current() is None

    def test_an_exception_in_the_body(self, seen):
        @traced
        async def fails():
            yield 1
            raise ValueError("inside")

        async def consume():
            with pytest.raises(ValueError, match="inside"):
                [_ async for _ in fails()]

        asyncio.run(consume())
        assert seen.attributes("fails")["error.type"] == "ValueError"

    def test_cancelled_while_waiting(self, seen):
        entered = []

        @traced
        async def waits():
            yield 1
            entered.append(True)
            await asyncio.Event().wait()

        async def consume():
            async for _ in waits():
                pass

        async def cancel():
            task = asyncio.create_task(consume())
            while not entered:
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(cancel())
        assert seen.attributes("waits")["otelkit.cancelled"] is True

    def test_timeouts_and_tasks_of_the_body_work(self, seen):
        @traced
        async def busy():
            async def child():
                return current()

            yield await asyncio.create_task(child())
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(asyncio.Event().wait(), 0.01)
            yield "waited"

        async def consume():
            return [value async for value in busy()]

        assert asyncio.run(consume()) == ["busy", "waited"]

    def test_no_task_is_made_for_a_chunk(self, seen):
        async def consume():
            tasks = set()
            async for _ in anumbers(3):
                tasks.add(len(asyncio.all_tasks()))
            return tasks

        assert asyncio.run(consume()) == {1}


class TestVariablesOfTheCaller:
    """A plain generator shares its caller's; a traced one does at its first value and its end."""

    SESSION: ContextVar[str] = ContextVar("session")

    def test_what_a_context_manager_sets_is_seen_in_its_block(self, seen):
        @contextlib.contextmanager
        @traced
        def session(name):
            token = self.SESSION.set(name)
            try:
                yield
            finally:
                self.SESSION.reset(token)

        with session("a"):
            assert self.SESSION.get() == "a"
            with session("b"):
                assert self.SESSION.get() == "b"
            assert self.SESSION.get() == "a"
        assert self.SESSION.get(None) is None
        with pytest.raises(KeyError), session("c"):
            raise KeyError
        assert self.SESSION.get(None) is None
        assert len(seen.spans) == 3

    def test_of_an_asynchronous_one_too(self, seen):
        @contextlib.asynccontextmanager
        @traced
        async def session(name):
            await asyncio.sleep(0)
            token = self.SESSION.set(name)
            try:
                yield
            finally:
                await asyncio.sleep(0)
                self.SESSION.reset(token)

        async def main():
            async with session("a"):
                assert self.SESSION.get() == "a"
            assert self.SESSION.get(None) is None

        asyncio.run(main())
        assert len(seen.spans) == 1

    def test_the_span_is_not_shared(self, seen):
        @traced
        def numbers():
            with otelkit.bind(user_id="u"):
                self.SESSION.set("x")
                yield 1

        generator = numbers()
        context = contextvars.copy_context()
        assert context.run(next, generator) == 1
        assert context[self.SESSION] == "x"
        assert not context.run(trace.get_current_span).get_span_context().is_valid
        assert context.run(bound) == {}

    def test_ended_in_another_context_than_it_began_in(self, seen):
        @traced
        def numbers():
            token = self.SESSION.set("x")
            with otelkit.traced("inside"):
                yield 1
            self.SESSION.reset(token)

        generator = numbers()
        contextvars.copy_context().run(next, generator)
        with pytest.raises(StopIteration):
            contextvars.copy_context().run(next, generator)
        assert [name.rpartition(".")[2] for name in seen.names] == ["inside", "numbers"]

    def test_whoever_closes_it_gets_nothing_of_another_callers(self, seen):
        @traced
        def numbers():
            yield 1
            self.SESSION.set("tenant a")
            yield 2

        def begin():
            generator = numbers()
            return [next(generator), next(generator), generator]

        def close(generator):
            generator.close()
            return self.SESSION.get(None)

        def collect(cycle):
            cycle.append(cycle)
            del cycle
            gc.collect()
            return self.SESSION.get(None)

        *_, generator = contextvars.copy_context().run(begin)
        assert contextvars.copy_context().run(close, generator) is None
        assert (
            contextvars.copy_context().run(collect, contextvars.copy_context().run(begin)) is None
        )

    def test_whoever_closes_an_asynchronous_one_neither(self, seen):
        @traced
        async def numbers():
            yield 1
            self.SESSION.set("tenant a")
            yield 2

        async def main():
            generator = numbers()

            async def begin():
                await anext(generator)
                await anext(generator)

            async def close():
                await generator.aclose()
                return self.SESSION.get(None)

            await asyncio.create_task(begin())
            return await asyncio.create_task(close())

        assert asyncio.run(main()) is None

    def test_closing_takes_back_what_its_first_value_gave(self, seen):
        @traced
        def numbers():
            token = self.SESSION.set("x")
            try:
                yield 1
            finally:
                self.SESSION.reset(token)

        generator = numbers()
        next(generator)
        assert self.SESSION.get() == "x"
        generator.close()
        assert self.SESSION.get(None) is None

    def test_what_the_caller_sets_meanwhile_stays(self, seen):
        @traced
        def numbers():
            yield 1
            self.SESSION.set("older")
            yield 2

        def call():
            generator = numbers()
            next(generator)
            next(generator)
            self.SESSION.set("newer")
            assert list(generator) == []
            return self.SESSION.get()

        assert contextvars.copy_context().run(call) == "newer"


class Iterators:
    """An iterator of both kinds, and no generator."""

    def __init__(self):
        self.left = [2, 1]

    def __iter__(self):
        return self

    def __next__(self):
        if not self.left:
            raise StopIteration
        return self.left.pop()

    def __aiter__(self):
        return self

    async def __anext__(self):
        if not self.left:
            raise StopAsyncIteration
        return self.left.pop()


class TestWhatOnlySaysThatItIsAGenerator:
    """As functions do whose wrapper gives an iterator of its own."""

    def test_an_iterator(self, seen):
        @wrapt.decorator
        def iterators(wrapped, instance, args, kwargs):
            return Iterators()

        def body():
            yield

        decorated = traced(iterators(body))
        assert inspect.isgeneratorfunction(iterators(body))
        assert list(decorated()) == [1, 2]
        assert len(seen.spans) == 1

    @pytest.mark.parametrize("live", [True, False])
    def test_an_asynchronous_iterator(self, seen, monkeypatch, live):
        monkeypatch.setattr(_state.state, "live", live)
        monkeypatch.setattr("otelkit.decorators._operation.wake", lambda: False)

        @wrapt.decorator
        def iterators(wrapped, instance, args, kwargs):
            return Iterators()

        async def body():
            yield

        async def main():
            return [one async for one in traced(iterators(body))()]

        assert asyncio.run(main()) == [1, 2]
        assert len(seen.spans) == live


def test_what_a_body_returns_when_it_is_closed(seen):
    def body():
        try:
            yield 1
        except GeneratorExit:
            return 5

    closed = []
    for function in (body, traced(body)):
        generator = function()
        next(generator)
        closed.append(generator.close())
    assert closed[0] == closed[1]
    assert seen.spans[0].attributes["otelkit.stopped_early"] is True


def test_a_body_that_is_thrown_what_closing_throws(seen):
    def body(heed):
        try:
            yield 1
        except GeneratorExit:
            if heed:
                raise
        return 5

    for heed, raised in ((True, GeneratorExit), (False, StopIteration)):
        generator = traced(body)(heed)
        next(generator)
        with pytest.raises(raised):
            generator.throw(GeneratorExit())
    assert len(seen.spans) == 2


def test_a_coroutine_of_the_old_kind_can_be_awaited(seen):
    @traced
    @types.coroutine
    def old():
        return (yield from asyncio.sleep(0, 7).__await__())

    async def main():
        return await old()

    assert asyncio.run(main()) == 7
    assert len(seen.spans) == 1
