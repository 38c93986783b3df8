"""Whatever a value, an exception or a class does: the call goes on, and its span ends."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import signal
import threading

import pytest
from opentelemetry import trace

from otelkit import ConfigError, instruments, traced_agent, traced_llm, traced_stage
from otelkit.decorators._state import state


class Unreadable(Exception):
    def __getattr__(self, name):
        raise KeyError(name)


class MetaHostile(type):
    def __getattribute__(cls, name):
        raise RuntimeError(name)


class OfHostileClass(metaclass=MetaHostile):
    pass


def still_clean(seen):
    assert not trace.get_current_span().get_span_context().is_valid
    assert all(point.value == 0 for point in seen.points("otelkit.active"))


@pytest.mark.parametrize("kind", ["unreadable", "exit"])
def test_a_hostile_exception_is_passed_on_and_the_span_ends(seen, kind):
    error = Unreadable() if kind == "unreadable" else SystemExit(object())

    @traced_agent
    def fails():
        raise error

    with pytest.raises(type(error)) as caught:
        fails()
    assert caught.value is error
    assert seen.names == ["invoke_agent fails"]
    still_clean(seen)


def test_values_of_a_hostile_class(seen):
    value = object.__new__(OfHostileClass)
    assert traced_agent(lambda a, b: a)(value, 1) is value
    assert traced_llm(model="m")(lambda: value)() is value
    state.warned = False
    still_clean(seen)


@pytest.mark.parametrize(
    "options", [{"name": 5}, {"name": ["a"]}, {"method": 3}, {"name": object()}]
)
def test_options_of_the_wrong_type_are_a_clear_error(options):
    with pytest.raises(ConfigError, match="expected a string"):
        traced_agent(**options)


@pytest.mark.parametrize("options", [{"model": ["a"]}, {"provider": 1}, {"operation": None}])
def test_llm_options_of_the_wrong_type_are_a_clear_error(options):
    with pytest.raises(ConfigError, match="expected a string"):
        traced_llm(**options)


def test_tokens_and_costs_that_are_no_numbers_do_not_count(seen):
    with traced_llm(provider="p", model="m") as call:
        call.record_usage(input_tokens=-5, output_tokens=float("nan"), cost=float("nan"))
        call.record_usage(input_tokens=3, cost=-1)
    assert seen.attributes("chat m")["gen_ai.usage.input_tokens"] == 3
    assert seen.points("otelkit.llm.cost") == []
    assert [p.value for p in seen.points("otelkit.llm.tokens")] == [3]


def test_a_traced_call_ended_by_the_collector_of_garbage_inside_the_totals(seen):
    @traced_agent
    def numbers():
        yield 1

    class Trap(dict):
        """Stands for a collection of garbage at the worst moment."""

        def setdefault(self, key, default):
            open_ones.clear()
            return super().setdefault(key, default)

    open_ones = [numbers()]
    next(open_ones[0])
    instruments.active._totals = Trap(instruments.active._totals)
    done = threading.Thread(target=lambda: instruments.active.add((("a", "b"),), 1), daemon=True)
    done.start()
    done.join(10)
    assert not done.is_alive()


def test_a_signal_handler_may_call_traced_functions(seen):
    agent = traced_agent(lambda: None)

    def handler(number, frame):
        with instruments.active._lock:  # as if it had interrupted an addition
            agent()

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert len(seen.spans) == 1


def test_a_coroutine_behind_a_plain_function_is_awaited(seen):
    async def create():
        await asyncio.sleep(0)
        assert trace.get_current_span().is_recording()
        return {"object": "chat.completion", "choices": [], "usage": {"prompt_tokens": 4}}

    @traced_llm(provider="openai", model="m")
    def ask():
        return create()

    asyncio.run(ask())
    assert seen.attributes("chat m")["gen_ai.usage.input_tokens"] == 4


def test_a_partial_in_a_class_is_not_bound(seen):
    @traced_agent
    class Agent:
        run = functools.partial(max, 1)

    assert Agent().run(2) == 2
    assert seen.names == ["invoke_agent Agent"]


class Chunks:
    def __init__(self):
        self.left = [1, 2]

    def __iter__(self):
        return self

    def __next__(self):
        if not self.left:
            raise StopIteration
        return self.left.pop(0)


def test_a_stream_has_just_the_methods_it_has(seen):
    @traced_llm(model="m")
    def ask():
        return Chunks()

    stream = ask()
    assert isinstance(stream, Chunks)
    assert getattr(stream, "close", None) is None
    assert getattr(stream, "aclose", None) is None
    assert list(stream) == [1, 2]


def test_usage_inside_does_not_hide_ones_own(seen):
    def chat(id, tokens):
        usage = {"prompt_tokens": tokens, "completion_tokens": 0, "total_tokens": tokens}
        return {"id": id, "object": "chat.completion", "choices": [], "usage": usage}

    inner = traced_llm(provider="openai", model="inner")(lambda: chat("a", 7))

    @traced_llm(provider="openai", model="outer")
    def outer():
        inner()
        return chat("b", 1000)

    outer()
    assert seen.attributes("chat outer")["gen_ai.usage.input_tokens"] == 1000
    assert seen.attributes("chat inner")["gen_ai.usage.input_tokens"] == 7


def test_a_shared_object_in_exit_stacks_of_several_tasks(seen):
    stage = traced_stage("shared")

    async def enter(number, inside, leave):
        async with contextlib.AsyncExitStack() as stack:
            span = await stack.enter_async_context(stage)
            span.set_attribute("number", number)
            inside.append(span)
            await leave.wait()
        assert not span.is_recording()

    async def run():
        events = [asyncio.Event() for _ in range(3)]
        inside: list = []
        tasks = [asyncio.create_task(enter(n, inside, e)) for n, e in enumerate(events)]
        while len(inside) < 3:
            await asyncio.sleep(0)
        for number in (0, 2, 1):
            events[number].set()
            await tasks[number]
            assert [span.attributes["number"] for span in seen.spans][-1] == number

    asyncio.run(run())


def test_nothing_of_a_response_is_kept_after_the_call(seen):
    import weakref

    class Response(dict):
        pass

    response = Response(object="chat.completion", choices=[], usage={"prompt_tokens": 1})
    gone = weakref.ref(response)
    traced_llm(provider="openai", model="m")(lambda r: None)(response)
    with traced_llm(provider="openai", model="m") as call:
        call.record(response)
    del response, call
    gc.collect()
    assert gone() is None
