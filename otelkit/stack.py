"""The shipped stack: where its files are, a copy of them, and whether they are in order.

Collector, Jaeger, Loki, Prometheus, Alertmanager and Grafana are configured by ``collector/`` and
started by ``docker-compose.yml``. Both travel in the wheel.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Literal, NamedTuple

from otelkit.errors import OtelkitError

# A copy that is made anew leaves them alone.
YOURS = (Path(".env"), Path("collector/extras.yaml"))
_FROM = re.compile(r"^(\s*(?:- )?\w+: ).*(  # from (\w+))$", re.MULTILINE)
_STAYS = {"__pycache__", "secrets"}  # folders that belong to where they are
_ALERTS = Path("collector/alertmanager/alertmanager.yml")
_RECEIVER = re.compile(r"^  - name: (\w+)$", re.MULTILINE)
_SECONDS = 120.0  # that one program may take


class Finding(NamedTuple):
    """What became of one check: ``detail`` says what is wrong, or what is needed to look."""

    what: str
    state: Literal["ok", "wrong", "unchecked"]
    detail: str = ""


def locate() -> Path:
    """Return the folder of ``docker-compose.yml`` and ``collector/``.

    Raises:
        OtelkitError: They are not part of this installation.
    """
    package = Path(__file__).parent
    for folder in (package / "_stack", package.parent):
        if (folder / "docker-compose.yml").is_file() and (folder / "collector").is_dir():
            return folder
    raise OtelkitError("the stack is not part of this installation of otelkit")


def export(folder: Path, environ: Mapping[str, str] | None = None) -> list[Path]:
    """Copy the stack into ``folder``, where ``docker compose up`` then starts it.

    Args:
        folder: Made if it is not there. What it holds under the same names is replaced, but for
            ``.env`` and ``collector/extras.yaml``, which are the user's.
        environ: ``ALERT_*`` variables set the receivers of ``alertmanager.yml``; ``os.environ`` by
            default.

    Returns:
        The files that were written, relative to ``folder``.

    Raises:
        OtelkitError: The folder cannot be written to, or is that of the stack itself; a variable
            names a receiver that there is not.
    """
    source = locate()
    environ = os.environ if environ is None else environ
    if folder.resolve() == source.resolve():
        raise OtelkitError(f"{folder} is where the stack comes from; name another folder")
    _check_receivers(source / _ALERTS, environ)
    written = []
    try:
        for path in _files(source):
            target = folder / path
            if path in YOURS and target.exists():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / path, target)
            written.append(path)
        _render(folder / _ALERTS, environ)
        if Path(".env") in written:
            _use_release(folder / ".env")
    except OSError as error:
        raise OtelkitError(f"cannot write to {folder}: {error}") from error
    return written


def _files(source: Path) -> Iterator[Path]:
    yield from (Path("docker-compose.yml"), Path(".env"))
    for path in sorted((source / "collector").rglob("*")):
        relative = path.relative_to(source)
        if path.is_file() and not _STAYS & set(relative.parts):
            yield relative


def _check_receivers(path: Path, environ: Mapping[str, str]) -> None:
    """Raise an error where a variable names a receiver that ``path`` has not."""
    choices = _RECEIVER.findall(path.read_text(encoding="utf-8"))
    for variable in ("ALERT_RECEIVER", "ALERT_CRITICAL_RECEIVER"):
        value = environ.get(variable)
        if value and value not in choices:
            raise OtelkitError(f"{variable}={value!r}: expected one of {', '.join(choices)}")


def _render(path: Path, environ: Mapping[str, str]) -> None:
    """Set every line that ends with ``# from NAME`` to what that variable says, if it is set."""

    def line(found: re.Match[str]) -> str:
        value = environ.get(found[3])
        if not value:
            return found[0]
        # A JSON string is a YAML string; booleans stay what they are.
        shown = value if value in ("true", "false") else json.dumps(value)
        return f"{found[1]}{shown}{found[2]}"

    path.write_text(_FROM.sub(line, path.read_text(encoding="utf-8")), encoding="utf-8")


def _use_release(path: Path) -> None:
    """The example service of a copy is not built from the folder it is in."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    release = f'EXAMPLE_PACKAGE="otelkit[demo]=={version("otelkit")}"\n'
    lines = [release if line.startswith("EXAMPLE_PACKAGE=") else line for line in lines]
    path.write_text("".join(lines), encoding="utf-8")


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
    return [
        *_check_collector(collector),
        *_check_prometheus(collector / "prometheus"),
        *_check_alertmanager(collector / "alertmanager"),
        *_check_dashboards(collector / "grafana" / "dashboards"),
        *_check_compose(folder),
        *_unseen(),
    ]


def combinations(collector: Path) -> list[list[Path]]:
    """The files that are meant to be used together, each a list for ``otelcol --config``."""
    base = [collector / "config.yaml", collector / "extras.yaml"]
    overlays = sorted((collector / "overlays").glob("*.yaml"))
    scale = collector / "scale"
    roles = [[scale / f"{role}.yaml"] for role in ("agent", "gateway")]
    roles += [
        [scale / f"{role}.yaml", scale / f"{role}-kafka.yaml"] for role in ("agent", "gateway")
    ]
    return [base, *([*base, one] for one in overlays), [*base, *overlays]] + [
        [*base, *role] for role in roles
    ]


def _check_collector(collector: Path) -> Iterator[Finding]:
    code, otelcol = _output(["sh", str(collector / "otelcol.sh"), "--find"])
    for paths in combinations(collector):
        what = "collector: " + " + ".join(str(path.relative_to(collector)) for path in paths)
        if code:
            needed = "otelcol-contrib or otelcol on PATH, or its path in OTELKIT_OTELCOL"
            yield Finding(what, "unchecked", f"needs {needed}")
            continue
        with tempfile.TemporaryDirectory() as queue:
            options = [f"--config={path}" for path in paths]
            yield _run(what, [otelcol, "validate", *options], COLLECTOR_QUEUE=queue)


def _check_prometheus(prometheus: Path) -> Iterator[Finding]:
    rules = sorted(str(path) for path in (prometheus / "rules").glob("*.yaml"))
    tests = sorted(str(path) for path in (prometheus / "tests").glob("*.yaml"))
    checks = {
        "prometheus: prometheus.yml": ["check", "config", str(prometheus / "prometheus.yml")],
        "prometheus: prometheus-otlp.yml": [
            *("check", "config", str(prometheus / "prometheus-otlp.yml"))
        ],
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


def _check_alertmanager(alertmanager: Path) -> Iterator[Finding]:
    what = "alertmanager: alertmanager.yml"
    amtool = shutil.which("amtool")
    if amtool is None:
        yield Finding(what, "unchecked", "needs amtool on PATH")
    else:
        yield _run(what, [amtool, "check-config", str(alertmanager / "alertmanager.yml")])


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


def _check_compose(folder: Path) -> Iterator[Finding]:
    what = "compose: docker-compose.yml"
    docker = shutil.which("docker")
    if docker is None or _output([docker, "compose", "version"])[0]:
        yield Finding(what, "unchecked", "needs docker compose")
    else:
        path = str(folder / "docker-compose.yml")
        yield _run(what, [docker, "compose", "--file", path, "config", "--quiet"])


def _unseen() -> Iterator[Finding]:
    """What only its own program reads, when it starts."""
    for file in ("loki/loki.yaml", "jaeger/jaeger.yaml", "grafana/provisioning"):
        service, _, name = file.partition("/")
        yield Finding(f"{service}: {name}", "unchecked", f"see docker compose logs {service}")


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
