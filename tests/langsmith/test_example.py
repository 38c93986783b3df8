"""``examples/langsmith.py`` as its reader runs it."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.langsmith.stand_in import StandIn
from tests.processes import ROOT

TREE = """\
chain plan_a_trip
  chain guide
    chain LangGraph
      chain weather
        chain look_up
          tool forecast
      chain advise
        llm GenericFakeChatModel
  llm chat gpt-5-mini"""


def test_the_example_is_one_tree_with_feedback() -> None:
    with StandIn() as langsmith:
        done = subprocess.run(
            [sys.executable, "examples/langsmith.py"],
            cwd=ROOT,
            env={
                **{k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "OTEL"))},
                **langsmith.environment(OTELKIT_CAPTURE="redacted", OTEL_TRACES_EXPORTER="none",
                                        OTEL_METRICS_EXPORTER="none", OTEL_LOGS_EXPORTER="none"),
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        langsmith.check()
        assert langsmith.tree() == TREE
        root = langsmith.run("plan_a_trip")
        assert root.outputs == {"output": "Take a hat."}
        assert f"In LangSmith: http://localhost/r/{root.id}" in done.stdout
        assert [(one["key"], one["run_id"]) for one in langsmith.feedback] == [("useful", root.id)]
        own = [run for run in langsmith.runs() if run.way == "otlp"]
        assert {run.metadata["thread_id"] for run in own} == {"trip-1"}
