"""What `otelkit doctor` finds out: what ``setup()`` would do here, and what stands in its way."""

from __future__ import annotations

import dataclasses
import os
import platform
import threading
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from packaging.requirements import Requirement

from otelkit import _environment, _repairs, _rooms, health, integrations, langsmith, runtime
from otelkit.cli import _doctor_places
from otelkit.export.exporter import Batch, Exporter
from otelkit.export.http_client import without_credentials
from otelkit.export.otlp_http import OtlpHttpExporter
from otelkit.langsmith import connect
from otelkit.providers import destinations, resource
from otelkit.settings import SIGNALS, Settings

LONGEST = 3.0  # seconds that a destination has to answer
SECRET = "(secret)"  # noqa: S105 - what is shown in place of one
_GROUPS = {"all", "demo", "dev"}  # extras that are made of others, or for work on otelkit itself

_HINTS = {  # the beginning of an error, and which variable may be wrong
    "answered 401": "key", "answered 403": "key", "answered UNAUTHENTICATED": "key",
    "answered PERMISSION_DENIED": "key", "answered 404": "address", "answered 405": "address",
    "answered UNIMPLEMENTED": "address",
}  # fmt: skip
_VARIABLES = {
    "langsmith": {"key": "LANGSMITH_API_KEY", "address": "LANGSMITH_ENDPOINT"},
    "otlp": {"key": "OTEL_EXPORTER_OTLP_HEADERS", "address": "OTEL_EXPORTER_OTLP_ENDPOINT"},
}

_PROTOCOL = "or OTEL_EXPORTER_OTLP_PROTOCOL"
_SWAPPED = {  # by port, and whether HTTP is spoken to it
    (4317, True): f"4317 is the port of gRPC: use 4318, {_PROTOCOL}=grpc",
    (4318, False): f"4318 is the port of HTTP: use 4317, {_PROTOCOL}=http/protobuf",
}


class Setting(NamedTuple):
    """The value of a setting, and where it is from: a variable, ``default`` or ``adjusted``."""

    value: Any
    source: str


class Destination(NamedTuple):
    """Where a signal goes, and what came of an empty request."""

    signal: str
    name: str
    endpoint: str
    accepts: bool
    answer: str


@dataclasses.dataclass
class Diagnosis:
    """What was found; ``off`` says why ``setup()`` would do nothing, and is empty otherwise."""

    otelkit: str
    python: str
    off: str
    destinations: list[Destination]
    langsmith: str
    instrumented: list[str]
    extras: dict[str, bool]
    settings: dict[str, Setting]
    problems: list[str]

    @property
    def is_fine(self) -> bool:
        """Whether there is nothing to mend."""
        return not self.problems and all(one.accepts for one in self.destinations)


def look() -> Diagnosis:
    """Looks at the environment of this process, and sends an empty request to each destination."""
    environ = dict(os.environ)
    wanted = Settings.from_env(environ)
    problems = [*wanted.problems, *_repairs.repair(wanted)]
    settings, missing = runtime.without_missing_extras(wanted, ())
    problems += [*missing, *_rooms.configure(settings, ()), *langsmith.problems(environ)]
    problems += health.problems(settings)
    instrumented: list[str] = []
    if off := runtime.off(settings):
        found: list[Destination] = []
    else:
        instrumented, misfits = _instrumented(settings)
        problems += [*resource.describe(settings)[1], *misfits]
        problems += _doctor_places.obstacles(settings)
        found = _asked(_exporters(settings))
    return Diagnosis(
        version("otelkit"),
        platform.python_version(),
        off,
        found,
        _langsmith(settings),
        instrumented,
        _extras(),
        _settings(settings, environ),
        problems,
    )


def _instrumented(settings: Settings) -> tuple[list[str], list[str]]:
    """What would be instrumented once it is imported, and what is wrong with the selection."""
    problems = integrations.instrument(settings.instrument)
    names = integrations.selected()
    integrations.uninstrument()
    return names, problems


