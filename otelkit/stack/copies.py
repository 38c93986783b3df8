"""A copy of the stack that is somebody's own: their settings outlive the next copy."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from otelkit.errors import OtelkitError
from otelkit.stack import alerts, dotenv
from otelkit.stack.files import files, locate

_ENV = Path(".env")
_EXTRAS = Path("collector/extras.yaml")
_ALERTS = Path("collector") / alerts.FILE


class Copy(NamedTuple):
    """What was written, relative to the folder, and each setting of a ``.env`` that was changed."""

    files: list[Path]
    changes: list[str]


def export(folder: Path, environ: Mapping[str, str] | None = None) -> Copy:
    """Copy the stack into ``folder``, where ``docker compose up`` then starts it.

    Args:
        folder: Made if it is not there. What it holds under the same names is replaced, but for
            ``collector/extras.yaml`` and ``.env``, which are the user's. Into a ``.env`` that is
            there, newer images and new settings are merged.
        environ: ``ALERT_*`` variables set the receivers of ``alertmanager.yml``, and are kept in
            ``.env`` for the next copy; ``os.environ`` by default.

    Returns:
        The files that were written, and what was changed in ``.env``.

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
    written = []
    try:
        settings = _settings(source, folder, given)
        rendered = alerts.render(shipped, dotenv.read(settings.text))
        for path in files(source):
            target = folder / path
            if path == _EXTRAS and target.exists():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            if path == _ENV:
                target.write_text(settings.text, encoding="utf-8", errors="surrogateescape")
            elif path == _ALERTS:
                target.write_text(rendered, encoding="utf-8")
            else:
                shutil.copyfile(source / path, target)
            written.append(path)
    except OSError as error:
        raise OtelkitError(f"cannot write to {folder}: {error}") from error
    return Copy(written, settings.changes)


def _settings(source: Path, folder: Path, given: Mapping[str, str]) -> dotenv.Merged:
    """The ``.env`` of the copy: the shipped one, or the user's brought to it, with ``given``."""
    shipped = _of_release((source / _ENV).read_text(encoding="utf-8"))
    mine = folder / _ENV
    kept = mine.read_text(encoding="utf-8", errors="surrogateescape") if mine.exists() else shipped
    merged = dotenv.merge(kept, shipped)
    settings = dotenv.keep(merged.text, given)
    return dotenv.Merged(settings.text, merged.changes + settings.changes)


def _of_release(text: str) -> str:
    """The example service of a copy is not built from the folder it is in."""
    release = f'EXAMPLE_PACKAGE="otelkit[demo]=={version("otelkit")}"'
    return re.sub(r"^EXAMPLE_PACKAGE=.*$", release, text, flags=re.MULTILINE)
