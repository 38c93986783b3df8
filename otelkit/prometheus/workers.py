"""The workers of one server, which answer for each other.

``uvicorn --workers 4`` and gunicorn start processes that accept from one socket: a scrape reaches
whichever is free, and four pages of four counters, in turn, are wrong. So every worker keeps its
totals where the others can read them: in a folder named after the process that started them, in the
temporary folder of the system. Whoever is scraped adds them all up.

* Counters and histograms that otelkit makes are in the worker's ledger at once
  (:mod:`otelkit.prometheus.ledger`). What else there is, it writes to a snapshot, every second
  while somebody scrapes.
* A worker holds the lock of its ledger; when it ends, however that happens, the lock is free.
  What it had counted stays, until its server is started anew; its gauges are gone.
* A worker that takes the place of another adds its predecessor's totals to those of all that have
  ended, so that there are never more ledgers than there were workers at one time.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import struct
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from otelkit import _bounded
from otelkit.prometheus import ledger, server
from otelkit.prometheus.families import Family
from otelkit.prometheus.totals import Totals, packed, together, unpacked

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LABEL = "worker"  # tells the gauges of several workers apart
_WATCHED = 600.0  # seconds after a scrape in which the next one is expected
_PATIENCE = 2.0  # seconds to wait for a lock that is held for milliseconds
_ENDED = "ended.json"
_LOCK = "lock"  # also says when it was scraped last


class Member(NamedTuple):
    """A ledger and who it belongs to: a place among the workers, and a word of its own."""

    path: Path
    place: int
    word: str

    @property
    def snapshot(self) -> Path:
        """Where the worker writes what is not in its ledger."""
        return self.path.with_suffix(".json")


class Worker:
    """This process as one of several.

    Args:
        folder: Of all workers of the server.

    Raises:
        OSError: The folder cannot be used, or not in time.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._enter()

    def _enter(self) -> None:
        server.make_private(self._folder.parent)
        server.make_private(self._folder)
        with _locked(self._folder, exclusive=True):
            members = list(_members(self._folder))
            living = [member for member in members if _lives(member)]
            _bury(self._folder, [member for member in members if member not in living])
            taken = {member.place for member in living}
            place = next(n for n in range(len(taken) + 1) if n not in taken)
            word = f"{os.getpid()}-{time.time_ns()}"
            self._member = Member(self._folder / f"{place}.{word}.ledger", place, word)
            self.ledger = ledger.Ledger(self._member.path)
            # Opened once more: the other is held by the mappings, which a forked child has, too.
            self._lock = os.open(self._member.path, os.O_RDONLY | os.O_CLOEXEC)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        _bounded.share(self.ledger.open)

    def publish(self, families: Iterable[Family]) -> None:
        """Lets the others read what is not in the ledger.

        Raises:
            OSError: It cannot be written.
        """
        if not self._member.path.exists():  # something cleans up temporary files: all start anew
            self.leave()
            self._enter()
        content = packed(Totals.of(f) for f in families if f.name not in self.ledger.families)
        _write(self._member.snapshot, content)

    def together(self) -> dict[str, Family]:
        """The families of all workers, those that have ended included.

        Raises:
            OSError: The folder cannot be read, or not in time.
        """
        (self._folder / _LOCK).touch()
        with _locked(self._folder):
            folded, sources = _ended(self._folder)
            for member in sorted(_members(self._folder)):
                if member.word != folded:
                    sources += _of(member, lives=_lives(member))
        return {name: totals.shown() for name, totals in together(sources).items()}

    def is_watched(self) -> bool:
        """Whether any of the workers was scraped lately."""
        try:
            scraped = (self._folder / _LOCK).stat().st_mtime
        except OSError:
            return False
        return time.time() - scraped < _WATCHED

    def leave(self) -> None:
        """Ends to be one of them; what was counted stays. In a forked child: it never was one."""
        self.ledger.close()
        os.close(self._lock)


def join() -> Worker | None:
    """This process among the workers of its server; None where it is no worker.

    Raises:
        OSError: There is no folder that can be used.
    """
    supervisor = server.supervisor()
    if supervisor is None:
        return None
    if fcntl is None:
        raise OSError("this system has no flock")
    folder = server.folder(supervisor)
    worker = Worker(folder)
    _sweep(folder)
    return worker


def _sweep(own: Path) -> None:
    """Removes the folders of servers that have ended."""
    for folder in own.parent.iterdir():
        if folder != own and server.has_ended(folder):
            with contextlib.suppress(OSError), _locked(folder, exclusive=True, patience=0):
                if not any(map(_lives, _members(folder))):
                    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _locked(
    folder: Path, *, exclusive: bool = False, patience: float = _PATIENCE
) -> Iterator[None]:
    """Keeps ledgers from coming and going."""
    operation = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
    deadline = time.monotonic() + patience
    with (folder / _LOCK).open("ab") as file:
        while True:
            try:
                fcntl.flock(file, operation | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(0.005)
        try:
            yield
        finally:
            # A child forked meanwhile has the file open, too; closing alone would not do.
            fcntl.flock(file, fcntl.LOCK_UN)


def _members(folder: Path) -> Iterator[Member]:
    for path in folder.glob("*.ledger"):
        place, word = path.stem.split(".")
        yield Member(path, int(place), word)


def _lives(member: Member) -> bool:
    with member.path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        fcntl.flock(file, fcntl.LOCK_UN)
        return False


def _of(member: Member, *, lives: bool) -> list[Totals]:
    """What the worker has told; of one that has ended only what stays true."""
    sources = []
    with contextlib.suppress(ValueError, IndexError, struct.error):  # what is broken is worthless
        sources += ledger.read(member.path)
    with contextlib.suppress(FileNotFoundError):
        sources += unpacked(json.loads(member.snapshot.read_bytes()))
    if not lives:
        return [each for each in sources if each.family.kind in ("counter", "histogram")]
    for each in sources:
        if each.family.kind == "gauge":
            mark = (LABEL, str(member.place))
            each.points = {
                tuple(sorted((*labels, mark))): point for labels, point in each.points.items()
            }
    return sources


def _ended(folder: Path) -> tuple[str, list[Totals]]:
    """The word of the last worker that was buried, and what all of them have left."""
    try:
        word, content = json.loads((folder / _ENDED).read_bytes())
    except FileNotFoundError:
        return "", []
    return word, unpacked(content)


def _bury(folder: Path, dead: Iterable[Member]) -> None:
    """Adds what the dead have left to what those before them have, and removes their files."""
    last, sources = _ended(folder)
    # Whoever did this before may have been killed between adding one and removing it.
    for member in sorted(dead, key=lambda each: each.word != last):
        if member.word != last:
            sources = list(together([*sources, *_of(member, lives=False)]).values())
            _write(folder / _ENDED, [member.word, packed(sources)])
        for suffix in (".json", ".new", ".ledger"):
            member.path.with_suffix(suffix).unlink(missing_ok=True)


def _write(path: Path, content: object) -> None:
    """At once or not at all: nobody reads half of it."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps(content))
    new.replace(path)