def _exporters(settings: Settings) -> list[tuple[str, str, Exporter]]:
    found = [
        (signal, name, exporter)
        for signal in SIGNALS
        for name, exporter in destinations.exporters(settings, signal).items()
    ]
    if connect.sends(settings):
        langsmith_exporter = OtlpHttpExporter("traces", connect.destination(settings))
        found.append(("traces", connect.NAME, langsmith_exporter))
    return found


def _asked(exporters: list[tuple[str, str, Exporter]]) -> list[Destination]:
    """What every one of them answers, all asked at once."""
    answers: dict[int, tuple[bool, str]] = {}

    def ask(number: int, exporter: Exporter, name: str) -> None:
        answers[number] = _answer(exporter, name)

    # Threads that nobody has to wait for: looking up a name can take longer than any timeout.
    threads = [
        threading.Thread(target=ask, args=(number, exporter, name), daemon=True)
        for number, (_, name, exporter) in enumerate(exporters)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONGEST + 1)
    late = (False, "no answer in time")
    return [
        Destination(signal, name, exporter.endpoint, *answers.get(number, late))
        for number, (signal, name, exporter) in enumerate(exporters)
    ]


def _answer(exporter: Exporter, name: str) -> tuple[bool, str]:
    if not exporter.spoolable:
        return True, ""  # the console
    answer = exporter.send(Batch(0, b""), LONGEST)
    exporter.close()
    if answer.outcome == "sent":
        return True, ""
    if answer.error.startswith("answered 400"):
        return True, "there, but takes no empty request"
    hint = next((kind for text, kind in _HINTS.items() if answer.error.startswith(text)), None)
    if hint is None:
        port = urlsplit(exporter.endpoint).port
        swapped = _SWAPPED.get((port or 0, isinstance(exporter, OtlpHttpExporter)))
        return False, f"{answer.error} ({swapped})" if swapped else answer.error
    refused = "refused the key: " if hint == "key" else ""
    return False, f"{refused}{answer.error}; is {_VARIABLES[name][hint]} right?"


def _langsmith(settings: Settings) -> str:
    if settings.langsmith == "stamp":
        return "spans are stamped for a collector"
    if not connect.sends(settings):
        return "off"
    project = settings.langsmith_project or "default"
    return f"project {project!r}; {connect.note(settings) or 'prompts and answers are shown'}"


def _extras() -> dict[str, bool]:
    """By name, whether everything that an extra brings is installed, if it brings anything."""
    stated = map(Requirement, requires("otelkit") or ())
    needs = [(need, need.marker) for need in stated if need.marker]
    names = metadata("otelkit").get_all("Provides-Extra") or []
    brought = {
        name: [need for need, when in needs if when.evaluate({"extra": name})]
        for name in sorted(set(names) - _GROUPS)
    }
    return {name: all(map(_is_installed, brings)) for name, brings in brought.items() if brings}


def _is_installed(need: Requirement) -> bool:
    try:
        return need.specifier.contains(version(need.name), prereleases=True)
    except PackageNotFoundError:
        return False


def _settings(settings: Settings, environ: Mapping[str, str]) -> dict[str, Setting]:
    return {
        row.name: Setting(
            _plain(getattr(settings, row.name), secret=row.metadata["secret"]),
            _source(row, getattr(settings, row.name), environ),
        )
        for row in _environment.variables(Settings)
    }


def _source(row: dataclasses.Field[Any], value: Any, environ: Mapping[str, str]) -> str:
    variable = _environment.variable_of(row, environ)
    if variable is not None:
        try:
            given = row.metadata["parse"](environ[variable])
        except ValueError as error:
            given = getattr(error, "value", None)
        if given == value:
            return variable
    return "default" if value == _environment.default(row) else "adjusted"


def _plain(value: Any, *, secret: bool) -> Any:
    if secret:
        return SECRET if value else value
    if isinstance(value, dict):
        return _environment.without_secrets(value)
    if isinstance(value, str) and "://" in value:
        return _environment.harmless(without_credentials(value))
    return list(value) if isinstance(value, tuple) else value
