"""The command line: ``otelkit COMMAND``, or ``python -m otelkit COMMAND``."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from otelkit.errors import OtelkitError

_NOBODY_READS = 141  # as shells tell of a program that SIGPIPE has ended

# One module a command, imported only when its command is given or help is asked for.
COMMANDS = {
    "view": "receive telemetry and show it in the browser, nothing else needed",
    "demo": "run an example agent service and show what otelkit sees of it",
    "doctor": "say what setup() would do in this environment, and what stands in its way",
    "rules": "write recording rules of Prometheus for the names that dashboards already use",
    "stack": "copy or check the shipped collector, Jaeger, Loki, Prometheus and Grafana",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: The words after ``otelkit``; those of the process by default.

    Returns:
        The exit code: 0 if all went well, 1 if the command found something wrong, 2 if it could
        not run as asked, 141 if nobody reads what it says any more.
    """
    try:
        try:
            return _run(argv)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # `| head` has seen enough
        # At exit the interpreter writes what is left, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _NOBODY_READS


def _run(argv: Sequence[str] | None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(prog="otelkit", description="OpenTelemetry for LLM backends.")
    parser.add_argument("--version", action="version", version=f"otelkit {version('otelkit')}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text)
        if words[:1] == [name]:
            module = importlib.import_module(f"otelkit.cli.{name}")
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    arguments = parser.parse_args(words)
    try:
        code: int = arguments.run(arguments)
    except OtelkitError as error:
        print(f"otelkit: {error}", file=sys.stderr)
        return 2
    return code
