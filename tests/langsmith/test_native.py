"""Runs that langsmith makes itself, beside spans: in one tree, once, in every combination."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from tests.langsmith.apps.graph import TREE, USAGE
from tests.langsmith.stand_in import StandIn
from tests.processes import python

HYBRID = {"LANGSMITH_OTEL_ENABLED": "true"}
OUR_SPANS = {
    "question": "invoke_workflow question",
    "researcher": "invoke_agent researcher",
    "look_up": "execute_tool look_up",
    "writer": "invoke_agent writer",
}
THEIR_RUNS = {"LangGraph", "find", "retrieve", "clean", "answer", "GenericFakeChatModel"}

# By name, the variables of one run of the application.
SCENES: dict[str, dict[str, str]] = {
    "plain": {},
    "instrumented": {"INSTRUMENTED": "1"},
    "hybrid": {"INSTRUMENTED": "1", **HYBRID},
    "otel": {"INSTRUMENTED": "1", **HYBRID, "LANGSMITH_OTEL_ONLY": "true"},
    "mode": {"LANGSMITH_TRACING_MODE": "langsmith", **HYBRID},
    "stamp": {"OTELKIT_LANGSMITH": "stamp", "LANGSMITH_TRACING": "false"},
    # Its client makes a tracer provider, which is the process's from then on.
    "late": {"LATE": "1", **HYBRID, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "",
             "OTEL_TRACES_EXPORTER": "none"},
    "models": {},
}  # fmt: skip
PROCESSES = {
    "graph": (("plain", "instrumented", "hybrid", "otel", "mode", "stamp"), ("late",)),
    "models": (("models",),),
}


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
    """All scenes, in as few processes as will do: most of their time is importing."""
    with ExitStack() as servers, ThreadPoolExecutor(2) as pool:

        def play(job: tuple[str, tuple[str, ...]]) -> dict[str, Done]:
            module, names = job
            ended = {
                name: Done(servers.enter_context(StandIn()), servers.enter_context(StandIn()))
                for name in names
            }
            scenes = [{**ended[name].environment(), **SCENES[name]} for name in names]
            program = f"from tests.langsmith.apps.{module} import main; main(*{scenes})"
            stderr = python(program, timeout=120).stderr
            for name, part in zip(names, _by_setup(stderr), strict=True):
                ended[name].warnings = part
            return ended

        jobs = [(module, names) for module, all_ in PROCESSES.items() for names in all_]
        yield {name: one for played in pool.map(play, jobs) for name, one in played.items()}


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


@pytest.mark.parametrize("scene", ["plain", "instrumented", "hybrid", "mode"])
def test_spans_and_runs_are_one_tree(done: dict[str, Done], scene: str) -> None:
    done[scene].langsmith.check()
    assert done[scene].langsmith.tree() == TREE


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
    assert "invoke_workflow LangGraph" in done["instrumented"].spans
    assert "invoke_workflow LangGraph" not in done["plain"].spans


def test_a_run_that_is_a_span_too_is_there_once(done: dict[str, Done]) -> None:
    names = Counter(run.name for run in done["hybrid"].langsmith.taken)
    assert names == Counter([*OUR_SPANS, *THEIR_RUNS])
    assert set(done["hybrid"].spans) >= THEIR_RUNS


def test_otelkit_sends_none_where_langsmiths_provider_sends_all(done: dict[str, Done]) -> None:
    runs = [run for run in done["late"].langsmith.taken if run.scope != "langsmith"]
    assert Counter(run.name for run in runs) == Counter([*OUR_SPANS.values(), *THEIR_RUNS])


def test_all_runs_come_as_spans_where_langsmith_sends_none(done: dict[str, Done]) -> None:
    done["otel"].langsmith.check()
    runs = done["otel"].langsmith.runs()
    assert Counter(run.name for run in runs) == Counter([*OUR_SPANS, *THEIR_RUNS])
    assert {run.way for run in runs} == {"otlp"}


@pytest.mark.parametrize(
    ("scene", "said"),
    [
        ("plain", []),
        ("mode", []),
        ("hybrid", ["LANGSMITH_OTEL_ENABLED is not supported"]),
        ("otel", ["LANGSMITH_OTEL_ONLY is not supported"]),
        ("late", ["LANGSMITH_OTEL_ENABLED is not supported", "call setup() first"]),
    ],
)
def test_unsupported_combinations_are_named(
    done: dict[str, Done], scene: str, said: list[str]
) -> None:
    warnings = done[scene].warnings
    assert len(warnings) == len(said), warnings
    assert all(text in warning for text, warning in zip(said, warnings, strict=True))


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
