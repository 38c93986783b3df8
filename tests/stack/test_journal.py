"""What a gateway with a journal reads is what it was sent: each span, once, unchanged."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from . import otlp
from .destinations import Jaeger
from .load import missing
from .programs import BASE, COLLECTOR, Collector, until

pytestmark = pytest.mark.stack

SCALE = COLLECTOR / "scale"
FILES = (*BASE, SCALE / "gateway.yaml", SCALE / "gateway-journal.yaml")
TRACES = 50  # that a gateway holds here
CHANGES = {
    "exporters": {
        "file/journal": {"rotation": {"max_megabytes": 5}},
        "prometheus_remote_write": {"timeout": "1s"},  # there is no Prometheus here
    },
    "processors": {"tail_sampling": {"decision_wait": "1s", "num_traces": TRACES}},
}
# Files that begin with it are alike for longer than the reader compares by default.
LONG = {**otlp.RESOURCE, "process.command_line": "x" * 5000}


@contextmanager
def gateway(otelcol: str, folder: Path, jaeger: Jaeger) -> Iterator[Collector]:
    env = {
        "JAEGER_ENDPOINT": f"127.0.0.1:{jaeger.port}",
        "KEEP_PERCENT": "100",
        "METRICS_ENDPOINT": "http://127.0.0.1:9",
    }
    with Collector(otelcol, folder, FILES, CHANGES, env) as collector:
        yield collector


def journal(folder: Path) -> Path:
    return folder / "queue" / "journal"


def line(span: Any) -> str:
    """A request as a journal has it."""
    one = {
        "traceId": span.trace_id.hex(),
        "spanId": span.span_id.hex(),
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": str(span.start_time_unix_nano),
        "endTimeUnixNano": str(span.end_time_unix_nano),
    }
    request = {"resourceSpans": [{"scopeSpans": [{"spans": [one]}]}]}
    return json.dumps(request, separators=(",", ":")) + "\n"


def arrive(spans: Iterable[Any], jaeger: Jaeger) -> None:
    wanted = {span.span_id for span in spans}
    until(lambda: not missing(wanted, jaeger.ids()), 120, "all spans arrive")


def test_all_spans_arrive_as_they_were_sent(otelcol: str, tmp_path: Path) -> None:
    sent = [otlp.span(f"work {number}", n=number) for number in range(2 * TRACES)]
    # Larger than a line may be by default; some of them fill a file.
    sent += [otlp.span("large", text=str(number) * 2_000_000) for number in range(8)]
    with Jaeger() as jaeger, gateway(otelcol, tmp_path, jaeger) as collector:
        for span in sent:
            assert otlp.send(collector.http, "traces", otlp.traces([span], LONG)) == 200
        arrive(sent, jaeger)

    assert len(list(journal(tmp_path).iterdir())) > 3
    assert len(jaeger.spans) == len(sent)
    for span in sent:
        span.status.SetInParent()  # the collector says it even if it is empty
    assert {span.span_id: span for span in jaeger.spans} == {span.span_id: span for span in sent}


def test_a_request_is_read_whole_although_the_disk_is_slow(otelcol: str, tmp_path: Path) -> None:
    span = otlp.span()
    with Jaeger() as jaeger, gateway(otelcol, tmp_path, jaeger):
        with (journal(tmp_path) / "traces-slow.json").open("w") as file:
            file.write(line(span)[:100])
            file.flush()
            time.sleep(1.5)  # longer than the reader waits by default
            file.write(line(span)[100:])
        arrive([span], jaeger)


def test_what_is_older_than_an_hour_is_not_read_again(otelcol: str, tmp_path: Path) -> None:
    old, new = otlp.span("old"), otlp.span("new")
    journal(tmp_path).mkdir(parents=True)
    for span, hours in ((old, 2), (new, 0)):
        path = journal(tmp_path) / f"traces-{span.name}.json"
        path.write_text(line(span))
        os.utime(path, (time.time() - hours * 3600,) * 2)
    with Jaeger() as jaeger, gateway(otelcol, tmp_path, jaeger):
        arrive([new], jaeger)

    assert set(jaeger.ids()) == {new.span_id}
