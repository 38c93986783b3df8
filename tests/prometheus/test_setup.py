"""What setup() makes of the metrics endpoint, in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from otelkit.prometheus import members
from tests.integrations.conftest import wait_until
from tests.processes import ROOT, python

QUIET = {
    "OTEL_TRACES_EXPORTER": "none",
    "OTEL_METRICS_EXPORTER": "none",
    "OTEL_LOGS_EXPORTER": "none",
    "OTELKIT_INSTRUMENT": "none",
}
PAGE = """
from otelkit import prometheus
from otelkit.prometheus.negotiation import Format

def page():
    return prometheus.page(Format(False, False)).result(10).body.decode()
"""


def test_the_page_needs_no_exporter_and_ends_with_telemetry() -> None:
    python(
        f"""{PAGE}
import otelkit
otelkit.counter("jobs").add(1)  # before setup() nothing is measured
telemetry = otelkit.setup()
otelkit.counter("jobs").add(2)
assert "jobs_total 2\\n" in page(), page()
assert 'target_info{{' in page()
assert telemetry.shutdown()
assert prometheus.path() == ""
telemetry = otelkit.setup()
otelkit.counter("jobs").add(5)
assert "jobs_total 5\\n" in page(), page()
assert telemetry.flush()
assert page().count("jobs_total 5\\n") == 1
""",
        environ=QUIET,
    )


def test_it_can_be_turned_off_by_the_name_of_old() -> None:
    python(
        """
from otelkit import prometheus
import otelkit
otelkit.setup()
assert prometheus.path() == ""
""",
        environ={**QUIET, "ENABLE_METRICS": "false"},
    )


def test_a_provider_of_somebody_else_is_read_too() -> None:
    python(
        f"""{PAGE}
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
metrics.set_meter_provider(MeterProvider(shutdown_on_exit=False))
theirs = metrics.get_meter("theirs").create_counter("theirs")
import otelkit
telemetry = otelkit.setup()
assert telemetry.status()["metrics"]["state"] == "joined"
theirs.add(3)
otelkit.counter("ours").add(4)
assert "theirs_total 3\\n" in page()
assert "ours_total 4\\n" in page()
""",
        environ=QUIET,
    )


def test_a_callback_that_hangs_stalls_nobody() -> None:
    """The SDK lets nobody come with an observable instrument while it calls those that it has."""
    done = python(
        f"""{PAGE}
import asyncio, threading
from fastapi import FastAPI
from opentelemetry import metrics
from sqlalchemy import create_engine, text
import otelkit
otelkit.setup()
entered = threading.Event()

def hangs(_options):
    entered.set()
    threading.Event().wait()

metrics.get_meter("mine").create_observable_gauge("hangs", [hangs])
threading.Thread(target=page, daemon=True).start()
entered.wait()

app = FastAPI()

@app.get("/")
@otelkit.traced_agent
def agent():
    otelkit.counter("jobs").add(1)
    with create_engine("sqlite://").connect() as connection:
        return connection.execute(text("SELECT 1")).scalar()

async def send(message):
    print(message.get("body", b"").decode(), end="", flush=True)

scope = {{"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}}
asyncio.run(app(scope, None, send))
import os; os._exit(0)
""",
        environ={**QUIET, "OTELKIT_INSTRUMENT": "fastapi,sqlalchemy"},
    )
    assert done.stdout == "1"


def test_a_provider_without_readers_is_said() -> None:
    done = python(
        """
from opentelemetry import metrics
from opentelemetry.metrics import NoOpMeterProvider
metrics.set_meter_provider(NoOpMeterProvider())
from otelkit import prometheus
import otelkit
otelkit.setup()
assert prometheus.path() == ""
""",
        environ=QUIET,
    )
    assert "there is no metrics endpoint: the meter provider in use takes no readers" in done.stderr


def test_with_plain_otlp_metrics_are_kept_once_for_both_ways() -> None:
    program = f"""{PAGE}
import otelkit
telemetry = otelkit.setup()
readers = telemetry._providers.readers
print(len(readers))
otelkit.counter("jobs").add(2)
assert "jobs_total 2\\n" in page()
assert "jobs_total 2\\n" in page()
"""
    there = {**QUIET, "OTEL_METRICS_EXPORTER": "otlp",
             "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}  # fmt: skip
    assert python(program, environ=there).stdout == "1\n"
    variable = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
    assert python(program, environ={**there, variable: "delta"}).stdout == "2\n"


def test_a_forked_child_starts_at_zero_with_a_page_of_its_own() -> None:
    python(
        f"""{PAGE}
import os, otelkit
otelkit.setup()
jobs = otelkit.counter("jobs")
jobs.add(5)
assert "jobs_total 5\\n" in page()
child = os.fork()
if child == 0:
    jobs.add(1)
    os._exit(0 if "jobs_total 1\\n" in page() else 1)
assert os.waitpid(child, 0)[1] == 0
assert "jobs_total 5\\n" in page()
""",
        environ=QUIET,
    )


WORKER = f"""{PAGE}
import multiprocessing, os, time

def work():
    import otelkit
    otelkit.setup()
    otelkit.counter("jobs").add(3)
    assert "jobs_total 3\\n" in page()
    child = os.fork()
    if child == 0:  # outlives its parent; what it measures is nobody's
        otelkit.counter("jobs").add(100)
    else:
        print(os.getpid(), child, flush=True)
    time.sleep(60)

if __name__ == "__main__":
    process = multiprocessing.get_context("spawn").Process(target=work)
    process.start()
    process.join()
    time.sleep(60)
"""


def test_a_child_does_not_keep_its_dead_parent_alive(tmp_path: Path) -> None:
    script = tmp_path / "server.py"
    script.write_text(WORKER)
    environ = {**os.environ, **QUIET, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    server = subprocess.Popen(
        [sys.executable, script], env=environ, stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        worker, child = map(int, server.stdout.readline().split())
        (folder,) = (tmp_path / f"otelkit-{os.geteuid()}").iterdir()
        assert folder.name.startswith(f"{server.pid}-")
        (member,) = members.find(folder)
        assert member.lives()
        os.kill(worker, signal.SIGKILL)
        try:
            wait_until(lambda: not member.lives(), 30)
            told = members.totals(member.read())
            counted = {each.family.name: each.shown().points for each in told}
            assert counted["jobs"] == {(): 3}
        finally:
            os.kill(child, signal.SIGKILL)
    finally:
        server.kill()
        server.communicate()


def test_a_folder_that_cannot_be_used_is_said_once(tmp_path: Path) -> None:
    (tmp_path / f"otelkit-{os.geteuid()}").write_text("in the way")
    script = tmp_path / "server.py"
    script.write_text(
        f"""{PAGE}
import multiprocessing

def work():
    import otelkit
    otelkit.setup()
    otelkit.counter("jobs").add(3)
    assert "jobs_total 3\\n" in page()

if __name__ == "__main__":
    process = multiprocessing.get_context("spawn").Process(target=work)
    process.start()
    process.join()
    assert process.exitcode == 0
"""
    )
    environ = {**os.environ, **QUIET, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, script], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stderr.count("each worker will show metrics of its own") == 1
