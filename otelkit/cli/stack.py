"""`otelkit stack`: the shipped collector, Jaeger, Loki, Prometheus, Alertmanager and Grafana."""

from __future__ import annotations

import argparse
from pathlib import Path

from otelkit import stack

_MARKS = {"ok": "✓", "wrong": "✗", "unchecked": "?"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `otelkit stack` to its parser."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    export = actions.add_parser(
        "export",
        help="copy the stack, for docker compose up",
        epilog="ALERT_RECEIVER (slack, email, webhook) and other ALERT_... variables set where "
        "alerts go, and are kept in DIR/.env: see DIR/collector/README.md.",
    )
    export.add_argument("folder", metavar="DIR", type=Path, help="made if it is not there")
    check = actions.add_parser("check", help="look whether its files are in order")
    check.add_argument(
        "folder", metavar="DIR", type=Path, nargs="?", help="the shipped files by default"
    )


def run(args: argparse.Namespace) -> int:
    """Export or check the stack.

    Returns:
        0, or 1 when a check has found something wrong.

    Raises:
        OtelkitError: The folder cannot be written to, or holds no stack.
    """
    return _export(args.folder) if args.action == "export" else _check(args.folder)


def _export(folder: Path) -> int:
    copy = stack.export(folder)
    for change in copy.changes:
        print(f".env: {change}")
    for path in copy.edited:
        print(f"{path} had been edited: your version is {path.name}.edited")
    print(f"{len(copy.files)} files written to {folder}. Next:\n")
    # Containers that run already do not read what was written anew.
    print(f"  cd {folder}\n  docker compose up -d --force-recreate")
    return 0


def _check(folder: Path | None) -> int:
    findings = stack.check(folder or stack.locate())
    for finding in findings:
        print(f"{_MARKS[finding.state]} {finding.what}")
        for line in finding.detail.splitlines():
            print(f"    {line}")
    counts = {state: sum(f.state == state for f in findings) for state in _MARKS}
    print(f"\n{counts['ok']} in order, {counts['wrong']} wrong, {counts['unchecked']} not checked")
    return 1 if counts["wrong"] else 0
