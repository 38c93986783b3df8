"""`otelkit doctor` as a real process, and destinations that answer over real sockets."""

from __future__ import annotations

import http.server
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import grpc
import pytest

from otelkit.cli import main
from otelkit.viewer import Viewer
from tests.langsmith.stand_in import KEY, StandIn

NOTHING = {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")}
TRACES_ONLY = {**NOTHING, "OTEL_TRACES_EXPORTER": "otlp"}


def otelkit(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL", "LANG", "PYTEST"))}
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "otelkit", *arguments],
        env={**kept, "PYTHONIOENCODING": "utf-8", **environ},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def diagnosis(*, status: int, **environ: str) -> dict[str, Any]:
    done = otelkit("doctor", "--json", **environ)
    assert (done.returncode, done.stderr) == (status, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@contextmanager
def answering(status: int) -> Iterator[str]:
    """A server that answers every request with ``status``."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_all_is_well() -> None:
    with Viewer(port=0) as viewer:
        done = otelkit("doctor", OTEL_EXPORTER_OTLP_ENDPOINT=viewer.url, OTEL_SERVICE_NAME="shop")
        assert viewer.store.spans() == []
    assert (done.returncode, done.stderr) == (0, "")
    for signal in ("traces", "metrics", "logs"):
        assert f"✓ {signal:8} otlp       {viewer.url}/v1/{signal}\n" in done.stdout
    assert "service_name = shop (OTEL_SERVICE_NAME)" in done.stdout
    assert "threading" in done.stdout
    assert done.stdout.endswith("0 to mend: 0 in the settings, 0 with destinations\n")


def test_a_bad_variable_is_named_with_what_is_used_instead() -> None:
    bad = {"OTEL_BSP_MAX_QUEUE_SIZE": "many", "OTELKIT_CAPTUR": "full"}
    found = diagnosis(status=1, **NOTHING, **bad)
    assert found["problems"] == [
        "OTEL_BSP_MAX_QUEUE_SIZE='many': expected a whole number from 1 to 1000000; "
        "using 2048 instead",
        "OTELKIT_CAPTUR: otelkit knows no such variable (did you mean OTELKIT_CAPTURE?); "
        "it is ignored",
    ]
    assert found["settings"]["span_queue_size"] == {"value": 2048, "source": "default"}
    text = otelkit("doctor", **NOTHING, **bad).stdout
    assert all(f"✗ {problem}\n" in text for problem in found["problems"])
    assert "2 to mend: 2 in the settings, 0 with destinations" in text


def test_a_misspelt_variable_of_the_specification_is_found() -> None:
    found = diagnosis(status=1, **NOTHING, OTEL_SERIVCE_NAME="shop")
    assert found["problems"] == [
        "OTEL_SERIVCE_NAME: otelkit knows no such variable (did you mean OTEL_SERVICE_NAME?); "
        "it is ignored"
    ]


def test_a_propagator_that_is_not_installed_is_named_with_its_package() -> None:
    found = diagnosis(status=1, **NOTHING, OTEL_PROPAGATORS="b3multi,baggage,of-mine")
    assert found["problems"] == [
        "OTEL_PROPAGATORS='b3multi': not installed (pip install opentelemetry-propagator-b3); "
        "using baggage instead",
        "OTEL_PROPAGATORS='of-mine': not installed; using baggage instead",
    ]


def test_every_setting_says_where_it_is_from() -> None:
    environ = {"LOG_LEVEL": "debug", "OTEL_BSP_SCHEDULE_DELAY": "200", "APP_ENV": ""}
    settings = diagnosis(status=0, **NOTHING, **environ)["settings"]
    assert settings["log_level"] == {"value": "DEBUG", "source": "LOG_LEVEL"}
    assert settings["span_delay"] == {"value": 0.2, "source": "OTEL_BSP_SCHEDULE_DELAY"}
    assert settings["environment"] == {"value": "development", "source": "default"}
    assert settings["logs_exporter"] == {"value": ["none"], "source": "OTEL_LOGS_EXPORTER"}


def test_what_setup_could_not_open_or_show_is_found_and_nothing_is_made(tmp_path: Path) -> None:
    fine = {
        "OTELKIT_LOG_FILE": str(tmp_path / "app.log"),
        "OTELKIT_SPOOL_DIR": str(tmp_path / "spool"),
        "OTELKIT_HEALTH_DETAILS": "token",
        "OTELKIT_HEALTH_TOKEN": "a-token",
    }
    assert diagnosis(status=0, **NOTHING, **fine)["problems"] == []
    assert list(tmp_path.iterdir()) == []
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        wrong = {
            "OTELKIT_LOG_FILE": str(tmp_path),
            "OTELKIT_SPOOL_DIR": "/dev/null",
            "OTELKIT_HEALTH_DETAILS": "token",
            "METRICS_PORT": str(port),
        }
        spool, health, file, metrics = diagnosis(status=1, **NOTHING, **wrong)["problems"]
    assert spool.startswith("OTELKIT_SPOOL_DIR='/dev/null': cannot be written")
    assert health.startswith("OTELKIT_HEALTH_DETAILS='token' needs OTELKIT_HEALTH_TOKEN")
    assert file == f"OTELKIT_LOG_FILE={str(tmp_path)!r}: Is a directory; no file is written"
    assert metrics.startswith(f"OTELKIT_METRICS_PORT={port}: nobody can be answered there")


def test_a_log_file_whose_folder_is_not_there_is_found(tmp_path: Path) -> None:
    file = str(tmp_path / "none" / "app.log")
    (problem,) = diagnosis(status=1, **NOTHING, OTELKIT_LOG_FILE=file)["problems"]
    assert problem == f"OTELKIT_LOG_FILE={file!r}: No such file or directory; no file is written"


def test_what_was_made_to_fit_says_so() -> None:
    found = diagnosis(status=1, **NOTHING, OTEL_BSP_MAX_QUEUE_SIZE="100")
    assert found["settings"]["span_batch_size"] == {"value": 100, "source": "adjusted"}
    assert "using batches of 100 instead" in found["problems"][0]


def answers(*statuses: int, status: int) -> list[str]:
    """What is said of destinations of traces, metrics and logs that answer so."""
    with ExitStack() as servers:
        urls = [servers.enter_context(answering(one)) for one in statuses]
        environ = {
            f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT": url
            for signal, url in zip(("TRACES", "METRICS", "LOGS"), urls, strict=True)
        }
        found = diagnosis(status=status, **environ)["destinations"]
    assert [one["endpoint"] for one in found] == urls
    assert {one["accepts"] for one in found} == {status == 0}
    return [one["answer"] for one in found]


def test_destinations_that_refuse() -> None:
    assert answers(401, 404, 503, status=1) == [
        "refused the key: answered 401 Unauthorized; is OTEL_EXPORTER_OTLP_HEADERS right?",
        "answered 404 Not Found; is OTEL_EXPORTER_OTLP_ENDPOINT right?",
        "answered 503 Service Unavailable",
    ]


def test_destinations_that_refuse_are_counted_among_what_is_to_mend() -> None:
    with answering(401) as url:
        environ = {**TRACES_ONLY, "OTEL_EXPORTER_OTLP_ENDPOINT": url}
        done = otelkit("doctor", OTELKIT_CAPTUR="full", **environ)
    assert done.returncode == 1
    assert done.stdout.endswith("2 to mend: 1 in the settings, 1 with destinations\n")


def test_one_that_takes_no_empty_request_is_there() -> None:
    assert answers(200, 202, 400, status=0) == ["", "", "there, but takes no empty request"]


def test_nobody_there_is_said_and_one_that_is_silent_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        urls = [f"http://127.0.0.1:{one.getsockname()[1]}" for one in (silent, nobody)]
        found = diagnosis(
            status=1,
            OTEL_METRICS_EXPORTER="none",
            OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=urls[0],
            OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=urls[1],
        )
    assert [one["answer"] for one in found["destinations"]] == [
        "no answer in time",
        "Connection refused",
    ]


def test_grpc_is_asked_over_grpc() -> None:
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        found = diagnosis(
            status=1,
            **TRACES_ONLY,
            OTEL_EXPORTER_OTLP_PROTOCOL="grpc",
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}",
        )
    finally:
        server.stop(None).wait()
    assert found["destinations"][0]["answer"].startswith("answered UNIMPLEMENTED")
    assert found["destinations"][0]["answer"].endswith("is OTEL_EXPORTER_OTLP_ENDPOINT right?")


@pytest.mark.parametrize(
    ("protocol", "port", "right"),
    [
        ("http/protobuf", 4317, "use 4318, or OTEL_EXPORTER_OTLP_PROTOCOL=grpc"),
        ("grpc", 4318, "use 4317, or OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"),
    ],
)
def test_the_port_of_the_other_protocol_is_told(protocol: str, port: int, right: str) -> None:
    found = diagnosis(
        status=1,
        **TRACES_ONLY,
        OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.77:{port}",
    )
    assert found["destinations"][0]["answer"].endswith(f" {right})")


def test_langsmith_is_reached() -> None:
    with StandIn() as stand_in:
        found = diagnosis(status=0, **NOTHING, **stand_in.environment())
        assert stand_in.taken == []
    (one,) = found["destinations"]
    assert (one["name"], one["accepts"]) == ("langsmith", True)
    assert found["langsmith"].startswith("project 'tests'; ")
    assert "OTELKIT_CAPTURE=redacted shows them" in found["langsmith"]


def test_a_wrong_key_and_an_unsupported_combination() -> None:
    with StandIn() as stand_in:
        wrong = {"LANGSMITH_API_KEY": "lsv2_wrong", "LANGSMITH_OTEL_ENABLED": "true"}
        environ = {**NOTHING, **stand_in.environment(**wrong)}
        found = diagnosis(status=1, **environ)
    assert found["destinations"][0]["answer"].endswith("; is LANGSMITH_API_KEY right?")
    (problem,) = found["problems"]
    assert "LANGSMITH_OTEL_ENABLED is not supported" in problem


def test_a_missing_key() -> None:
    found = diagnosis(status=1, **NOTHING, LANGSMITH_TRACING="true")
    assert found["problems"] == [
        "LANGSMITH_TRACING is true, but LANGSMITH_API_KEY is not set; nothing is sent to LangSmith"
    ]
    assert found["langsmith"] == "off"


def test_secrets_are_never_shown() -> None:
    environ = {
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer hunter2",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://admin:hunter2@127.0.0.1:9",
        "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "admin:hunter2@127.0.0.1:9",
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://admin:hunter2@127.0.0.1:99999999",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "hunter2",
        "OTELKIT_HEALTH_TOKEN": "hunter2",
        "LANGSMITH_TRACING": "true",
        "LANGSMITH_API_KEY": KEY,
        "LANGSMITH_ENDPOINT": "http://admin:hunter2@127.0.0.1:9",
    }
    for arguments in (["doctor"], ["doctor", "--json"]):
        done = otelkit(*arguments, **environ)
        assert done.returncode == 1
        assert "hunter2" not in done.stdout + done.stderr
        assert KEY not in done.stdout + done.stderr
    assert json.loads(done.stdout)["settings"]["headers"]["value"] == "(secret)"


def test_what_is_installed_and_what_would_be_instrumented() -> None:
    found = diagnosis(status=1, **NOTHING, OTELKIT_INSTRUMENT="sqlalchemy,openay")
    assert found["extras"]["grpc"] is True
    assert not {"all", "dev", "demo", "prometheus"} & set(found["extras"])
    assert found["instrumented"] == ["sqlalchemy", "threading"]
    assert found["problems"] == ["OTELKIT_INSTRUMENT: openay is not known: did you mean openai?"]


def test_telemetry_that_is_off() -> None:
    done = otelkit("doctor", OTEL_SDK_DISABLED="true")
    assert done.returncode == 0
    assert "setup() sends nothing: off, because OTEL_SDK_DISABLED=true" in done.stdout


@pytest.mark.parametrize("arguments", [["doctor", "--json"], ["rules", "--namespace", "shop"]])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_seen_enough_ends_a_command_quietly(
    arguments: list[str], unbuffered: str
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "otelkit", *arguments],
            env={**os.environ, **NOTHING, "PYTHONUNBUFFERED": unbuffered},
            stdout=writing,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    finally:
        os.close(writing)
    assert (done.stderr, done.returncode) == (b"", 141)


def test_help_names_it_and_version_says_which(capsys: pytest.CaptureFixture[str]) -> None:
    for argument in ("--help", "--version"):
        with pytest.raises(SystemExit, match="0"):
            main([argument])
    said = capsys.readouterr().out
    assert "    doctor " in said
    assert said.endswith(f"otelkit {version('otelkit')}\n")
