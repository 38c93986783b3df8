"""The processes of the demo: the example service and its model server, on free ports."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType

import otelkit
from otelkit.errors import MissingExtraError, OtelkitError

_START_SECONDS = 60.0
_END_SECONDS = 5.0
_NEEDED = ("fastapi", "uvicorn", "sqlalchemy", "greenlet", "aiosqlite", "openai", "genai_prices")
# The demo's telemetry and prompts stay on this machine, whatever the surroundings ask for.
_LEAVES_THE_MACHINE = re.compile(
    r"OTEL_EXPORTER_|OTEL_(TRACES|METRICS|LOGS)_EXPORTER|OTEL_CONFIG_FILE"
    r"|LANGSMITH_|LANGCHAIN_|OPENAI_|DATABASE_URL"
)


def locate() -> tuple[str, Path]:
    """Return the package of the example service and the folder to import it from.

    Raises:
        MissingExtraError: What the service needs is not installed.
        OtelkitError: The service is not part of this installation.
    """
    if any(importlib.util.find_spec(name) is None for name in _NEEDED):
        raise MissingExtraError("demo", "the demo")
    package = Path(otelkit.__file__).parent
    if (package / "_demo").is_dir():
        return "otelkit._demo", package.parent
    if (package.parent / "examples" / "codegen_service").is_dir():
        return "examples.codegen_service", package.parent
    raise OtelkitError("the example service is not part of this installation of otelkit")


def sample() -> Path:
    """Return the file with an example of a request."""
    module, folder = locate()
    return folder.joinpath(*module.split(".")) / "sample.json"


def environment(viewer_url: str, folder: Path, **more: str) -> dict[str, str]:
    """Return the variables for the service: it sends to the viewer and writes into `folder`."""
    kept = {k: v for k, v in os.environ.items() if not _LEAVES_THE_MACHINE.match(k)}
    _, root = locate()
    python_path = os.pathsep.join(filter(None, [str(root), kept.get("PYTHONPATH")]))
    no_proxy = ",".join(filter(None, ["127.0.0.1,localhost", kept.get("NO_PROXY")]))
    return {
        **kept,
        "PYTHONPATH": python_path,
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,
        "OTEL_EXPORTER_OTLP_ENDPOINT": viewer_url,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "OTEL_BLRP_SCHEDULE_DELAY": "100",
        "OTEL_METRIC_EXPORT_INTERVAL": "500",
        "OTELKIT_CAPTURE": "redacted",
        "OTELKIT_LOG_LEVELS": "httpx=WARNING,httpx2=WARNING",  # a line for each call of the model
        "DATABASE_URL": f"sqlite:///{folder / 'codegen.db'}",
        "CODEGEN_OUTPUT": str(folder / "generated"),
        **more,
    }


@contextlib.contextmanager
def process(module: str, *arguments: str, log: Path, env: Mapping[str, str]) -> Iterator[str]:
    """Run `python -m module` until the block is left; gives the URL that it prints.

    Args:
        module: What to run. It prints `… on http://…` once it has its port.
        *arguments: Its arguments.
        log: File for what it prints.
        env: Its environment.

    Raises:
        OtelkitError: It ended, or did not say its URL in time; the text holds its last lines.
    """
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(log.open("wb"))
        with _signals_wait():
            child = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=log.parent,
            )
            stack.callback(_end, child)
        yield _url_of(child, module, log)


def _url_of(child: subprocess.Popen[bytes], module: str, log: Path) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        found = re.search(rb" on (http://\S+)", log.read_bytes())
        if found:
            url = found.group(1).decode()
            if _listens(url):
                return url
        if child.poll() is not None:
            break
        time.sleep(0.02)
    ended = f"ended with exit code {child.poll()}" if child.poll() is not None else "is not ready"
    raise OtelkitError(f"{module} {ended}; the last it said:\n{last_lines(log)}")


def last_lines(log: Path) -> str:
    """Return the end of what a process has printed, indented."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-8:]
    return "\n".join(f"    {line}" for line in lines)


def _listens(url: str) -> bool:
    address = urllib.parse.urlsplit(url)
    try:
        socket.create_connection((address.hostname or "", address.port or 80), timeout=5.0).close()
    except OSError:
        return False
    return True


def _end(child: subprocess.Popen[bytes]) -> None:
    try:
        child.terminate()
        child.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        pass
    finally:
        child.kill()
        child.wait()


@contextlib.contextmanager
def _signals_wait() -> Iterator[None]:
    """Hold back SIGINT and SIGTERM, so that no process is started and then forgotten."""
    held: list[int] = []

    def hold(number: int, _frame: FrameType | None) -> None:
        held.append(number)

    before = {n: signal.signal(n, hold) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if held:
        raise KeyboardInterrupt
