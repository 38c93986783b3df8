"""Arguments and results on spans: bounded, safe with any value, withheld unless asked for."""

from __future__ import annotations

import json

import pytest

from otelkit import traced, traced_agent, traced_stage, traced_tool
from otelkit.decorators import _content


class Hostile:
    """Everything a value could do to whoever looks at it."""

    def __repr__(self):
        raise RuntimeError("repr")

    __str__ = __iter__ = __len__ = __bool__ = __eq__ = __repr__
    __hash__ = object.__hash__

    def __getattr__(self, name):
        raise RuntimeError("getattr")


@traced
def echo(value):
    return value


@pytest.mark.parametrize("mode", ["off", "metadata", "redacted", "full"])
def test_no_value_makes_a_call_raise(seen, capturing, mode):
    capturing(mode)
    circular: dict = {}
    circular["self"] = circular
    values = [
        circular,
        Hostile(),
        float("nan"),
        "\ud800",
        b"\xff",
        iter([1]),
        {Hostile(): 1},
        10**5000,
    ]
    for value in values:
        assert echo(value) is value
    assert len(seen.spans) == len(values)


def test_nothing_is_encoded_unless_asked_for(seen):
    echo("hello")
    assert seen.attributes("echo") == {
        "otelkit.input.type": "str",
        "otelkit.input.length": 5,
        "otelkit.output.type": "str",
        "otelkit.output.length": 5,
    }


def test_off_writes_nothing(seen, capturing):
    capturing("off")
    echo("hello")
    assert seen.attributes("echo") == {}


def test_a_decorators_own_mode_wins(seen):
    @traced(capture="full")
    def work(x):
        return x

    work([1, 2])
    attributes = seen.attributes("work")
    assert json.loads(attributes["otelkit.input"]) == {"x": [1, 2]}
    assert json.loads(attributes["otelkit.output"]) == [1, 2]
    assert attributes["otelkit.input.size"] == len(attributes["otelkit.input"])


def test_arguments_have_the_names_of_the_signature(seen, capturing):
    capturing("full")

    @traced_stage
    def work(first, second=2, *rest, third, **more):
        return None

    work(1, 2, 3, 4, third=5, fourth=6)
    assert json.loads(seen.attributes("stage work")["otelkit.input"]) == {
        "first": 1,
        "second": 2,
        "rest": [3, 4],
        "third": 5,
        "fourth": 6,
    }


def test_a_tools_arguments_and_result_have_the_conventions_names(seen, capturing):
    capturing("redacted")

    @traced_tool
    def search(query):
        return ["a", "b"]

    search("x")
    attributes = seen.attributes("execute_tool search")
    assert json.loads(attributes["gen_ai.tool.call.arguments"]) == {"query": "x"}
    assert json.loads(attributes["gen_ai.tool.call.result"]) == ["a", "b"]


def test_passwords_are_not_written(seen, capturing):
    capturing("redacted")

    @traced
    def connect(host, password, options=None):
        return {"token": "tok-1234"}

    connect("h", "hunter2", options={"api_key": "k-5678"})
    connect("h", password="hunter2")
    written = str([dict(span.attributes) for span in seen.spans])
    assert "hunter2" not in written
    assert "tok-1234" not in written
    assert "k-5678" not in written
    assert '"h"' in written


@pytest.mark.parametrize("mode", ["metadata", "redacted", "full"])
def test_self_and_cls_are_never_written(seen, capturing, mode):
    capturing(mode)

    class Service(Hostile):
        secret = "mine"

        @traced_tool
        def method(self, x):
            return x

        @traced_tool
        @classmethod
        def made(cls, x):
            return x

    service = object.__new__(Service)
    service.method(1)
    Service.made(1)
    for span in seen.spans:
        assert "Service" not in str(dict(span.attributes))
        assert "mine" not in str(dict(span.attributes))


def test_a_large_argument_is_cut_while_it_is_encoded(seen, capturing):
    capturing("full")
    touched = []

    class Items(list):
        def __getitem__(self, index):  # pragma: no cover - must not be called
            touched.append(index)
            return super().__getitem__(index)

    echo({"text": "x" * 5_000_000, "items": Items(range(1_000_000))})
    attributes = seen.attributes("echo")
    assert len(attributes["otelkit.input"].encode()) <= _content.max_bytes
    json.loads(attributes["otelkit.input"])
    assert attributes["otelkit.input.truncated"] is True
    assert "otelkit.input.size" not in attributes
    assert touched == []


def test_generators_as_arguments_are_not_consumed(seen, capturing):
    capturing("full")
    numbers = (n for n in range(3))
    echo(numbers)
    assert list(numbers) == [0, 1, 2]


def test_an_agent_class_writes_its_task(seen, capturing):
    capturing("full")

    @traced_agent
    class Agent:
        def run(self, task):
            return task

    Agent().run("build")
    assert json.loads(seen.attributes("invoke_agent Agent")["otelkit.input"]) == {"task": "build"}


def test_nothing_is_encoded_for_a_span_that_is_not_recorded(seen, capturing, monkeypatch):
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

    from otelkit import capture
    from otelkit.decorators._state import state

    capturing("full")
    unsampled = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    state.tracer = unsampled.get_tracer("otelkit")
    monkeypatch.setattr(capture, "encode", None)
    monkeypatch.setattr(capture, "encode_call", None)
    assert echo([1]) == [1]
    assert seen.spans == []
