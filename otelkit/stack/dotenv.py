"""The ``.env`` of a copy: the user's file, into which newer images and new settings are merged."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from otelkit.errors import OtelkitError

# As Docker Compose reads it.
_NAME = r"[ \t]*(?:export[ \t]+)?{name}[ \t]*[=:]"
_LINE = re.compile(
    _NAME.format(name=r"(\w+)") + r"""\s*(?:'([^']*)'|"([^"]*)"|(.*?))\s*(?:\s#.*)?"""
)
_PINNED = re.compile(r"(.+?)(?::|==)v?(\d+(?:\.\d+)*)([-.+\w]*)")


class Merged(NamedTuple):
    """The text of ``.env``, and a line for each setting that changes, or is older and stays."""

    text: str
    changes: list[str]


def load(path: Path) -> str:
    """Return the text of a ``.env``, without a mark of byte order; bytes of no UTF-8 stay."""
    return path.read_text(encoding="utf-8-sig", errors="surrogateescape")


def save(path: Path, content: bytes) -> None:
    """Write a ``.env`` that is whole at every moment, with the mode it had; at first 0600."""
    path = path.resolve()
    new = path.with_name(f"{path.name}.new")
    try:
        new.touch(mode=0o600)
        new.write_bytes(content)
        if path.exists():
            shutil.copymode(path, new)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def read(text: str) -> dict[str, str]:
    """Return the settings in ``text``, by name."""
    found = (_LINE.fullmatch(line.strip()) for line in text.split("\n"))
    return {one[1]: one[2] or one[3] or one[4] or "" for one in found if one}


def merge(kept: str, shipped: str) -> Merged:
    """Bring a ``.env`` that is kept to what this release ships.

    A pin (an image, the package of the example) of an older version becomes the shipped one if
    only the numbers behind the first differ: another major version may not read what is in its
    volume. Settings that are not there are added. All else is the user's: an image of another name
    or of a newer version, too.
    """
    has, changes = read(kept), list[str]()
    for line in shipped.split("\n"):
        for name, value in read(line).items():
            age = _age(has[name], value) if name in has else "missing"
            if age == "as good":
                continue
            if age == "much older":
                changes.append(f"{name}={has[name]} stays: raise it to {value} yourself")
                continue
            before = "is new" if age == "missing" else f"in place of {has[name]}"
            changes.append(f"{name}={value} {before}")
            kept = _with(kept, name, line)
    return Merged(kept, changes)


def keep(text: str, settings: Mapping[str, str]) -> Merged:
    """Write ``settings`` into ``text``.

    Raises:
        OtelkitError: A value has a quote, a backslash at its end, or what cannot be printed, as a
            line end: Docker Compose, too, reads this file.
    """
    has, changes = read(text), list[str]()
    for name, value in settings.items():
        if "'" in value or value.endswith("\\") or not value.isprintable():
            raise OtelkitError(
                f"{name}: a quote, a backslash at the end and what is no printable character "
                "cannot be kept in .env"
            )
        if has.get(name) != value:
            text = _with(text, name, f"{name}='{value}'")
            # Without its value, which may be a credential.
            changes.append(f"{name} is set, from the environment")
    return Merged(text, changes)


def _age(kept: str, shipped: str) -> Literal["older", "much older", "as good"]:
    """Of a pin: ``much older`` is of another major version or another variant."""
    ours, theirs = _PINNED.fullmatch(shipped), _PINNED.fullmatch(kept)
    if not (ours and theirs) or ours[1] != theirs[1]:
        return "as good"
    old, new = _numbers(theirs[2]), _numbers(ours[2])
    if old >= new[: len(old)]:  # 17 is any 17
        return "as good"
    return "older" if (old[0], theirs[3]) == (new[0], ours[3]) else "much older"


def _numbers(version: str) -> list[int]:
    return [int(number) for number in version.split(".")]


def _with(text: str, name: str, line: str) -> str:
    """``text`` with ``line`` as what it says of ``name``."""
    old = re.compile(f"^{_NAME.format(name=name)}.*$", re.MULTILINE)
    if old.search(text):
        return old.sub(lambda _: line, text)
    return f"{text.rstrip()}\n{line}\n"
