"""What README.md says works: its code runs, its commands run, its tables are those of the code."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from otelkit.viewer import Viewer

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
PYTHON = [text for language, text in BLOCKS if language == "python"]
COMMANDS = [
    line
    for language, text in BLOCKS
    if language == "sh"
    for line in text.splitlines()
    if line and not line.startswith("#")
]

# Commands that other tests run as processes of their own, or that ask for more than this checkout.
ELSEWHERE = {
    "make demo": "tests/cli/test_demo.py",
    "make test": "this run",
    "otelkit view": "tests/viewer",
    "otelkit stack export monitoring": "tests/stack/test_export.py",
    "(cd monitoring && docker compose up)": "tests/stack/test_compose.py",
    "otelkit stack check monitoring": "tests/stack/test_check.py",
    "otelkit rules --namespace shop shop.app > rules.yml": "tests/prometheus/test_rules.py",
    'pip install "./otelkit[fastapi,sqlalchemy,prices]"': "tests/wheel.sh",
}


def environment(endpoint: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL", "PYTEST"))}
    return kept | {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}


@pytest.mark.parametrize("code", PYTHON, ids=range(len(PYTHON)))
def test_every_block_of_code_runs_as_it_stands(code):
    with Viewer(port=0) as viewer:
        command = [sys.executable, "-W", "error", "-c", code]
        done = subprocess.run(
            command,
            env=environment(viewer.url),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def test_the_metrics_block_can_be_pasted_into_a_shell():
    (block,) = [code for code in PYTHON if "otelkit.histogram(" in code]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-i", "-q"],
        input=block,
        env=environment("http://127.0.0.1:9"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Error" not in done.stderr
    assert done.stderr.count("...") >= 2  # the block of `with` has ended


def test_the_code_about_decorators_makes_the_tree_it_promises():
    (code,) = [code for code in PYTHON if "traced_workflow" in code]
    program = f"import otelkit\notelkit.setup(service_name='readme')\n{code}"
    with Viewer(port=0) as viewer:
        subprocess.run(
            [sys.executable, "-c", program], env=environment(viewer.url), timeout=60, check=True
        )
        spans = viewer.wait_for(lambda store: len(store.spans()) >= 5 and store.spans())
    by_id = {span["span_id"]: span for span in spans}
    parents = {
        span["name"]: by_id[span["parent_id"]]["name"] if span["parent_id"] else None
        for span in spans
    }
    assert parents == {
        "invoke_workflow answer": None,
        "stage research": "invoke_workflow answer",
        "invoke_agent researcher": "stage research",
        "execute_tool look_up": "invoke_agent researcher",
        "chat gpt-5-mini": "invoke_agent researcher",
    }
    (asked,) = [span for span in spans if span["name"] == "chat gpt-5-mini"]
    assert asked["attributes"]["gen_ai.usage.input_tokens"] == 12
    assert asked["attributes"]["gen_ai.usage.cost.amount"] > 0
    assert all(span["attributes"]["user.id"] == "u1" for span in spans)


def test_every_command_is_run_somewhere():
    unknown = [c for c in COMMANDS if c not in ELSEWHERE and not c.startswith("export ")]
    assert unknown == []
    for command in COMMANDS:
        if command.startswith("make "):
            target = command.split()[1]
            assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_exported_variables_are_known_ones():
    names = [
        word.partition("=")[0]
        for command in COMMANDS
        if command.startswith("export ")
        for word in shlex.split(command)[1:]
    ]
    assert names
    documented = (ROOT / "docs" / "variables.md").read_text()
    assert all(f"`{name}`" in documented for name in names)


def test_otelkit_view_starts_and_ends_as_a_process():
    command = [sys.executable, "-m", "otelkit", "view", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as view:
        assert view.stdout is not None
        assert "http://127.0.0.1:" in view.stdout.readline()
        view.send_signal(signal.SIGTERM)
        assert view.wait(10) == 0


def test_the_tables_of_variables_are_those_of_the_settings():
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        import variables
    finally:
        sys.path.pop(0)
    assert variables.rendered(README) == README, "run make docs"
    written = (ROOT / "docs" / "variables.md").read_text()
    assert written == variables.everything(), "run make docs"


def test_the_table_of_extras_names_each():
    project = (ROOT / "pyproject.toml").read_text()
    declared = project.partition("[project.optional-dependencies]\n")[2].partition("\n[")[0]
    table = README.partition("| Extra |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`(\w+)`", table))
    # `prometheus` brings nothing, `dev` is for this clone.
    assert named == set(re.findall(r"^(\w+) = \[", declared, re.MULTILINE)) - {"prometheus", "dev"}


def test_the_picture_is_there():
    for picture in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README):
        assert (ROOT / picture).read_bytes().startswith(b"\x89PNG")


def test_every_public_name_is_documented_or_obvious():
    import otelkit

    hidden = {"OtelkitError", "MissingExtraError", "Settings", "shutdown", "Telemetry"}
    missing = [name for name in otelkit.__all__ if name not in README and name not in hidden]
    assert missing == []
