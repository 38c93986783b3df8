"""Real servers, real sockets: every record once in console, file and OTLP, with its request."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from tests.logs.receiver import Received, attributes_of, receiving, wait_for

SERVERS = {
    "uvicorn": ["uvicorn", "tests.logs.service:service", "--fd", "{fd}"],
    "gunicorn": [
        "gunicorn", "tests.logs.service:service", "-k", "asgi", "-b", "fd://{fd}",
        "--access-logfile", "-", "--no-control-socket",
    ],
    "gunicorn with uvicorn's workers": [
        "gunicorn", "tests.logs.service:service", "-k", "uvicorn_worker.UvicornWorker",
        "-b", "fd://{fd}", "--access-logfile", "-", "--no-control-socket",
    ],
}  # fmt: skip


class Server:
    """A server process, and its three outputs."""

    def __init__(self, command: list[str], folder: Path, received: Received, **env: str) -> None:
        self.command, self.file, self.received = command, folder / "app.log", received
        self._console = folder / "console"
        with socket.socket() as listener, self._console.open("w") as console:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            self.address = f"127.0.0.1:{listener.getsockname()[1]}"
            fd = listener.fileno()
            self._process = subprocess.Popen(
                [sys.executable, "-m", *(part.replace("{fd}", str(fd)) for part in command)],
                pass_fds=[fd],
                stdout=console,
                stderr=subprocess.STDOUT,
                env={
                    **os.environ,
                    "OTEL_EXPORTER_OTLP_ENDPOINT": received.address,
                    "OTEL_BLRP_SCHEDULE_DELAY": "50",
                    "OTEL_BSP_SCHEDULE_DELAY": "50",
                    "OTELKIT_LOG_FILE": str(self.file),
                    **env,
                },
            )
        self.client = httpx.Client(base_url=f"http://{self.address}", timeout=60)

    def get(self, path: str, request_id: str) -> httpx.Response:
        return self.client.get(path, headers={"x-request-id": request_id})

    @property
    def console(self) -> str:
        return self._console.read_text()

    @property
    def console_lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.console.splitlines() if line.startswith("{")]

    @property
    def file_lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.file.read_text().splitlines()]

    def trace_of(self, request_id: str) -> str:
        """The trace of the server span of a request."""

        def found() -> list[Any]:
            return [
                span
                for span in self.received.spans
                if attributes_of(span).get("otelkit.request.id") == request_id and span.kind == 2
            ]

        wait_for(found, f"the span of {request_id}")
        (span,) = found()
        return str(span.trace_id.hex())

    def stop(self) -> None:
        self.client.close()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(30)
        finally:
            self._process.kill()


Records = Counter[tuple[str, str]]  # message, trace


def lines_of(lines: list[dict[str, Any]], request_id: str) -> Records:
    return Counter(
        (line["message"].strip(), line["trace_id"])
        for line in lines
        if line["request_id"] == request_id
    )


def exported_of(received: Received, request_id: str) -> Records:
    return Counter(
        (record.body.string_value.strip(), record.trace_id.hex())
        for _name, record in received.logs
        if attributes_of(record).get("otelkit.request.id") == request_id
    )


@pytest.fixture(scope="module", params=SERVERS)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    with receiving() as received:
        started = Server(SERVERS[request.param], folder, received, OTELKIT_LOG_FORMAT="json")
        try:
            yield started
        finally:
            started.stop()


def of_the_application(records: Records) -> Records:
    return Counter({key: count for key, count in records.items() if "HTTP/1.1" not in key[0]})


def check(server: Server, request_id: str, messages: list[str], access: int = 1) -> None:
    """Each message is once in each output, the access record too, with the request's trace."""
    trace = server.trace_of(request_id)
    wanted = Counter((message, trace) for message in messages)
    wait_for(
        lambda: sum(exported_of(server.received, request_id).values()) >= len(messages) + access,
        f"{messages} in {exported_of(server.received, request_id)}",
    )
    for found in (
        exported_of(server.received, request_id),
        lines_of(server.file_lines, request_id),
        lines_of(server.console_lines, request_id),
    ):
        assert of_the_application(found) == wanted
        assert sum(found.values()) == len(messages) + access, found
        assert {key[1] for key in found} == {trace}


def test_each_record_of_a_request_is_once_in_each_output(server: Server) -> None:
    assert server.get("/orders/7", "orders").headers["x-request-id"] == "orders"
    check(server, "orders", ["order", "in a thread", "in a task"])


