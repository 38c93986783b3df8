"""`otelkit doctor`: what ``setup()`` would do here, and what stands in its way."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator

from otelkit._environment import shown
from otelkit.cli._doctor_look import Diagnosis, look

_MARKS = {True: "✓", False: "✗"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `otelkit doctor`."""
    parser.add_argument("--json", action="store_true", help="write all of it as one JSON object")


def run(args: argparse.Namespace) -> int:
    """Looks, and says what was found.

    Returns:
        0, or 1 when there is something to mend.
    """
    found = look()
    print(_as_json(found) if args.json else "\n".join(_lines(found)))
    return 0 if found.is_fine else 1


def _as_json(found: Diagnosis) -> str:
    values = {
        **vars(found),
        "destinations": [one._asdict() for one in found.destinations],
        "settings": {name: one._asdict() for name, one in found.settings.items()},
    }
    return json.dumps(values, indent=2, ensure_ascii=False)


def _lines(found: Diagnosis) -> Iterator[str]:
    yield f"otelkit {found.otelkit}, Python {found.python}\n"
    yield from _doings(found)
    for there, title in ((True, "Extras installed"), (False, "Extras not installed")):
        if names := [name for name, installed in found.extras.items() if installed is there]:
            yield f"{title}: {', '.join(names)}"
    chosen = {name: one for name, one in found.settings.items() if one.source != "default"}
    if chosen:
        yield "\nSettings other than the defaults"
    for name, one in chosen.items():
        value = tuple(one.value) if isinstance(one.value, list) else one.value
        yield f"  {name} = {shown(value)} ({one.source})"
    yield ""
    yield from (f"✗ {problem}" for problem in found.problems)
    unfit = sum(not one.accepts for one in found.destinations)
    settings = len(found.problems)
    yield f"{settings + unfit} to mend: {settings} in the settings, {unfit} with destinations"


def _doings(found: Diagnosis) -> Iterator[str]:
    if found.off:
        yield f"setup() sends nothing: {found.off}\n"
        return
    yield "setup() would send" if found.destinations else "setup() would send nothing"
    for one in found.destinations:
        answer = f": {one.answer}" if one.answer else ""
        yield f"  {_MARKS[one.accepts]} {one.signal:8} {one.name:10} {one.endpoint}{answer}"
    yield f"LangSmith: {found.langsmith}"
    yield f"Instrumented once imported: {', '.join(found.instrumented) or 'nothing'}"
