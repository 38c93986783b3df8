"""How :class:`~otelkit.settings.Settings` is read: variables, aliases, arguments, warnings."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from typing import Any

from otelkit._parse import Repaired
from otelkit.errors import ConfigError
from otelkit.redaction import REDACTED, is_sensitive, scrub

STACK_VARIABLES = ("OTELKIT_BIND", "OTELKIT_OTELCOL")  # read by the shipped stack only
_SHOWN_AT_MOST = 80
_ALIKE = 0.75  # OLTP and OTLP


def read(
    table: type, environ: Mapping[str, str], overrides: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """The values of ``table``'s fields out of ``environ`` and ``overrides``, and what was wrong."""
    values: dict[str, Any] = {}
    problems: list[str] = []
    rows = variables(table)
    for row in rows:
        values.update(_given(row, environ, problems))
    arguments = _checked(rows, overrides)
    configured = any(_chooses_otlp(name) for name in (*values, *arguments))
    values.update(arguments)
    if not configured and ("PYTEST_VERSION" in environ or "PYTEST_CURRENT_TEST" in environ):
        # A test run must not fill the backend of whoever happens to listen on the default port.
        for signal in ("traces", "metrics", "logs"):
            values[f"{signal}_exporter"] = ("none",)
    _fit_batches(table, values, problems)
    problems.extend(_unknown(rows, environ))
    return values, problems


def variables(table: type) -> list[dataclasses.Field[Any]]:
    """The fields of ``table`` that stand for environment variables, in their order."""
    return [row for row in dataclasses.fields(table) if "variables" in row.metadata]


def variable_of(row: dataclasses.Field[Any], environ: Mapping[str, str]) -> str | None:
    """The variable that a field is read from: the first of its own that is set."""
    empty = row.metadata["empty"]
    found = (v for v in row.metadata["variables"] if v in environ and (environ[v].strip() or empty))
    return next(found, None)


def without_secrets(values: Mapping[str, Any]) -> dict[str, str]:
    """``values`` as people may read them."""
    return {
        key: REDACTED if is_sensitive(key) else harmless(str(value))
        for key, value in values.items()
    }


def harmless(text: str) -> str:
    """``text`` without secrets, and without the credentials of the address in it."""
    before, _, host = text.rpartition("@")  # the last: a password may have one, too
    kept, slashes, _ = before.partition("//")
    if not slashes:
        kept, slashes, _ = before.rpartition(" ")
    return scrub(f"{kept}{slashes}{host}")


def _quoted(given: object) -> str:
    if isinstance(given, str):
        return repr(harmless(given)[:_SHOWN_AT_MOST])
    return harmless(repr(given))[:_SHOWN_AT_MOST]


def default(row: dataclasses.Field[Any]) -> Any:
    """The value of a field that nobody sets."""
    if row.default is not dataclasses.MISSING:
        return row.default
    factory = row.default_factory
    return None if factory is dataclasses.MISSING else factory()


def _chooses_otlp(name: str) -> bool:
    return ("exporter" in name or "endpoint" in name) and not name.startswith("langsmith")


def _given(
    row: dataclasses.Field[Any], environ: Mapping[str, str], problems: list[str]
) -> dict[str, Any]:
    variable = variable_of(row, environ)
    if variable is None:
        return {}
    try:
        return {row.name: row.metadata["parse"](environ[variable])}
    except Repaired as repaired:
        result, used = {row.name: repaired.value}, repaired.value
        why = str(repaired)
    except ValueError as error:
        result, used, why = {}, default(row), str(error)
    text = f"={_quoted(environ[variable])}" if not row.metadata["secret"] else ""
    using = f"{used * 1000:.0f} ms" if used and row.metadata["milliseconds"] else shown(used)
    problems.append(f"{variable}{text}: {harmless(why)}; using {harmless(using)} instead")
    return result


def _checked(rows: list[dataclasses.Field[Any]], overrides: Mapping[str, Any]) -> dict[str, Any]:
    by_name = {row.name: row for row in rows}
    values = {}
    for name, given in overrides.items():
        row = by_name.get(name)
        if row is None:
            raise ConfigError(f"there is no setting {name!r}{_nearest(name, list(by_name))}")
        if given is None:
            continue
        try:
            values[name] = row.metadata["parse"](given)
        except ValueError as error:
            text = "" if row.metadata["secret"] else f"={_quoted(given)}"
            raise ConfigError(f"{name}{text}: {harmless(str(error))}") from None
    return values


def _fit_batches(table: type, values: dict[str, Any], problems: list[str]) -> None:
    """A batch is never larger than the queue it is taken from."""
    defaults = {row.name: default(row) for row in variables(table)}
    for kind, prefix in (("span", "OTEL_BSP"), ("log", "OTEL_BLRP")):
        queue = values.get(f"{kind}_queue_size", defaults[f"{kind}_queue_size"])
        batch = values.get(f"{kind}_batch_size", defaults[f"{kind}_batch_size"])
        if batch > queue:
            values[f"{kind}_batch_size"] = queue
            problems.append(
                f"{prefix}_MAX_QUEUE_SIZE={queue}: smaller than a batch of {batch}; "
                f"using batches of {queue} instead"
            )


def _unknown(rows: list[dataclasses.Field[Any]], environ: Mapping[str, str]) -> list[str]:
    known = [name for row in rows for name in row.metadata["variables"]]
    known += STACK_VARIABLES
    return [
        f"{name}: otelkit knows no such variable{hint}; it is ignored"
        for name in sorted(environ.keys() - known)
        if (hint := _hint(name, known)) is not None
    ]


def _hint(name: str, known: list[str]) -> str | None:
    """What may be meant by an unknown variable; None for one that others may read."""
    if name.startswith("OTELKIT_"):
        return _nearest(name, known)
    if name.startswith("OTEL_"):
        return next((f" (did you mean {one}?)" for one in known if _misspells(name, one)), None)
    return None


def _misspells(name: str, known: str) -> bool:
    """Whether the two differ in letters of one word: another word makes another variable."""
    words, right = name.split("_"), known.split("_")
    if len(words) != len(right):
        return False
    differing = [pair for pair in zip(words, right, strict=True) if pair[0] != pair[1]]
    return len(differing) == 1 and difflib.SequenceMatcher(None, *differing[0]).ratio() >= _ALIKE


def _nearest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def shown(value: Any) -> str:
    """``value`` as a variable would say it."""
    if value is None or value == {}:
        return "the default"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return ",".join(f"{key}={item}" for key, item in without_secrets(value).items())
    return (",".join(value) or "none") if isinstance(value, tuple) else str(value)
