"""Runs that langsmith makes itself, beside spans: in one tree, once, in every combination."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import product

import pytest

from tests.langsmith.apps.expected import AT_ONCE, COUNT, GRAPH, USAGE
from tests.langsmith.stand_in import StandIn
from tests.processes import python

FLAGS = ("false", "true")
OUR_SPANS = {
    "question": "invoke_workflow question",
    "researcher": "invoke_agent researcher",
    "look_up": "execute_tool look_up",
    "writer": "invoke_agent writer",
}
THEIR_RUNS = {"LangGraph", "find", "retrieve", "clean", "answer", "GenericFakeChatModel"}

# Every combination of what langsmith's client reads, and how it then records runs.
MODES = ("", "langsmith", "hybrid", "otel")
MATRIX = {
    f"{tracing}-{enabled}-{only}-{mode}": {
        "INSTRUMENTED": "1",
        "LANGSMITH_TRACING": tracing,
        "LANGSMITH_OTEL_ENABLED": enabled,
        "LANGSMITH_OTEL_ONLY": only,
        "LANGSMITH_TRACING_MODE": mode,
    }
    for tracing, enabled, only, mode in product(("true", "false"), FLAGS, FLAGS, MODES)
}
OFF = [name for name in MATRIX if name.startswith("false")]
AS_SPANS = [name for name in MATRIX if re.fullmatch("true-.*-otel|true-.*-true-", name)]
AS_RUNS = [name for name in MATRIX if name not in OFF and name not in AS_SPANS]
HYBRID = "true-true-false-"

# By name, the variables of one run of the application.
SCENES: dict[str, dict[str, str]] = {
    **MATRIX,
    "plain": {},
    "stamp": {"OTELKIT_LANGSMITH": "stamp", "LANGSMITH_TRACING": "false"},
    # Its client makes a tracer provider, which is the process's from then on.
    "late": {"LATE": "1", "LANGSMITH_OTEL_ENABLED": "true",
             "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "",
             "OTEL_TRACES_EXPORTER": "none"},
    "models": {},
    "many": {},
    "sampled": {"LANGSMITH_TRACING_SAMPLING_RATE": "0.5"},
}  # fmt: skip
# Each process runs applications, and each of those its scenes: most of the time is importing.
PROCESSES = (
    {"graph": ("plain", "stamp", *MATRIX), "at_once": ("many", "sampled"), "models": ("models",)},
    {"graph": ("late",)},
)


@dataclass
class Done:
    """A scene that has ended, and what it left behind."""

    langsmith: StandIn
    jaeger: StandIn
    warnings: list[str] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        return self.langsmith.environment(
            OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{self.jaeger.url}/v1/traces",
            OTEL_METRICS_EXPORTER="none",
            OTEL_LOGS_EXPORTER="none",
            OTELKIT_LOG_FORMAT="json",
        )

    @property
    def spans(self) -> list[str]:
        return [span.name for span in self.jaeger.spans]


@pytest.fixture(scope="module")
def done() -> Iterator[dict[str, Done]]:
    """All scenes, after they have ended."""
    with ExitStack() as servers, ThreadPoolExecutor(2) as pool:

        def play(process: dict[str, tuple[str, ...]]) -> dict[str, Done]:
            ended: dict[str, Done] = {}
            program = ""
            for application, names in process.items():
                for name in names:
                    stand_ins = [servers.enter_context(StandIn()) for _ in range(2)]
                    ended[name] = Done(*stand_ins)
                scenes = [{**ended[name].environment(), **SCENES[name]} for name in names]
                program += f"from tests.langsmith.apps.{application} import main; main(*{scenes})\n"
            stderr = python(program, timeout=240).stderr
            for one, part in zip(ended.values(), _by_setup(stderr), strict=True):
                one.warnings = part
            return ended

        yield {name: one for played in pool.map(play, PROCESSES) for name, one in played.items()}


def _by_setup(stderr: str) -> list[list[str]]:
    """otelkit's warnings up to each summary that ``setup()`` logs."""
    parts: list[list[str]] = [[]]
    for line in stderr.splitlines():
        record = json.loads(line) if line.startswith("{") else {"logger": ""}
        if record["logger"] == "otelkit" and record["level"] == "WARNING":
            parts[-1].append(record["message"])
        elif record["logger"] == "otelkit" and "(service=" in record["message"]:
            parts.append([])
    return parts[:-1]


@pytest.mark.parametrize("scene", ["plain", *AS_RUNS])
def test_spans_and_runs_are_one_tree(done: dict[str, Done], scene: str) -> None:
    done[scene].langsmith.check()
    assert done[scene].langsmith.tree() == GRAPH


@pytest.mark.parametrize("scene", AS_SPANS)
def test_all_runs_come_as_spans_where_langsmith_sends_none(
    done: dict[str, Done], scene: str
) -> None:
    done[scene].langsmith.check()
    runs = done[scene].langsmith.runs()
    assert Counter(run.name for run in runs) == Counter([*OUR_SPANS, *THEIR_RUNS])
    assert {run.way for run in runs} == {"otlp"}


