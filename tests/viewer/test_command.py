"""`otelkit view` as a process."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from otelkit.cli import view
from otelkit.viewer import Store

COMMAND = """
import argparse, sys
from otelkit.cli.view import add_arguments, run
parser = argparse.ArgumentParser(prog="otelkit view")
add_arguments(parser)
sys.exit(run(parser.parse_args()))
"""


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    running = subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": ""},
    )
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


def address(running: subprocess.Popen[str]) -> str:
    assert running.stdout is not None
    line = running.stdout.readline()
    return next(word for word in line.split() if word.startswith("http://"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serves_until_told_to_end_and_keeps_its_file(tmp_path: Path, number: int) -> None:
    file = str(tmp_path / "telemetry.db")
    with process("--port", "0", "--db", file) as running:
        url = address(running)
        assert urlopen(f"{url}/health").status == 200
        content = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"kept","traceId":"%s",'
        content = content % (b"ab" * 16) + b'"spanId":"%s"}]}]}]}' % (b"cd" * 8)
        request = Request(f"{url}/v1/traces", content, {"Content-Type": "application/json"})
        assert urlopen(request).status == 200
        # an idle connection does not keep it
        with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))):
            running.send_signal(number)
            assert running.wait(20) == 0
        assert running.stderr is not None
        assert running.stderr.read() == ""
    store = Store(file)
    assert [span["name"] for span in store.spans()] == ["kept"]
    store.close()


def test_a_port_in_use_is_one_clear_line_and_exit_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with process("--port", port) as running:
            out, error = running.communicate(timeout=20)
            assert running.returncode == 2
    assert out == ""
    assert error.count("\n") == 1
    assert port in error
    assert "choose another port with --port" in error


def test_a_file_that_is_no_database_is_one_clear_line_and_exit_2(tmp_path: Path) -> None:
    with process("--port", "0", "--db", str(tmp_path)) as running:
        _, error = running.communicate(timeout=20)
        assert running.returncode == 2
    assert error.count("\n") == 1
    assert str(tmp_path) in error


def test_serving_a_network_is_one_warning() -> None:
    with process("--host", "0.0.0.0", "--port", "0") as running:
        address(running)
        running.send_signal(signal.SIGTERM)
        _, error = running.communicate(timeout=20)
    assert error.count("\n") == 1
    assert "warning" in error
    assert "0.0.0.0" in error


@pytest.mark.parametrize("port", ["x", "-1", "65536", "٣"])
def test_a_port_that_is_none_is_refused(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    view.add_arguments(parser)
    with pytest.raises(SystemExit):
        parser.parse_args([f"--port={port}"])
    assert "a port is a number from 0 to 65535" in capsys.readouterr().err


def test_the_defaults_are_the_ones_that_exporters_look_for() -> None:
    parser = argparse.ArgumentParser()
    view.add_arguments(parser)
    assert vars(parser.parse_args([])) == {"host": "127.0.0.1", "port": 4318, "db": None}
