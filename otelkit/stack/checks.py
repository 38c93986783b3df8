"""Whether the stack is in order, by the programs that are installed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from otelkit.errors import OtelkitError
from otelkit.stack import alerts, dotenv
from otelkit.stack.files import combinations

_SECONDS = 120.0  # that one program may take


class Finding(NamedTuple):
    """What became of one check: ``detail`` says what is wrong, or what is needed to look."""

    what: str
    state: Literal["ok", "wrong", "unchecked"]
    detail: str = ""


def check(folder: Path) -> list[Finding]:
    """Look whether the stack in ``folder`` is in order, with the programs that are installed.

    Args:
        folder: Of ``docker-compose.yml`` and ``collector/``.

    Returns:
        A finding for each part of the stack; ``unchecked`` where the program that would look at it
        is missing, or none can before it runs.

    Raises:
        OtelkitError: The folder holds no stack.
    """
    if not (folder / "collector" / "config.yaml").is_file():
        raise OtelkitError(f"there is no stack in {folder}: collector/config.yaml is missing")
    collector = folder / "collector"
    loki = collector / "loki" / "loki.yaml"
    alertmanager = collector / alerts.FILE
    return [
        *_check_collector(collector),
        _check_jaeger(collector / "jaeger"),
        _check_with("loki", "loki: loki.yaml", "-verify-config", f"-config.file={loki}"),
        *_check_prometheus(collector / "prometheus"),
        _check_with("amtool", "alertmanager: alertmanager.yml", "check-config", str(alertmanager)),
        _check_receivers(alertmanager, folder / ".env"),
        *_check_dashboards(collector / "grafana" / "dashboards"),
        # Only Grafana itself reads it, when it starts.
        Finding("grafana: provisioning", "unchecked", "see docker compose logs grafana"),
        _check_compose(folder),
    ]


def _check_collector(collector: Path) -> Iterator[Finding]:
    otelcol = _find(collector / "otelcol.sh")
    for paths in combinations(collector):
        what = "collector: " + " + ".join(str(path.relative_to(collector)) for path in paths)
        if otelcol is None:
            needed = "otelcol-contrib or otelcol on PATH, or its path in OTELKIT_OTELCOL"
            yield Finding(what, "unchecked", f"needs {needed}")
            continue
        with tempfile.TemporaryDirectory() as queue:
            options = [f"--config={path}" for path in paths]
            # Without a name for the machine, agents and gateways do not start.
            given = {"COLLECTOR_QUEUE": queue, "HOST_NAME": "machine"}
            yield _run(what, [otelcol, "validate", *options], **given)


def _check_jaeger(folder: Path) -> Finding:
    what = "jaeger: jaeger.yaml"
    jaeger = _find(folder / "jaeger.sh")
    if jaeger is None:
        return Finding(what, "unchecked", "needs jaeger on PATH, or its path in OTELKIT_JAEGER")
    return _run(what, [jaeger, "validate", f"--config={folder / 'jaeger.yaml'}"])


def _find(script: Path) -> str | None:
    """The program that ``script`` finds."""
    code, said = _output(["sh", str(script), "--find"])
    return None if code else said


def _check_prometheus(prometheus: Path) -> Iterator[Finding]:
    rules = sorted(str(path) for path in (prometheus / "rules").glob("*.yaml"))
    tests = sorted(str(path) for path in (prometheus / "tests").glob("*.yaml"))
    checks = {
        **{
            f"prometheus: {path.name}": ["check", "config", str(path)]
            for path in sorted(prometheus.glob("*.yml"))
        },
        "prometheus: alert rules": ["check", "rules", *rules],
        "prometheus: tests of the alert rules": ["test", "rules", *tests],
    }
    promtool = shutil.which("promtool")
    for what, arguments in checks.items():
        if promtool is None:
            yield Finding(what, "unchecked", "needs promtool on PATH")
        elif "otlp" in what and _major(promtool) < 3:
            yield Finding(what, "unchecked", "needs promtool 3")
        else:
            yield _run(what, [promtool, *arguments])


def _major(promtool: str) -> int:
    found = re.search(r"version (\d+)", _output([promtool, "--version"])[1])
    return int(found[1]) if found else 0


def _check_with(program: str, what: str, *arguments: str) -> Finding:
    path = shutil.which(program)
    if path is None:
        return Finding(what, "unchecked", f"needs {program} on PATH")
    return _run(what, [path, *arguments])


def _check_receivers(alertmanager: Path, env: Path) -> Finding:
    what = "alertmanager: receivers"
    try:
        text = alertmanager.read_text(encoding="utf-8")
        settings = dotenv.read(dotenv.load(env))
    except OSError as error:
        return Finding(what, "wrong", str(error))
    faults = list(alerts.faults(text, settings, alertmanager.parent / "secrets"))
    return Finding(what, "wrong" if faults else "ok", "\n".join(faults))


def _check_dashboards(dashboards: Path) -> Iterator[Finding]:
    uids: dict[str, str] = {}
    for path in sorted(dashboards.glob("*.json")):
        what = f"grafana: {path.name}"
        try:
            uid = json.loads(path.read_text(encoding="utf-8"))["uid"]
        except (ValueError, KeyError, TypeError) as error:
            yield Finding(what, "wrong", f"is no dashboard: {error!r}")
            continue
        if uid in uids:
            yield Finding(what, "wrong", f"has the uid {uid!r} of {uids[uid]}")
        else:
            uids[uid] = path.name
            yield Finding(what, "ok")


def _check_compose(folder: Path) -> Finding:
    what = "compose: docker-compose.yml"
    docker = shutil.which("docker")
    if docker is None or _output([docker, "compose", "version"])[0]:
        return Finding(what, "unchecked", "needs docker compose")
    path = str(folder / "docker-compose.yml")
    return _run(what, [docker, "compose", "--file", path, "config", "--quiet"])


def _run(what: str, command: Sequence[str], **environment: str) -> Finding:
    code, said = _output(command, **environment)
    return Finding(what, "wrong", said or f"exit code {code}") if code else Finding(what, "ok")


def _output(command: Sequence[str], **environment: str) -> tuple[int, str]:
    """Run a program: its exit code, and what it says."""
    try:
        done = subprocess.run(  # noqa: S603  the programs that check() names
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=_SECONDS,
            env={**os.environ, **environment},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return 1, str(error)
    return done.returncode, done.stdout.strip()