def test_access_records_carry_route_status_and_duration(server: Server) -> None:
    server.get("/orders/8?secret=x", "access")
    wait_for(lambda: any("/orders/8" in line["message"] for line in server.file_lines), "it")
    (line,) = [line for line in server.file_lines if "/orders/8" in line["message"]]
    assert line["logger"] in ("uvicorn.access", "gunicorn.access")
    assert line["level"] == "INFO"
    assert line["request_id"] == "access"
    fields = line["context"]
    assert (fields["method"], fields["route"], fields["status"]) == (
        "GET",
        "/orders/{number}",
        200,
    )
    assert fields["duration_ms"] > 0


def test_probes_and_scrapes_are_access_records_only_when_they_fail(server: Server) -> None:
    statuses = [
        server.client.get(path).status_code
        for path in ("/health", "/health/liveness", "/health/detailed", "/metrics")
    ]
    assert statuses == [200] * 4
    assert server.client.get("/health/readiness").status_code == 503
    assert server.client.get("/health/none").status_code == 404
    server.get("/orders/9", "last")
    check(server, "last", ["order", "in a thread", "in a task"])
    for messages in (
        [line["message"] for line in server.file_lines],
        [line["message"] for line in server.console_lines],
        [record.body.string_value for _name, record in server.received.logs],
    ):
        probes = re.findall(r"(/health\S*|/metrics) HTTP/1.1", "\n".join(messages))
        assert probes == ["/health/readiness", "/health/none"]
    (line,) = [line for line in server.file_lines if "/health/readiness" in line["message"]]
    assert line["context"]["status"] == 503
    assert line["context"]["duration_ms"] > 0


def test_an_exception_is_recorded_with_its_request(server: Server) -> None:
    response = server.get("/broken", "broken")
    assert (response.status_code, response.headers["x-request-id"]) == (500, "broken")
    # gunicorn's own worker says nothing of an error that the framework has answered.
    told = [] if "asgi" in server.command else ["Exception in ASGI application"]
    check(server, "broken", told)


def test_an_exception_that_reaches_the_server_is_recorded_with_its_request(server: Server) -> None:
    assert server.get("/raises", "raises").status_code == 500
    told = "Error" if "asgi" in server.command else "Exception"
    check(server, "raises", [f"{told} in ASGI application"])
    (line,) = [line for line in server.file_lines if line["exception"] and "caught" in str(line)]
    assert line["exception"]["type"] == "LookupError"
    assert line["exception"]["message"] == "nobody caught this"


def test_what_runs_after_the_response_belongs_to_the_request(server: Server) -> None:
    assert server.get("/background", "background").status_code == 200
    check(server, "background", ["afterwards"])


def test_a_streamed_response_belongs_to_the_request(server: Server) -> None:
    assert server.get("/stream", "stream").text == "xxx"
    trace = server.trace_of("stream")
    wait_for(lambda: lines_of(server.file_lines, "stream")[("part", trace)] == 3, "three parts")


def test_a_websocket_belongs_to_its_request(server: Server) -> None:
    headers = {"x-request-id": "socket"}
    with connect(f"ws://{server.address}/socket", additional_headers=headers) as connection:
        assert connection.response is not None
        assert connection.response.headers["x-request-id"] == "socket"
    trace = server.trace_of("socket")
    wait_for(lambda: lines_of(server.file_lines, "socket")[("connected", trace)] == 1, "it")


def test_a_server_s_own_records_are_in_the_same_format(server: Server) -> None:
    loggers = {line["logger"] for line in server.console_lines}
    assert loggers & {"uvicorn.error", "gunicorn.error"}
    # What gunicorn's master process writes before the application is loaded is its own.
    started = server.console.index("{")
    assert all(line.startswith("{") for line in server.console[started:].splitlines())


def test_outputs_survive_what_the_application_configures_after_setup(tmp_path: Path) -> None:
    with receiving() as received:
        server = Server(SERVERS["uvicorn"], tmp_path, received, CONFIGURE_LOGGING_LATER="true")
        try:
            server.get("/orders/7", "later")
            trace = server.trace_of("later")
            wanted = {(message, trace): 1 for message in ("order", "in a thread", "in a task")}
            wait_for(lambda: sum(exported_of(received, "later").values()) == 4, "records")
            assert of_the_application(exported_of(received, "later")) == wanted
            assert of_the_application(lines_of(server.file_lines, "later")) == wanted
            assert server.console.splitlines().count("order") == 1  # in the application's format
        finally:
            server.stop()
