"""The totals of one process in a file that outlives it, written without a system call.

Each series has cells in memory that is mapped from the file: a worker that is killed in the middle
of its work leaves behind what it had counted until then, and the others read it while it works.

The file is a sequence of chunks. A chunk begins with the number of bytes in use; records follow: a
description as JSON, then the cells, floats of eight bytes. A record without cells describes a
family, the others a series of one of the families before them.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from otelkit._bounded import About, Attributes, Cells
from otelkit.prometheus import names
from otelkit.prometheus.families import Family, Kind
from otelkit.prometheus.totals import Totals

CHUNK = 256 * 1024  # bytes
_USED = struct.Struct("=Q")
_RECORD = struct.Struct("=II")  # bytes of the description, number of cells


class Ledger:
    """The file of this process.

    Args:
        path: It must not exist yet.

    Raises:
        OSError: The file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.families: set[str] = set()  # whose totals are here
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        # Re-entrant, as those of the instruments; what would come in between is not written.
        self._lock = threading.RLock()
        self._writing = False
        self._numbers: dict[About, int] = {}
        self._chunks = 0
        self.trouble = ""  # why there is no room for further series
        try:
            self._add_chunk()
        except OSError:
            self.close()
            raise

    def open(self, about: About, attributes: Attributes) -> Cells | None:
        """The cells of a new series, holding zeros; None, with :attr:`trouble`, without room.

        Counters have one; histograms have one for each bucket, and the sum.
        """
        try:
            with self._lock:
                if self._writing:
                    return None
                self._writing = True
                try:
                    return self._open(about, attributes)
                finally:
                    self._writing = False
        except (OSError, ValueError) as error:
            self.trouble = str(error)
            return None

    def close(self) -> None:
        """Gives the file back; what is in it stays."""
        os.close(self._file)

    def _open(self, about: About, attributes: Attributes) -> Cells:
        number = self._numbers.get(about)
        if number is None:
            number = len(self._numbers)
            kind: Kind = "counter" if about.bounds is None else "histogram"
            name, unit = names.family(about.name, kind, about.unit)
            described = about.description or about.name
            head = [name, kind, described, unit, about.bounds or (), about.user]
            self._append(json.dumps(head).encode(), 0)
            self._numbers[about] = number
            self.families.add(name)
        described = json.dumps([number, names.labels(attributes)])
        cells = 1 if about.bounds is None else len(about.bounds) + 2
        return self._append(described.encode(), cells)

    def _append(self, description: bytes, cells: int) -> Cells:
        description += b" " * (-len(description) % 8)
        size = _RECORD.size + len(description) + 8 * cells
        if size > CHUNK - _USED.size:
            raise ValueError("its attributes are too long")
        if self._used + size > CHUNK:
            self._add_chunk()
        at = self._used
        _RECORD.pack_into(self._chunk, at, len(description), cells)
        text_at = at + _RECORD.size
        self._chunk[text_at : text_at + len(description)] = description
        # Last of all: readers go no further than this says.
        self._used += size
        _USED.pack_into(self._chunk, 0, self._used)
        return memoryview(self._chunk)[self._used - 8 * cells : self._used].cast("d")

    def _add_chunk(self) -> None:
        start = self._chunks * CHUNK
        # A page that the disk has no room for would kill the process when it is written to.
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(self._file, start, CHUNK)
        else:
            os.pwrite(self._file, bytes(CHUNK), start)
        self._chunk = mmap.mmap(self._file, CHUNK, offset=start)
        self._chunks += 1
        self._used = _USED.size
        _USED.pack_into(self._chunk, 0, self._used)


def read(content: bytes) -> list[Totals]:
    """What a ledger held when ``content`` was read from its file.

    Raises:
        IndexError, TypeError, ValueError, struct.error: It was no ledger.
    """
    found: list[Totals] = []
    for start in range(0, len(content), CHUNK):
        for text, cells in _records(content[start : start + CHUNK]):
            if not cells:
                name, kind, described, unit, bounds, user = text
                found.append(Totals(Family(name, kind, described, unit, tuple(bounds), user)))
            else:
                number, labels = text
                key = tuple((name, value) for name, value in labels)
                *counts, total = cells
                found[number].add(key, [int(count) for count in counts], [total])
    return found


def _records(chunk: bytes) -> Iterator[tuple[list[Any], tuple[float, ...]]]:
    (used,) = _USED.unpack_from(chunk)
    at = _USED.size
    while at < used:
        length, cells = _RECORD.unpack_from(chunk, at)
        at += _RECORD.size
        text = json.loads(chunk[at : at + length])
        at += length
        yield text, struct.unpack_from(f"={cells}d", chunk, at)
        at += 8 * cells
