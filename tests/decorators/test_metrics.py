"""Metrics of the decorators: for every call, sampled or not, with closed attribute sets."""

from __future__ import annotations

import logging
import os
import threading

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

import otelkit
from otelkit import (
    _recorder,
    instruments,
    semconv,
    traced,
    traced_agent,
    traced_llm,
    traced_stage,
    traced_tool,
    traced_workflow,
)
from otelkit.decorators._state import state


def test_durations_of_every_kind_with_what_they_inherit(seen):
    with traced_workflow("flow"), traced_stage("plan"), traced_agent("coder"), traced_tool("grep"):
        pass
    (workflow,) = seen.points(semconv.WORKFLOW_DURATION)
    (stage,) = seen.points(semconv.STAGE_DURATION)
    (agent,) = seen.points(semconv.AGENT_DURATION)
    (tool,) = seen.points(semconv.TOOL_DURATION)
    done = {"otelkit.outcome": "completed"}
    flow = {"gen_ai.workflow.name": "flow"}
    assert workflow.attributes == flow | done
    assert stage.attributes == flow | done | {"otelkit.stage.name": "plan"}
    assert agent.attributes == flow | done | {"gen_ai.agent.name": "coder"}
    assert tool.attributes == done | {"gen_ai.agent.name": "coder", "gen_ai.tool.name": "grep"}
    assert workflow.explicit_bounds == semconv.BUCKETS[semconv.WORKFLOW_DURATION]


def test_failures_are_told_apart_by_type(seen):
    for error in (ValueError, KeyError, ValueError):
        with pytest.raises(error), traced_agent("coder"):
            raise error
    counts = {p.attributes["error.type"]: p.count for p in seen.points(semconv.AGENT_DURATION)}
    assert counts == {"ValueError": 2, "KeyError": 1}


def test_what_runs_is_counted_while_it_runs(seen):
    def running():
        return {
            point.attributes["otelkit.name"]: point.value
            for point in seen.points(semconv.ACTIVE)
            if point.attributes["otelkit.kind"] == "workflow"
        }

    flow = traced_workflow("flow")
    with flow, flow:
        assert running() == {"flow": 2}
    assert running() == {"flow": 0}


def test_plain_spans_are_not_measured(seen):
    traced(lambda: None)()
    assert seen.points(semconv.ACTIVE) == []


def test_unsampled_calls_are_measured_too(seen):
    unsampled = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    state.tracer = unsampled.get_tracer("otelkit")
    with traced_agent("coder"):
        pass
    assert seen.spans == []
    (point,) = seen.points(semconv.AGENT_DURATION)
    assert point.count == 1


