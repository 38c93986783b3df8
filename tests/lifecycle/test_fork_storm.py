"""Forks under load: no child hangs, none loses its work, none speaks for its parent."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.lifecycle.matrix import ROOT
from tests.lifecycle.peers import GrpcReceiver, Receiver

FORKS = 20
MANY = 200


def storm(receiver: Receiver | GrpcReceiver, protocol: str, forks: int) -> None:
    variables = {key: value for key, value in os.environ.items() if "PYTEST" not in key}
    variables |= {
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.lifecycle.apps.fork_storm", str(forks)],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert (done.returncode, done.stdout) == (0, "bad=0\n"), done.stderr
    assert receiver.spans()["child"] == forks
    assert receiver.logs()["child"] == forks
    children = [total for total in receiver.totals("work_done").values() if total == 1]
    assert len(children) == forks
    said = receiver.resources("traces")
    assert len({resource["service.instance.id"] for resource in said}) == forks + 1
    assert len({resource["process.pid"] for resource in said}) == forks + 1


BOTH = pytest.mark.parametrize(
    ("protocol", "make"),
    [("http/protobuf", Receiver), ("grpc", GrpcReceiver)],
    ids=["http", "grpc"],
)


@BOTH
def test_children_of_a_busy_process_work_and_end(
    protocol: str, make: Callable[[], Receiver | GrpcReceiver]
) -> None:
    with make() as receiver:
        storm(receiver, protocol, FORKS)


@pytest.mark.soak
@BOTH
def test_two_hundred_children_of_a_busy_process_work_and_end(
    protocol: str, make: Callable[[], Receiver | GrpcReceiver]
) -> None:
    with make() as receiver:
        storm(receiver, protocol, MANY)
