"""Telemetry that could not be sent, kept on disk until it can be: by this process or another.

A folder holds a lane for each signal and destination, a lane a file for each batch. Files appear by
renaming, complete and synced; whoever sends one holds its lock, which ends with the process at the
latest. So several processes share a folder, and what a killed one has left is sent by the next.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from otelkit.spool import files
from otelkit.spool.files import Stored

logger = logging.getLogger("otelkit")

REST = 60.0  # seconds without a try after the disk has failed
HANGS = 5.0  # seconds that one thread waits for the writing of another; then the disk has failed


class Taken(NamedTuple):
    """A batch that this process alone may send now."""

    entry: Stored
    body: bytes


class Spool:
    """A folder of batches, bounded.

    Args:
        folder: Where it is; made if it is not there, for this user alone.
        limit: Bytes it may hold; the oldest batches are dropped first.
    """

    def __init__(self, folder: str, limit: int) -> None:
        self.folder = Path(folder)
        self.limit = limit
        self.lanes: dict[str, Lane] = {}
        self.reset()

    def reset(self) -> None:
        """Speaks for this process from now on; call it in a forked child."""
        self.writer = f"{os.getpid()}_{secrets.token_hex(4)}"
        self._writing = threading.RLock()
        self._rest_until = 0.0
        self._complained = False

    def lane(self, name: str, forgotten: Callable[[int, bool], None]) -> Lane:
        """The lane of one signal and destination; see :class:`Lane`."""
        self.lanes[name] = Lane(self, self.folder / name, forgotten)
        return self.lanes[name]

    def usable(self) -> bool:
        """Whether the disk is worth a try."""
        return time.monotonic() >= self._rest_until

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else in this process writes meanwhile, unless the disk cannot be used anyway."""
        writing, worth_it = self._writing, self.usable()
        ours = worth_it and writing.acquire(timeout=HANGS)
        if worth_it and not ours:
            self.failed(TimeoutError(errno.ETIMEDOUT, "it hangs"))
        try:
            yield
        finally:
            if ours:
                writing.release()

    def failed(self, error: OSError) -> None:
        """The disk cannot be used: batches stay in memory for a while, and it is said once."""
        self._rest_until = time.monotonic() + REST
        if not self._complained:
            self._complained = True
            logger.warning(
                "otelkit: OTELKIT_SPOOL_DIR=%r: cannot be used (%s); using memory instead",
                str(self.folder), error.strerror or error,
            )  # fmt: skip

    def make_room(self, size: int) -> None:
        """Drops the oldest batches of all lanes until ``size`` bytes more fit."""
        lanes = [path for path in self.folder.iterdir() if path.is_dir()]
        for path in lanes:
            files.sweep(path)
        stored = sorted(
            (entry for path in lanes for entry in files.stored(path, damaged=True)),
            key=lambda entry: entry.path.name,
        )
        held = sum(entry.size for entry in stored)
        foreign = 0
        for entry in stored:
            if held + size <= self.limit:
                break
            held -= entry.size
            entry.path.unlink(missing_ok=True)
            lane = self.lanes.get(entry.path.parent.name)
            if lane is None or not lane.forget(entry.path.name, delivered=False):
                foreign += entry.items
        if foreign:
            logger.warning("otelkit: the spool is full: %d items of others were dropped", foreign)


class Lane:
    """The batches of one signal to one destination.

    Args:
        spool: The folder they share with others.
        folder: Their own, below it.
        forgotten: Called with a number of items of this process that left the disk without being
            taken from here, and whether somebody else has delivered them.
    """

    def __init__(self, spool: Spool, folder: Path, forgotten: Callable[[int, bool], None]) -> None:
        self._spool = spool
        self._folder = folder
        self._forgotten = forgotten
        self._own: dict[str, int] = {}  # items by file name
        self._taken: int | None = None  # the file that is locked
        self._count = 0

    def reset(self) -> None:
        """Owns nothing, as a forked child; the parent keeps its lock."""
        self._own = {}
        if self._taken is not None:
            os.close(self._taken)
            self._taken = None

    def put(self, items: int, body: bytes, *, own: bool = True) -> bool:
        """Writes a batch; false when the disk does not take it.

        Args:
            items: How many it holds.
            body: The request.
            own: They ended in this process, which is told what becomes of them.
        """
        size = files.HEADER + len(body)
        with self._spool.alone():
            if not self._spool.usable() or size > self._spool.limit:
                return False
            try:
                name = self._write(items, size, body)
            except OSError as error:
                self._spool.failed(error)
                return False
            if own:
                self._own[name] = items
            return True

    def _write(self, items: int, size: int, body: bytes) -> str:
        self._spool.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._spool.make_room(size)
        self._count += 1
        start = f"{time.time_ns():020d}-{self._spool.writer}-{self._count}"
        name = f"{start}.{items}.{size}.batch"
        files.write(self._folder / name, body)
        return name

    def divide(self, entry: Stored, parts: Sequence[tuple[int, bytes]]) -> int:
        """Puts parts of a batch beside it, each with its number of items.

        Returns:
            How many of its items they hold; where the disk fails, not all of them.
        """
        own = self.owns(entry)
        if parts and own:
            self._own[entry.path.name] = 0  # it may be dropped to make room for its parts
        return sum(items for items, body in parts if self.put(items, body, own=own))

    def usable(self) -> bool:
        """Whether the disk is worth a try."""
        return self._spool.usable()

    def alone(self) -> contextlib.AbstractContextManager[None]:
        """Nobody else in this process writes meanwhile; see :meth:`Spool.alone`."""
        return self._spool.alone()

    def take(self) -> Generator[Taken, None, None]:
        """The batches of the lane, oldest first, one locked at a time; those of others included."""
        try:
            stored = files.stored(self._folder)
        except OSError as error:
            self._spool.failed(error)
            return
        for name in set(self._own) - {entry.path.name for entry in stored}:
            self.forget(name, delivered=True)
        for entry in sorted(stored, key=lambda entry: entry.path.name):
            file = files.locked(entry.path)
            if file is None:
                continue
            self._taken = file
            try:
                body = files.content(file, entry)
                if body is not None:
                    yield Taken(entry, body)
                else:
                    self.forget(entry.path.name, delivered=False)
            finally:
                os.close(file)
                self._taken = None

    def forget(self, name: str, *, delivered: bool) -> bool:
        """Strikes a batch of this process that has left the disk; false when it is not its own."""
        items = self._own.pop(name, None)
        if items is not None:
            self._forgotten(items, delivered)
        return items is not None

    def owns(self, entry: Stored) -> bool:
        """Whether a batch was put in by this process."""
        return entry.path.name in self._own

    def remove(self, entry: Stored) -> None:
        """Deletes a batch that is settled."""
        with contextlib.suppress(OSError):
            entry.path.unlink(missing_ok=True)
        self._own.pop(entry.path.name, None)

    def discard(self) -> None:
        """Drops this process's own batches: something newer says all that they would."""
        for name in list(self._own):
            with contextlib.suppress(OSError):
                (self._folder / name).unlink(missing_ok=True)
            self.forget(name, delivered=False)

    def is_empty(self) -> bool:
        """Whether there is nothing to send, of whomever."""
        try:
            return not files.stored(self._folder)
        except OSError as error:
            self._spool.failed(error)
            return True
