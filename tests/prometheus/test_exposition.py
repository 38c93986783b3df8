"""Pages on request: one thread, never poisoned, and never in anybody's way."""

from __future__ import annotations

import gzip
import http.client
import logging
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics

from otelkit.prometheus import negotiation
from otelkit.prometheus.exposition import Exposition
from otelkit.prometheus.listener import Listener
from otelkit.prometheus.negotiation import Format
from otelkit.settings import Settings
from tests.integrations.conftest import wait_until
from tests.prometheus.conftest import Measuring

TEXT, OPENMETRICS = Format(False, False), Format(True, False)


@contextmanager
def exposing(read: Callable[[], Any], **settings: Any) -> Iterator[Exposition]:
    port = settings.pop("port", None)
    made = Exposition(Settings(metrics_host="127.0.0.1", **settings), read, port=port)
    try:
        yield made
    finally:
        made.close()


def page(exposition: Exposition, wanted: Format = TEXT) -> str:
    return exposition.page(wanted).result(10).body.decode()


def test_a_page_holds_what_is_measured_until_now(measuring: Measuring) -> None:
    jobs = measuring.meter.create_counter("jobs")
    with exposing(measuring.reader.get_metrics_data, metrics_namespace="shop") as exposition:
        for number in range(1, 4):
            jobs.add(1)
            assert f"jobs_total {number}\n" in page(exposition)
        assert list(read_openmetrics(page(exposition, OPENMETRICS)))
        assert "shop_system_info{" not in page(exposition, OPENMETRICS)  # nothing is known
        assert "target_info{" in page(exposition)


def test_flushing_the_provider_adds_nothing(measuring: Measuring) -> None:
    measuring.meter.create_counter("jobs").add(1)
    with exposing(measuring.reader.get_metrics_data) as exposition:
        before = page(exposition)
        for _ in range(20):
            measuring.provider.force_flush()
        assert page(exposition) == before


def test_many_scrapes_at_once_share_pages_and_none_is_mixed(measuring: Measuring) -> None:
    jobs = measuring.meter.create_counter("jobs")
    pair = [measuring.meter.create_counter(name) for name in ("a_first", "b_second")]
    collected = 0
    entered, go = threading.Event(), threading.Event()

    def read() -> Any:
        nonlocal collected
        collected += 1
        entered.set()
        assert go.wait(10)
        return measuring.reader.get_metrics_data()

    with exposing(read) as exposition:
        first = exposition.page(TEXT)
        assert entered.wait(10)
        jobs.add(1)
        waiting = [exposition.page(TEXT) for _ in range(50)]
        waiting += [exposition.page(OPENMETRICS) for _ in range(50)]
        go.set()
        bodies = {future.result(10).body for future in [first, *waiting]}
        assert collected == 3
        assert all(b"jobs_total 1\n" in future.result().body for future in waiting)
        assert len(bodies) <= 3

        stop = threading.Event()

        def count() -> None:
            while not stop.is_set():
                for counter in pair:
                    counter.add(1)

        counting = threading.Thread(target=count)
        counting.start()
        try:
            wait_until(lambda: "b_second_total" in page(exposition))
            for _ in range(30):
                first_, second = map(
                    int, re.findall(r"^[ab]_\w+_total (\d+)$", page(exposition), re.M)
                )
                assert first_ > 0 < second
        finally:
            stop.set()
            counting.join()


def test_a_collection_that_fails_fails_that_page_only(
    measuring: Measuring, caplog: pytest.LogCaptureFixture
) -> None:
    measuring.meter.create_counter("jobs").add(1)
    broken = True

    def read() -> Any:
        if broken:
            raise TimeoutError("a callback took too long")
        return measuring.reader.get_metrics_data()

    with caplog.at_level(logging.WARNING, "otelkit"), exposing(read) as exposition:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                page(exposition)
        broken = False
        assert "jobs_total 1" in page(exposition)
    (record,) = caplog.records
    assert "the page of metrics cannot be made: a callback took too long" in record.getMessage()


def test_exemplars_are_shown_once_whoever_collected_them(measuring: Measuring) -> None:
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider

    wait = measuring.meter.create_histogram("wait", explicit_bucket_boundaries_advisory=[1])
    span = TracerProvider(shutdown_on_exit=False).get_tracer("t").start_span("s")
    wait.record(0.5, context=trace.set_span_in_context(span))
    with exposing(measuring.reader.get_metrics_data, metrics_namespace="n") as exposition:
        page(exposition)  # takes them away from the SDK, without showing them
        first, second = page(exposition, OPENMETRICS), page(exposition, OPENMETRICS)
    trace_id = f"{span.get_span_context().trace_id:032x}"
    assert first.count(f'trace_id="{trace_id}"') == 1
    assert trace_id not in second


def test_a_name_that_is_taken_is_not_shown_twice(
    measuring: Measuring, caplog: pytest.LogCaptureFixture
) -> None:
    measuring.meter.create_gauge("http_requests").set(1)
    measuring.meter.create_histogram("wait").record(1)
    measuring.meter.create_gauge("wait_count").set(1)
    duration = measuring.meter.create_histogram("http.server.request.duration", "s")
    duration.record(1, {"http.route": "/"})
    with (
        caplog.at_level(logging.WARNING, "otelkit"),
        exposing(
            measuring.reader.get_metrics_data, metrics_aliases=("instrumentator",)
        ) as exposition,
    ):
        shown = [page(exposition, OPENMETRICS) for _ in range(2)][-1]
    assert "http_requests_total" not in shown
    assert "http_request_duration_seconds_count" in shown
    assert {r.getMessage().partition(" is not shown")[0] for r in caplog.records} == {
        "otelkit: http_requests", "otelkit: wait_count",
    }  # fmt: skip
    assert len(caplog.records) == 2


