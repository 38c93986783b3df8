"""`otelkit demo` as a real process: what it prints, how it ends, and that it leaves nothing."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from otelkit.cli import _demo_service, _demo_trace, demo, main
from otelkit.errors import MissingExtraError

DEMO = [sys.executable, "-m", "otelkit", "demo"]


@contextlib.contextmanager
def started(*arguments: str, folder: Path, **env: str) -> Iterator[subprocess.Popen[str]]:
    """The demo with `folder` for its temporary files; it ends with the block at the latest."""
    demo = subprocess.Popen(
        [*DEMO, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={
            **os.environ,
            "PYTHONIOENCODING": "utf-8",
            "COLUMNS": "120",
            "TMPDIR": str(folder),
            **env,
        },
    )
    with demo:
        try:
            yield demo
        finally:
            demo.terminate()


def children(demo: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(demo.pid).children(recursive=True)


def ended(processes: list[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=10)
    return not alive


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("demo")
    with started(folder=folder) as demo:
        out, err = demo.communicate(timeout=120)
    assert (demo.returncode, err) == (0, ""), out + err
    assert list(folder.iterdir()) == []  # its database and files are gone
    return out


def part(output: str, heading: str) -> list[str]:
    """The lines below a heading."""
    found = re.search(rf"^{heading}[^\n]*\n(.*?)(?:\n\n|\Z)", output, re.DOTALL | re.MULTILINE)
    assert found, f"no {heading!r} in:\n{output}"
    return found.group(1).splitlines()


def test_the_four_requests_are_shown_with_their_answers(output: str) -> None:
    lines = part(output, "Requests")
    assert re.findall(r"(\S[\w ]*\w) +POST (\S+) +(\d+)", "\n".join(lines)) == [
        ("success", "/generate", "200"),
        ("failing agent", "/generate", "502"),
        ("bad schema", "/generate", "422"),
        ("streaming", "/generate/stream", "200"),
    ]
    assert "unknown type 'integr'; did you mean 'integer'?" in "\n".join(lines)


def test_the_tree_goes_from_http_to_sql_with_tokens_and_cost(output: str) -> None:
    head, *lines = part(output, r"Trace [0-9a-f]{32}")
    assert head.split() == ["duration", "tokens", "cost"]
    assert lines[0].startswith("  POST /generate ")
    text = "\n".join(lines)
    order = ["invoke_workflow generate_models", "stage plan", "invoke_agent architect"]
    order += ["execute_tool recall_class_names", "SELECT", "chat gpt-5"]
    positions = [text.index(name) for name in order]
    assert positions == sorted(positions)
    assert re.search(r"└─ chat gpt-5 .* ms  .*█.*  \d[\d,]* → \d[\d,]*  +\$0\.\d{6}$", text, re.M)
    assert len({line.index("ms") for line in lines if " ms " in line}) == 1  # aligned


def test_log_lines_carry_the_id_of_the_trace(output: str) -> None:
    [trace_id] = re.findall(r"^Trace ([0-9a-f]{32})", output, re.MULTILINE)
    lines = part(output, "Its log lines")
    assert any("plan ready" in line for line in lines)
    assert all(trace_id[:8] in line for line in lines)


def test_tokens_and_cost_are_summed_by_agent(output: str) -> None:
    heading = "Tokens and cost by agent, all four requests together"
    head, *rows = [line.split() for line in part(output, heading)]
    assert head == ["agent", "calls", "input", "cached", "output", "reasoning", "cost"]
    assert [row[0] for row in rows] == ["architect", "coder", "reviewer", "all"]
    costs = [float(row[-1].removeprefix("$")) for row in rows]
    assert all(cost > 0 for cost in costs)
    assert sum(costs[:-1]) == pytest.approx(costs[-1], abs=2e-6)


def test_what_it_tells_to_type_works(output: str) -> None:
    assert f"To look around in it: {sys.executable} -m otelkit demo --serve" in output


def test_without_a_terminal_there_are_no_colours(output: str) -> None:
    assert "\x1b" not in output


def test_it_fails_and_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def gone(_stack: contextlib.ExitStack, folder: Path, _viewer_url: str) -> str:
        (folder / "service.log").write_text("going down\n")
        return "http://127.0.0.1:9"

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(demo, "_start", gone)
    monkeypatch.setattr(demo, "_ARRIVE_SECONDS", 0.2)
    assert main(["demo"]) == 1
    out = capsys.readouterr().out
    missing = part(out, "Missing:")
    assert "  ✗ success: POST /generate answered 0 instead of 200" in missing
    assert "  ✗ success: there is no trace of this request" in missing
    assert "  ✗ metrics: no code_files_generated" in missing
    assert "    going down" in out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_ends_its_processes(tmp_path: Path, number: signal.Signals) -> None:
    with started(folder=tmp_path) as demo:
        deadline = time.monotonic() + 30
        while not (processes := children(demo)):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        demo.send_signal(number)
        out, err = demo.communicate(timeout=30)
    assert demo.returncode == 130, out + err
    assert ended(processes)
    assert list(tmp_path.iterdir()) == []


def test_serve_keeps_the_viewer_until_it_is_interrupted(tmp_path: Path) -> None:
    with started("--serve", folder=tmp_path) as demo:
        assert demo.stdout is not None
        lines = [""]
        while "/docs" not in lines[-1]:  # the last line of what to try
            lines.append(demo.stdout.readline())
            assert lines[-1], "".join(lines)
        [viewer_url] = re.findall(r"viewer +(http://\S+)", "".join(lines))
        processes = children(demo)
        [service_url] = re.findall(r"service +(http://\S+)", "".join(lines))
        runs = _demo_trace.ask(f"{service_url}/runs")
        names = [trace["name"] for trace in _demo_trace.ask(f"{viewer_url}/api/traces")["traces"]]
        demo.send_signal(signal.SIGINT)
        _, err = demo.communicate(timeout=30)
    assert (demo.returncode, err) == (0, "")
    assert names == ["POST /generate/stream", *["POST /generate"] * 3, "create_tables"]
    # The first of all, which warmed the service up, left no trace.
    assert [run["status"] for run in runs].count("completed") == 3
    assert any(line.startswith("  curl http://127.0.0.1:") for line in lines)
    assert ended(processes)


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_demo_service, "_NEEDED", ("a_package_that_is_not_there",))
    with pytest.raises(MissingExtraError, match=r'^the demo needs .* "otelkit\[demo\]"'):
        _demo_service.locate()


def test_what_would_leave_the_machine_is_kept_from_the_service(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://elsewhere:4318/v1/traces")
    monkeypatch.setenv("LANGSMITH_API_KEY", "secret")
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "mine")
    env = _demo_service.environment("http://127.0.0.1:1", tmp_path)
    assert "secret" not in env.values()
    assert "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" not in env
    assert env["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://127.0.0.1:1"
    assert env["OTEL_SERVICE_NAME"] == "mine"
