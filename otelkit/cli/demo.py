"""`otelkit demo`: a real agent service under observation, from request to report."""

from __future__ import annotations

import argparse
import contextlib
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType
from typing import NoReturn

from otelkit.cli import _demo_checks, _demo_report, _demo_requests, _demo_service, _demo_trace
from otelkit.cli._demo_checks import Evidence
from otelkit.cli._demo_requests import Sent
from otelkit.viewer import Viewer

_ARRIVE_SECONDS = 20.0
_LOG = "service.log"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `otelkit demo` to its parser."""
    parser.add_argument(
        "--serve", action="store_true", help="keep the viewer and the service running until Ctrl-C"
    )


def run(args: argparse.Namespace) -> int:
    """Run the demo and print what the viewer has seen of it.

    Returns:
        0 when everything was there, 1 when something was missing, 130 when it was interrupted.

    Raises:
        MissingExtraError: The packages of the extra `demo` are not installed.
        OtelkitError: The service did not start.
    """
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a terminal that knows no box drawing
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        with contextlib.ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="otelkit-demo-")))
            viewer_url = stack.enter_context(Viewer(port=0)).url
            service_url = _start(stack, folder, viewer_url)
            code = _show(viewer_url, service_url)
            if code:
                print(f"The last the service said:\n{_demo_service.last_lines(folder / _LOG)}")
            if args.serve:
                _serve(service_url)
            else:
                print(f"To look around in it: {_command()} demo --serve")
            return code
    except KeyboardInterrupt:
        return 130
    finally:
        signal.signal(signal.SIGTERM, before)


def _start(stack: contextlib.ExitStack, folder: Path, viewer_url: str) -> str:
    module, _ = _demo_service.locate()
    env = _demo_service.environment(viewer_url, folder)
    process = _demo_service.process
    model_url = stack.enter_context(
        process(
            f"{module}.model_server",
            *("--port", "0", "--latency", "0.03"),
            log=folder / "model_server.log",
            env=env,
        )
    )
    env |= {"OPENAI_API_KEY": "local", "OPENAI_BASE_URL": model_url}
    service = process(module, "--port", "0", log=folder / _LOG, env=env)
    service_url = stack.enter_context(service)
    _demo_report.heading("otelkit demo")
    print(f"  viewer   {viewer_url}\n  service  {service_url}\n  model    {model_url}")
    return service_url


def _show(viewer_url: str, service_url: str) -> int:
    _demo_requests.warm_up(service_url)
    sent = list(_demo_requests.send_all(service_url))
    evidence, missing = _arrived(viewer_url, sent)
    _demo_report.heading("Requests")
    for one in sent:
        _demo_report.request(one, evidence.traces.get(one.about))
    if success := evidence.traces.get("success"):
        count = len(success.spans)
        _demo_report.heading(f"Trace {success.id} of the first request, {count} spans")
        _demo_report.tree(success)
        _demo_report.heading("Its log lines")
        _demo_report.logs(success)
        _demo_report.heading("Tokens and cost by agent, all four requests together")
        _demo_report.agents(evidence.traces.values())
    print()
    if missing:
        print(_demo_report.paint("Missing:", "red"))
        print("\n".join(f"  ✗ {line}" for line in missing))
        return 1
    print(f"Nothing is missing. All of this was read back from the viewer at {viewer_url}")
    return 0


def _arrived(viewer_url: str, sent: list[Sent]) -> tuple[Evidence, list[str]]:
    """Read the viewer until nothing is missing, or for as long as arriving may take."""
    deadline = time.monotonic() + _ARRIVE_SECONDS
    while True:
        evidence = _read(viewer_url, sent)
        missing = _demo_checks.missing(evidence)
        if not missing or time.monotonic() > deadline:
            return evidence, missing
        time.sleep(0.1)


def _read(viewer_url: str, sent: list[Sent]) -> Evidence:
    traces = {one.about: _demo_trace.read(viewer_url, one.start, one.end) for one in sent}
    found = {about: trace for about, trace in traces.items() if trace is not None}
    return Evidence(sent, found, _demo_trace.ask(f"{viewer_url}/api/metrics")["metrics"])


def _command() -> str:
    """`otelkit` as it can be typed here: with its path where the shell does not find it alone."""
    given, found = Path(sys.argv[0]), shutil.which("otelkit")
    if given.name == "__main__.py":
        return f"{sys.executable} -m otelkit"
    return "otelkit" if found and given.samefile(found) else str(given)


def _serve(service_url: str) -> None:
    sample = _demo_service.sample()
    print(
        f"""
Running until Ctrl-C. Open the viewer, then try:

  curl {service_url}/generate -H 'content-type: application/json' -d @{sample}
  curl -N {service_url}/generate/stream -H 'content-type: application/json' -d @{sample}
  curl {service_url}/runs
  open {service_url}/docs
""",
        flush=True,
    )
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            time.sleep(3600)


def _interrupt(_signum: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
