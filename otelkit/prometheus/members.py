"""The files of the workers of one server, and what they say while a worker lives and afterwards."""

from __future__ import annotations

import contextlib
import json
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from otelkit.prometheus import ledger
from otelkit.prometheus.families import Labels
from otelkit.prometheus.totals import Totals, packed, together, unpacked

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LABEL = "worker"  # tells the gauges of several workers apart
ENDED = "ended.json"
_BROKEN = (ValueError, TypeError, IndexError, struct.error)  # what is broken, is worthless


class Member(NamedTuple):
    """A ledger and who it belongs to: a place among the workers, and a word of its own."""

    path: Path
    place: int
    word: str

    @property
    def snapshot(self) -> Path:
        """Where the worker writes what is not in its ledger."""
        return self.path.with_suffix(".json")

    def lives(self) -> bool:
        """Whether the worker still holds the lock of its ledger."""
        with self.path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            fcntl.flock(file, fcntl.LOCK_UN)
            return False

    def read(self) -> Told:
        """What the worker has told until now, as it stands in its files."""
        return Told(self.place, self.lives(), self.path.read_bytes(), content(self.snapshot))


class Told(NamedTuple):
    """What a worker has told, and whether it lives."""

    place: int
    lives: bool
    ledger: bytes
    snapshot: bytes


def find(folder: Path) -> Iterator[Member]:
    """The workers that have files in ``folder``."""
    for path in folder.glob("*.ledger"):
        place, word = path.stem.split(".")
        yield Member(path, int(place), word)


def content(path: Path) -> bytes:
    """What the file holds; nothing where there is none."""
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes()
    return b""


def totals(told: Told) -> list[Totals]:
    """What a worker has told as totals; of one that has ended only what stays true."""
    sources = []
    with contextlib.suppress(*_BROKEN):
        sources += ledger.read(told.ledger)
    with contextlib.suppress(*_BROKEN):
        sources += unpacked(json.loads(told.snapshot or b"[]"))
    if not told.lives:
        return [each for each in sources if each.family.kind in ("counter", "histogram")]
    for each in sources:
        if each.family.kind == "gauge":
            each.points = {_marked(key, told.place): point for key, point in each.points.items()}
    return sources


def _marked(labels: Labels, place: int) -> Labels:
    # A label of that name gives way, as to those of Prometheus: two of them would spoil the page.
    others = [(f"exported_{name}" if name == LABEL else name, value) for name, value in labels]
    return tuple(sorted([*others, (LABEL, str(place))]))


def ended(content: bytes) -> tuple[str, list[Totals]]:
    """The word of the last worker that was buried, and what all of them have left."""
    with contextlib.suppress(*_BROKEN):
        word, left = json.loads(content or b'["", []]')
        return word, unpacked(left)
    return "", []


def bury(folder: Path, dead: Iterable[Member]) -> None:
    """Adds what the dead have left to what those before them have, and removes their files."""
    last, sources = ended(content(folder / ENDED))
    # Whoever did this before may have been killed between adding one and removing it.
    for member in sorted(dead, key=lambda each: each.word != last):
        if member.word != last:
            sources = list(together([*sources, *totals(member.read())]).values())
            write(folder / ENDED, [member.word, packed(sources)])
        for suffix in (".json", ".new", ".ledger"):
            member.path.with_suffix(suffix).unlink(missing_ok=True)


def write(path: Path, content: object) -> None:
    """At once or not at all: nobody reads half of it."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps(content))
    new.replace(path)
