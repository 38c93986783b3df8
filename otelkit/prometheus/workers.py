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
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from otelkit import _bounded
from otelkit.prometheus import ledger, members, server
from otelkit.prometheus.families import Family
from otelkit.prometheus.members import Member
from otelkit.prometheus.totals import Totals, packed, together

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_WATCHED = 600.0  # seconds after a scrape in which the next one is expected
_PATIENCE = 2.0  # seconds to wait for a lock that is held for milliseconds
_LOCK = "lock"  # also says when it was scraped last


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
        self._member, self.ledger, self._lock = _enter(self._folder)
        _bounded.share(self.ledger.open)

    def publish(self, families: Iterable[Family]) -> None:
        """Lets the others read what is not in the ledger.

        Raises:
            OSError: It cannot be written.
        """
        if not self._member.path.exists():  # something cleans up temporary files: all start anew
            former = self.ledger, self._lock
            self._enter()  # first: where it fails, nothing has changed
            _close(*former)
        told = packed(Totals.of(family) for family in families if family.points)
        members.write(self._member.snapshot, told)

    def together(self) -> dict[str, Family]:
        """The families of all workers, those that have ended included.

        Raises:
            OSError: The folder cannot be read, or not in time.
        """
        (self._folder / _LOCK).touch()
        with _locked(self._folder):  # no longer than to read: who comes waits meanwhile
            ended = members.content(self._folder / members.ENDED)
            told = {member.word: member.read() for member in sorted(members.find(self._folder))}
        folded, sources = members.ended(ended)
        for word, each in told.items():
            if word != folded:
                sources += members.totals(each)
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
        _close(self.ledger, self._lock)


def join(service: str) -> Worker | None:
    """This process among the workers of its server; None where it is no worker.

    Args:
        service: The name of the service; its supervisor may run others, too.

    Raises:
        OSError: There is no folder that can be used.
    """
    supervisor = server.supervisor()
    if supervisor is None:
        return None
    if fcntl is None:
        raise OSError("this system has no flock")
    folder = server.folder(supervisor, service)
    worker = Worker(folder)
    _sweep(folder)
    return worker


def _sweep(own: Path) -> None:
    """Removes the folders of servers that have ended."""
    for folder in own.parent.iterdir():
        if folder != own and server.has_ended(folder):
            with contextlib.suppress(OSError), _locked(folder, exclusive=True, patience=0):
                if not any(member.lives() for member in members.find(folder)):
                    shutil.rmtree(folder, ignore_errors=True)


def _enter(folder: Path) -> tuple[Member, ledger.Ledger, int]:
    """A place among the workers, its ledger, and the descriptor that holds the ledger's lock."""
    server.make_private(folder.parent)
    server.make_private(folder)
    with _locked(folder, exclusive=True):
        living = {member: member.lives() for member in members.find(folder)}
        members.bury(folder, [member for member, lives in living.items() if not lives])
        taken = {member.place for member, lives in living.items() if lives}
        place = next(n for n in range(len(taken) + 1) if n not in taken)
        word = f"{os.getpid()}-{time.time_ns()}"
        member = Member(folder / f"{place}.{word}.ledger", place, word)
        made = ledger.Ledger(member.path)
        try:
            # Opened once more: the other is held by the mappings, which a forked child has, too.
            lock = os.open(member.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            made.close()
            raise
        fcntl.flock(lock, fcntl.LOCK_EX)
    return member, made, lock


def _close(made: ledger.Ledger, lock: int) -> None:
    made.close()
    os.close(lock)


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
