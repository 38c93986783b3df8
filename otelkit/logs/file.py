"""The log file: JSON lines, rotated by size, written by any number of processes."""

from __future__ import annotations

import logging
import os
import stat
import sys
import time
from typing import Any

from otelkit.logs.quiet import QuietHandler

if sys.platform != "win32":
    import fcntl

MAX_BYTES = 50 * 1024 * 1024
KEPT = 5
_LOOK_EVERY = 1.0  # seconds between two looks whether somebody else moved the file


class LogFile(QuietHandler):
    """Appends lines to a file; full, it becomes ``path.1``, and ``path.5`` is the oldest kept.

    A line is one write to a file opened for appending, so that the lines of several processes (the
    workers of a server) never mix. One of them rotates, the others notice and follow.

    A file that cannot be rotated, because its folder is somebody else's, grows on; what is no
    ordinary file, such as ``/dev/stdout``, is only written to.

    Args:
        path: The file; its folder must exist.
        max_bytes: Size at which it is rotated.

    Raises:
        OSError: The file cannot be opened.
    """

    def __init__(self, path: str, max_bytes: int = MAX_BYTES) -> None:
        super().__init__()
        self.output = path
        self._path = os.path.abspath(path)
        self._max_bytes = max_bytes
        self._next_look = time.monotonic() + _LOOK_EVERY
        self._torn = False  # the last line is there in part, because the disk was full
        self._stuck = False
        self.forget()
        self._file: int | None = self._open()

    def forget(self) -> None:
        """Count from zero, as a forked child must."""
        self.failed = self._written = 0
        self.last_error = None
        self._last_success: float | None = None

    def status(self) -> dict[str, Any]:
        """What became of its lines, in the words that queues have for what they send."""
        return {
            "endpoint": self.output,
            "sent": self._written,
            "failed": self.failed,
            "dropped": 0,
            "spooled": 0,
            "queued": 0,
            "last_success": self._last_success,
            "last_error": self.last_error,
        }

    def emit(self, record: logging.LogRecord) -> None:
        """Append the line of ``record``."""
        try:
            line = (self.format(record) + "\n").encode("utf-8", "backslashreplace")
            self._write(self._ready_for(len(line)), b"\n" + line if self._torn else line)
            self._written += 1
            self._last_success = record.created
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Close the file; a later record opens it again."""
        self.acquire()
        try:
            self._close()
        finally:
            self.release()
        super().close()

    def _write(self, file: int, line: bytes) -> None:
        left = line
        try:
            while left:
                left = left[os.write(file, left) :]
        finally:
            if len(left) < len(line):
                self._torn = bool(left)

    def _ready_for(self, size: int) -> int:
        """The open file, after a rotation if ``size`` more bytes would be too many."""
        now = time.monotonic()
        if self._file is not None and now >= self._next_look:
            self._next_look = now + _LOOK_EVERY
            if self._moved(self._file):
                self._close()
        if self._file is None:
            self._file = self._open()
        about = os.fstat(self._file)
        if stat.S_ISREG(about.st_mode) and about.st_size + size > self._max_bytes:
            try:
                self._rotate(self._file)
            except OSError as error:
                self._say_stuck(error)
            self._close()
            self._file = self._open()
        return self._file

    def _rotate(self, file: int) -> None:
        if sys.platform == "win32":
            self._close()  # an open file cannot be renamed there
            self._rename()
        else:
            # The lock is on the very file that is full: whoever gets it next finds it moved. It is
            # taken on a descriptor of its own: forked processes share `file`, and locks with it.
            lock = self._open()
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not self._moved(file):
                    self._rename()
            finally:
                os.close(lock)

    def _rename(self) -> None:
        for number in range(KEPT - 1, 0, -1):
            if os.path.exists(f"{self._path}.{number}"):
                os.replace(f"{self._path}.{number}", f"{self._path}.{number + 1}")
        os.replace(self._path, f"{self._path}.1")

    def _say_stuck(self, error: OSError) -> None:
        if not self._stuck:
            self._stuck = True
            logging.getLogger("otelkit").warning(
                "otelkit: %s cannot be rotated (%s); it grows on", self._path, error.strerror
            )

    def _moved(self, file: int) -> bool:
        try:
            return not os.path.samestat(os.stat(self._path), os.fstat(file))
        except FileNotFoundError:
            return True

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