def test_every_call_is_in_the_next_collection_whatever_thread_records_it(seen):
    agent = traced_agent("busy")(lambda: None)
    threads = [threading.Thread(target=lambda: [agent() for _ in range(500)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (point,) = seen.points(semconv.AGENT_DURATION)
    assert point.count == 2000


def test_more_than_may_be_noted_is_recorded_at_once(seen, monkeypatch):
    monkeypatch.setattr(_recorder, "_AT_MOST", 3)
    agent = traced_agent("busy")(lambda: None)
    for _ in range(10):
        agent()
    assert len(_recorder._noted) <= 3
    (point,) = seen.points(semconv.AGENT_DURATION)
    assert point.count == 10


def test_a_forked_child_starts_at_zero(seen):
    with traced_agent("parent"):
        pass
    instruments.tokens.add((("a", "b"),), 5)
    child = os.fork()
    if child == 0:
        clean = not _recorder._noted and not instruments.tokens._totals
        os._exit(0 if clean else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert seen.points(semconv.AGENT_DURATION)[0].count == 1


def test_a_fork_waits_for_what_is_being_recorded(monkeypatch):
    monkeypatch.setattr(_recorder, "_PATIENCE", 60)
    recording, may_end, lock = threading.Event(), threading.Event(), threading.Lock()

    def measure():
        with lock:  # as one of the SDK's
            recording.set()
            may_end.wait(60)

    _recorder.later(measure)
    threading.Thread(target=_recorder.drain).start()
    assert recording.wait(60)
    threading.Timer(0.1, may_end.set).start()
    child = os.fork()
    if child == 0:
        os._exit(0 if lock.acquire(blocking=False) else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_a_handler_that_raises_costs_no_measurement(seen):
    class Broken(logging.Handler):
        def emit(self, record):
            raise RuntimeError("broken handler")

    handler = Broken()
    logging.getLogger("otelkit").addHandler(handler)
    try:
        for _ in range(3):
            traced_agent("a" * 2000)(lambda: None)()
    finally:
        _recorder.drain()
        logging.getLogger("otelkit").removeHandler(handler)
    (point,) = seen.points(semconv.AGENT_DURATION)
    assert point.count == 3


def test_series_of_our_totals_are_limited_with_one_warning(caplog, monkeypatch):
    monkeypatch.setattr(instruments, "SERIES_LIMIT", 3)
    totals = instruments.Totals("otelkit.test")
    instruments._all_totals.remove(totals)
    with caplog.at_level(logging.WARNING, "otelkit"):
        for number in range(10):
            totals.add((("n", number),), 1)
    assert len(totals._totals) == 4
    assert totals._totals[(("otel.metric.overflow", True),)] == 7
    (record,) = caplog.records
    assert "otelkit.test has more than 3 series" in record.getMessage()


def test_every_metric_of_the_decorators_says_what_it_is(seen):
    with traced_workflow("w"), traced_stage("s"), traced_agent("a"), traced_tool("t"):
        pass
    with traced_llm(provider="p", model="m") as call:
        call.chunk("text")
        call.record_usage(input_tokens=1, cost=1.0)
    data = seen.reader.get_metrics_data()
    made = [one for each in data.resource_metrics[0].scope_metrics for one in each.metrics]
    assert len(made) == 10
    assert [one.name for one in made if not one.description.endswith(".")] == []


class TestOnesOwn:
    def test_the_same_name_is_the_same_instrument(self):
        assert otelkit.counter("own_uploads") is otelkit.counter("own_uploads")

    def test_a_name_taken_by_another_kind_is_a_clear_error(self):
        otelkit.counter("own_taken")
        with pytest.raises(otelkit.ConfigError, match="taken by a counter"):
            otelkit.gauge("own_taken")

    @pytest.mark.parametrize("name", ["", "9lives", "with space", "x" * 256, None])
    def test_a_name_that_cannot_be_used_is_a_clear_error(self, name):
        with pytest.raises(otelkit.ConfigError, match="a name is a letter"):
            otelkit.counter(name)

    def test_buckets_must_ascend(self):
        with pytest.raises(otelkit.ConfigError, match="buckets must ascend"):
            otelkit.histogram("own_unsorted", buckets=[2, 1])

    def test_timed_records_seconds_also_when_the_block_raises(self, seen):
        histogram = seen.meters.get_meter("mine").create_histogram("mine", "s")
        with pytest.raises(ValueError, match="x"), otelkit.timed(histogram, {"a": "b"}):
            raise ValueError("x")
        (point,) = seen.points("mine")
        assert (point.count, point.attributes) == (1, {"a": "b"})
        assert 0 < point.sum < 5

    @pytest.mark.parametrize("wrong", ["own_encoding", None, otelkit.counter("own_no_histogram")])
    def test_timed_takes_nothing_but_a_histogram_and_says_so_before_the_block(self, wrong):
        begun = []
        with pytest.raises(otelkit.ConfigError, match="takes a histogram"), otelkit.timed(wrong):
            begun.append(True)
        assert not begun

    def test_timed_goes_on_a_function_that_is_called_again_and_again(self, seen):
        histogram = seen.meters.get_meter("mine").create_histogram("mine", "s")
        double = otelkit.timed(histogram)(lambda number: 2 * number)
        assert [double(1), double(2)] == [2, 4]
        (point,) = seen.points("mine")
        assert point.count == 2
