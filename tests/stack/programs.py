"""Real programs on free ports of 127.0.0.1: started, asked, ended, killed."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).parents[2]
COLLECTOR = ROOT / "collector"
BASE = (COLLECTOR / "config.yaml", COLLECTOR / "extras.yaml")

Sample = tuple[dict[str, str], float]


def find_otelcol() -> str | None:
    """The collector that `make otelcol` has found or built."""
    return _found_by(COLLECTOR / "otelcol.sh")


def find_jaeger() -> str | None:
    """The Jaeger that `make jaeger` has found or built."""
    return _found_by(COLLECTOR / "jaeger" / "jaeger.sh")


def _found_by(script: Path) -> str | None:
    command = ["sh", str(script), "--find"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.strip() if found.returncode == 0 else None


def find(*names: str) -> str:
    """The first of these programs that is installed."""
    for name in names:
        if path := shutil.which(name):
            return path
    raise AssertionError(f"none of {', '.join(names)} is installed")


def forced_into_the_wheel() -> list[str]:
    """What pyproject.toml puts into the wheel beside the package."""
    project = (ROOT / "pyproject.toml").read_text()
    section = project.partition("[tool.hatch.build.targets.wheel.force-include]\n")[2]
    return re.findall(r'^"(.+?)" = ', section.partition("\n\n")[0], re.MULTILINE)


def free_port() -> int:
    """A port below those that the system gives to clients: who is away keeps it."""
    while True:
        port = random.randrange(10_000, 30_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def until(condition: Callable[[], Any], seconds: float = 30.0, what: str = "") -> Any:
    """The first true value of ``condition``, looked at until time is up."""
    deadline = time.monotonic() + seconds
    while True:
        if value := condition():
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what or condition}")
        time.sleep(0.05)


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        text: str = answer.read().decode()
        return text


def answers(url: str) -> bool:
    try:
        get(url)
    except (OSError, urllib.error.URLError):
        return False
    return True


class Program:
    """One process; what it says goes to a file.

    Args:
        command: The program and its arguments.
        log: File for what it says.
        ready: URL that answers once it can be used.
        env: Variables beside those of the test.
    """

    def __init__(
        self, command: Sequence[str], log: Path, ready: str, env: Mapping[str, str] | None = None
    ) -> None:
        self._command, self._ready = list(command), ready
        self._env = {**os.environ, **(env or {})}
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command, env=self._env, stdout=output, stderr=subprocess.STDOUT
            )
        until(lambda: self._ended() or answers(self._ready), 60, f"{self._ready} answers")
        assert not self._ended(), f"{self._command} ended:\n{self.said()[-4000:]}"

    def _ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def stop(self, with_signal: int = signal.SIGTERM) -> None:
        if self._process is None:
            return
        self._process.send_signal(with_signal)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
        finally:
            self._process = None

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    def __enter__(self) -> Any:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(subprocess.TimeoutExpired):
            self.stop()


class Collector(Program):
    """The real collector with shipped files, on ports of its own and with a queue in ``folder``.

    Args:
        otelcol: The program.
        folder: For its queue, its log, and the file with its ports and the changes.
        files: Configuration, merged in this order.
        changes: Merged last; what a test needs to be other than shipped.
        env: Addresses of the destinations.
        disk: A folder that is a file system of 32 MiB for this process; see :meth:`fill_disk`.
    """

    def __init__(
        self,
        otelcol: str,
        folder: Path,
        files: Iterable[Path] = BASE,
        changes: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
        disk: Path | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._disk = disk
        names = ("grpc", "http", "page", "own", "health")
        self.ports = {name: free_port() for name in names}
        self._changes = folder / "changes.yaml"
        self._changes.write_text(json.dumps(merged(self._moved(), changes or {})))
        super().__init__(
            [*_on(disk), otelcol, *(f"--config={path}" for path in (*files, self._changes))],
            folder / "otelcol.log",
            f"http://127.0.0.1:{self.ports['health']}",
            {
                "COLLECTOR_QUEUE": str(folder / "queue"),
                "HOST_NAME": "machine",
                "JAEGER_ENDPOINT": "127.0.0.1:9",
                "LOKI_ENDPOINT": "http://127.0.0.1:9",
                "HOST_PROC_MOUNTINFO": "/proc/self/mountinfo" if disk else "",
                **(env or {}),
            },
        )

    def _moved(self) -> dict[str, Any]:
        at = {name: f"127.0.0.1:{port}" for name, port in self.ports.items()}
        pull = {"exporter": {"prometheus": {"host": "127.0.0.1", "port": self.ports["own"]}}}
        protocols = {name: {"endpoint": at[name]} for name in ("grpc", "http")}
        return {
            "receivers": {"otlp": {"protocols": protocols}},
            "exporters": {"prometheus": {"endpoint": at["page"]}},
            "extensions": {"health_check": {"endpoint": at["health"]}},
            "service": {"telemetry": {"metrics": {"readers": [{"pull": pull}]}}},
        }

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.ports['http']}"

    @contextmanager
    def changed(self, changes: Mapping[str, Any]) -> Iterator[None]:
        """Run it with further changes as long as the block; it starts anew before and after."""
        before = self._changes.read_text()
        self._restart(json.dumps(merged(json.loads(before), changes)))
        try:
            yield
        finally:
            self._restart(before)

    def _restart(self, changes: str) -> None:
        self.stop()
        self._changes.write_text(changes)
        self.start()

    def fill_disk(self) -> Path:
        """Leave nothing free on the disk; returns the file to delete."""
        # The file system is there for the process alone.
        file = Path(f"/proc/{self.pid}/root{self._disk}/full")
        with suppress(OSError), file.open("wb", buffering=0) as output:
            while True:
                output.write(bytes(65536))
        return file

    def page(self) -> dict[str, list[Sample]]:
        """What Prometheus would scrape."""
        return samples(get(f"http://127.0.0.1:{self.ports['page']}/metrics"))

    def own(self, name: str, **labels: str) -> float:
        """The sum of the collector's own metric over the series that have these labels."""
        found = samples(get(f"http://127.0.0.1:{self.ports['own']}/metrics"))
        return total(found.get(name, []) + found.get(f"{name}_total", []), **labels)

    def warnings(self) -> list[str]:
        """What it has warned of, without the attempts to reach a destination that is away."""
        lines = [json.loads(line) for line in self.said().splitlines() if line.startswith("{")]
        said = [line["msg"] for line in lines if line["level"] not in ("info", "debug")]
        return [message for message in said if "failed to connect" not in message]


def _on(disk: Path | None) -> list[str]:
    """What runs a command where ``disk`` is a small file system, as no particular user."""
    if disk is None:
        return []
    mount = 'mount -t tmpfs -o size=32m tmpfs "$1" && shift && exec "$@"'
    return ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, "sh", str(disk)]


def samples(text: str) -> dict[str, list[Sample]]:
    """The samples of a page of metrics, by name."""
    found: dict[str, list[Sample]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def total(found: Iterable[Sample], **labels: str) -> float:
    """The sum of the samples that have these labels."""
    wanted = labels.items()
    return sum(value for has, value in found if wanted <= has.items())


def merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """As the collector merges: maps are merged, everything else is replaced."""
    result = dict(one)
    for key, value in other.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if both else value
    return result
