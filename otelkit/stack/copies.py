"""A copy of the stack that is somebody's own: their settings outlive the next copy."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from otelkit.errors import OtelkitError
from otelkit.stack import alerts, dotenv
from otelkit.stack.files import SUMS, files, locate

_ENV = Path(".env")
_EXTRAS = Path("collector/extras.yaml")
_ALERTS = Path("collector") / alerts.FILE


class Copy(NamedTuple):
    """What became of the folder; paths are relative to it.

    Attributes:
        files: What was written.
        changes: A line for each setting of ``.env`` that was changed, or is of an older major
            version or another variant than what is shipped, and stays.
        edited: What somebody had edited; it was renamed, with ``.edited`` behind its name.
    """

    files: list[Path]
    changes: list[str]
    edited: list[Path]


def export(folder: Path, environ: Mapping[str, str] | None = None) -> Copy:
    """Copy the stack into ``folder``, where ``docker compose up`` then starts it.

    Args:
        folder: Made if it is not there. What it holds under the same names is replaced, but for
            ``collector/extras.yaml`` and ``.env``, which are the user's. Into a ``.env`` that is
            there, newer images and new settings are merged. What else was edited is renamed.
        environ: ``ALERT_*`` variables set the receivers of ``alertmanager.yml``, and are kept in
            ``.env`` for the next copy; ``os.environ`` by default.

    Returns:
        The files that were written, what was changed in ``.env``, and what had been edited.

    Raises:
        OtelkitError: The folder cannot be written to, or is that of the stack itself; a variable
            names a receiver that there is not, or has a value that ``.env`` cannot hold.
    """
    source = locate()
    environ = os.environ if environ is None else environ
    if folder.resolve() == source.resolve():
        raise OtelkitError(f"{folder} is where the stack comes from; name another folder")
    shipped = (source / _ALERTS).read_text(encoding="utf-8")
    given = {name: environ[name] for name in alerts.read(shipped) if environ.get(name)}
    try:
        settings = _settings(source, folder, given)
        rendered = alerts.render(shipped, dotenv.read(settings.text))
        contents = {path: (source / path).read_bytes() for path in files(source)}
        contents[_ENV] = settings.text.encode("utf-8", "surrogateescape")
        contents[_ALERTS] = rendered.encode("utf-8")
        if (folder / _EXTRAS).exists():
            del contents[_EXTRAS]
        edited = _set_aside(folder, contents)
        for path, content in contents.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            write = dotenv.save if path == _ENV else Path.write_bytes
            write(folder / path, content)
        sums = {path: _sum(content) for path, content in contents.items() if path != _ENV}
        (folder / SUMS).write_text("".join(f"{sums[path]}  {path}\n" for path in sums))
    except OSError as error:
        raise OtelkitError(f"cannot write to {folder}: {error}") from error
    return Copy(list(contents), settings.changes, edited)


def _set_aside(folder: Path, contents: Mapping[Path, bytes]) -> list[Path]:
    """Rename what somebody has edited since it was exported, before ``contents`` replace it."""
    sums = folder / SUMS
    lines = sums.read_text().splitlines() if sums.exists() else []
    exported = {Path(path): one for one, path in (line.split("  ", 1) for line in lines)}
    edited = []
    for path, content in contents.items():
        if path == _ENV or not (folder / path).exists():
            continue
        here = (folder / path).read_bytes()
        if here != content and _sum(here) != exported.get(path):
            (folder / path).replace(folder / f"{path}.edited")
            edited.append(path)
    return edited


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _settings(source: Path, folder: Path, given: Mapping[str, str]) -> dotenv.Merged:
    """The ``.env`` of the copy: the shipped one, or the user's brought to it, with ``given``."""
    shipped = _of_release((source / _ENV).read_text(encoding="utf-8"))
    mine = folder / _ENV
    kept = dotenv.load(mine) if mine.exists() else shipped
    merged = dotenv.merge(kept, shipped)
    settings = dotenv.keep(merged.text, given)
    return dotenv.Merged(settings.text, merged.changes + settings.changes)


def _of_release(text: str) -> str:
    """The example service of a copy is not built from the folder it is in."""
    release = f'EXAMPLE_PACKAGE="otelkit[demo]=={version("otelkit")}"'
    return re.sub(r"^EXAMPLE_PACKAGE=.*$", release, text, flags=re.MULTILINE)