@pytest.mark.parametrize("scene", OFF)
def test_without_tracing_there_are_spans_and_no_runs(done: dict[str, Done], scene: str) -> None:
    assert done[scene].langsmith.taken == []
    assert Counter(done[scene].spans) == Counter([*OUR_SPANS.values(), "invoke_workflow LangGraph"])


def test_runs_inside_of_a_span_carry_its_trace(done: dict[str, Done]) -> None:
    runs = done["plain"].langsmith.runs()
    assert {run.way for run in runs if run.name in OUR_SPANS} == {"otlp"}
    assert {run.way for run in runs if run.name in THEIR_RUNS} == {"native"}
    (trace_id,) = {span.trace_id.hex() for span in done["plain"].jaeger.spans}
    assert {run.trace_id.replace("-", "") for run in runs} == {trace_id}
    assert {run.project for run in runs} == {"tests"}
    model = done["plain"].langsmith.run("GenericFakeChatModel")
    assert str(USAGE["input_tokens"]) in json.dumps(model.outputs)


def test_the_official_instrumentation_shows_the_graph_in_the_trace_backend(
    done: dict[str, Done],
) -> None:
    for scene in MATRIX:
        assert done[scene].spans.count("invoke_workflow LangGraph") == 1
    assert "invoke_workflow LangGraph" not in done["plain"].spans


def test_a_run_that_is_a_span_too_is_there_once(done: dict[str, Done]) -> None:
    names = Counter(run.name for run in done[HYBRID].langsmith.taken)
    assert names == Counter([*OUR_SPANS, *THEIR_RUNS])
    assert set(done[HYBRID].spans) >= THEIR_RUNS


def test_otelkit_sends_none_where_langsmiths_provider_sends_all(done: dict[str, Done]) -> None:
    runs = [run for run in done["late"].langsmith.taken if run.scope != "langsmith"]
    assert Counter(run.name for run in runs) == Counter([*OUR_SPANS.values(), *THEIR_RUNS])


@pytest.mark.parametrize("scene", ["plain", *MATRIX])
def test_unsupported_combinations_and_no_others_are_named(
    done: dict[str, Done], scene: str
) -> None:
    supported = scene == "plain" or scene in OFF or re.search("-langsmith|-false-false-$", scene)
    texts = [] if supported else ["is not supported beside otelkit"]
    _assert_said(done[scene].warnings, texts)


def test_a_provider_that_came_first_is_named(done: dict[str, Done]) -> None:
    texts = ["LANGSMITH_OTEL_ENABLED is not supported", "call setup() first"]
    _assert_said(done["late"].warnings, texts)


def _assert_said(warnings: list[str], texts: list[str]) -> None:
    assert len(warnings) == len(texts), warnings
    assert all(text in warning for text, warning in zip(texts, warnings, strict=True))


def test_without_its_tracing_langsmith_is_not_woken(done: dict[str, Done]) -> None:
    assert done["stamp"].langsmith.taken == []
    stamped = [
        span.name
        for span in done["stamp"].jaeger.spans
        if any(one.key == "langsmith.span.id" for one in span.attributes)
    ]
    assert len(stamped) == len(OUR_SPANS)


def test_a_call_of_a_model_is_one_run_whoever_sees_it(done: dict[str, Done]) -> None:
    done["models"].langsmith.check()
    assert done["models"].langsmith.tree() == "\n".join(
        ("llm Chat",
         "chain models",
         "  llm Chat",
         "  llm ChatOpenAI",
         "  llm chat gpt-5-mini",
         "  chain chat gpt-5-mini",
         "    llm Chat")
    )  # fmt: skip
    runs = [run for run in done["models"].langsmith.runs() if run.name != "models"]
    assert [run.usage.get("input_tokens") for run in runs] == [32, 32, 32, 32, None, 32]
    assert done["models"].spans.count("chat gpt-5-mini") == 5


def test_requests_at_once_in_threads_and_tasks_are_a_tree_each(done: dict[str, Done]) -> None:
    done["many"].langsmith.check()
    names = {f"{kind} {number}" for kind in ("sync", "async") for number in range(COUNT)}
    roots = {run.name: run for run in done["many"].langsmith.runs() if run.parent_id is None}
    assert set(roots) == {*names, "outermost"}
    for name in names:
        assert done["many"].langsmith.tree(roots[name]) == AT_ONCE.format(name)
    outermost = ("chain outermost", "  chain inside", "    chain note", "      tool write")
    assert done["many"].langsmith.tree(roots["outermost"]) == "\n".join(outermost)


def test_spans_and_runs_are_sampled_together(done: dict[str, Done]) -> None:
    done["sampled"].langsmith.check()
    roots = [run for run in done["sampled"].langsmith.runs() if run.parent_id is None]
    assert 2 <= len(roots) < 2 * COUNT
    for root in roots:
        whole = AT_ONCE.count("\n") if root.name != "outermost" else 3
        assert done["sampled"].langsmith.tree(root).count("\n") == whole