class TestPort:
    def ask(self, port: int, path: str = "/metrics", **headers: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        method = headers.pop("method", "GET")
        connection.request(
            method, path, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )
        return connection.getresponse()

    def test_it_answers_its_path(self, measuring: Measuring) -> None:
        measuring.meter.create_counter("jobs").add(1)
        with exposing(measuring.reader.get_metrics_data, metrics_path="/m") as exposition:
            listener = Listener("127.0.0.1", 0, exposition)
            answer = self.ask(listener.port, "/m?x=1")
            assert answer.status == 200
            assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
            assert b"jobs_total 1" in answer.read()
            answer = self.ask(listener.port, "/m", accept_encoding="gzip", accept=NEWEST)
            assert answer.headers["content-type"].startswith("application/openmetrics-text")
            assert gzip.decompress(answer.read()).endswith(b"# EOF\n")
            answer = self.ask(listener.port, "/m", method="HEAD")
            assert (answer.status, answer.read()) == (200, b"")
            assert self.ask(listener.port, "/metrics").status == 404
            listener.close()
            with pytest.raises(ConnectionError):
                self.ask(listener.port)

    def test_a_failure_is_503(self) -> None:
        def read() -> None:
            raise RuntimeError("no")

        with exposing(read) as exposition:
            listener = Listener("127.0.0.1", 0, exposition)
            answer = self.ask(listener.port)
            assert (answer.status, answer.read()) == (503, b"no metrics: RuntimeError: no\n")
            listener.close()

    def test_a_failure_carries_no_credentials(self) -> None:
        def read() -> None:
            raise RuntimeError("postgresql://shop:hunter2@db/shop is gone")

        with exposing(read) as exposition:
            listener = Listener("127.0.0.1", 0, exposition)
            body = self.ask(listener.port).read()
            listener.close()
        assert b"is gone" in body
        assert b"hunter2" not in body

    def test_clients_that_hang_make_room_for_others(self, measuring: Measuring) -> None:
        measuring.meter.create_counter("jobs").add(1)
        with exposing(measuring.reader.get_metrics_data) as exposition, ExitStack() as stack:
            listener = Listener("127.0.0.1", 0, exposition)
            before = threading.active_count()
            for _ in range(100):
                address = ("127.0.0.1", listener.port)
                hanging = stack.enter_context(socket.create_connection(address, 30))
                hanging.sendall(b"GET /metrics HTTP/1.1\r\nX-Slow: ")
            wait_until(lambda: self.answers(listener.port), 30)
            wait_until(lambda: threading.active_count() - before < 40, 30)
            listener.close()

    def test_a_client_that_does_not_read_is_let_go(
        self, measuring: Measuring, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("otelkit.prometheus.listener._Handler.timeout", 0.2)
        measuring.meter.create_counter("jobs", description="x" * 10_000_000).add(1)
        with exposing(measuring.reader.get_metrics_data) as exposition:
            listener = Listener("127.0.0.1", 0, exposition)
            with socket.create_connection(("127.0.0.1", listener.port), 30) as silent:
                silent.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
                wait_until(lambda: listener._server._open, 30)
                wait_until(lambda: not listener._server._open, 30)
            listener.close()

    def test_one_that_is_taken_is_a_warning_until_it_is_free(
        self, measuring: Measuring, caplog: pytest.LogCaptureFixture
    ) -> None:
        measuring.meter.create_counter("jobs").add(1)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            with caplog.at_level(logging.WARNING, "otelkit"):
                made = exposing(measuring.reader.get_metrics_data, port=port)
                exposition = made.__enter__()
                wait_until(lambda: caplog.records)
        try:
            assert f"METRICS_PORT: nobody can be answered on port {port}" in caplog.text
            wait_until(lambda: self.answers(port))
            assert len(caplog.records) == 1
        finally:
            exposition.close()

    @pytest.mark.parametrize("host", ["no.such.host.invalid", f"{'x' * 64}.invalid", "::zz"])
    def test_a_host_that_is_none_costs_the_port_only(
        self, measuring: Measuring, host: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        measuring.meter.create_counter("jobs").add(1)
        made = Exposition(Settings(metrics_host=host), measuring.reader.get_metrics_data, port=1)
        wait_until(lambda: "nobody can be answered on port 1" in caplog.text, 30)
        assert "jobs_total 1" in page(made)
        made.close()

    def answers(self, port: int) -> bool:
        try:
            return self.ask(port).status == 200
        except OSError:
            return False


NEWEST = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)


@pytest.mark.parametrize(
    ("accept", "encoding", "expected"),
    [
        ("", "", Format(False, False)),
        ("*/*", "gzip, deflate", Format(False, True)),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "", Format(False, False)),
        (NEWEST, "gzip", Format(True, True)),
        ("application/openmetrics-text", "gzip;q=0", Format(True, False)),
        ("application/openmetrics-text;q=0,text/plain", "", Format(False, False)),
        ("application/openmetrics-text;q=0.3,text/plain;q=0.5", "", Format(False, False)),
        ("Application/OpenMetrics-Text; Version=1.0.0", "GZIP", Format(True, True)),
        ("application/openmetrics-text;q=x", "", Format(False, False)),
        (";;,,", ";", Format(False, False)),
    ],
)
def test_formats_are_negotiated(accept: str, encoding: str, expected: Format) -> None:
    assert negotiation.wanted(accept, encoding) == expected
