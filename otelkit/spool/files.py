"""One batch, one file: written whole or not at all, read by one process at a time, checked."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
import tempfile
import time
import zlib
from pathlib import Path
from typing import NamedTuple

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None  # type: ignore[assignment]

logger = logging.getLogger("otelkit")

SUPPORTED = fcntl is not None  # whether several processes can share a folder here
HEADER = 12  # bytes: what it is, and a CRC-32 of what follows

_MAGIC = b"otelkit\x01"
_NAME = re.compile(r"\d{20}-\w+-\d+\.(?P<items>\d+)\.(?P<size>\d+)\.batch")
_DAMAGED = ".damaged"
_PART = ".part"
_ABANDONED = 3600.0  # seconds after which nobody is writing a file any more


class Stored(NamedTuple):
    """A batch on disk, as its name tells."""

    path: Path
    items: int
    size: int  # bytes


def obstacle(folder: str) -> str:
    """Why ``folder`` cannot be used; empty when it can. It is not made, if it is not there."""
    if not SUPPORTED:
        return "this system has no file locks"
    path = Path(folder).absolute()
    there = next(one for one in (path, *path.parents) if os.path.lexists(one))
    try:
        with tempfile.TemporaryFile(dir=there):
            return ""
    except OSError as error:
        return f"cannot be written ({error.strerror or error})"


def stored(folder: Path, *, damaged: bool = False) -> list[Stored]:
    """The batches in ``folder``, in no order; with those set aside, if asked.

    Raises:
        OSError: It is there, and cannot be read.
    """
    found = []
    with contextlib.suppress(FileNotFoundError):
        for path in folder.iterdir():
            match = _NAME.fullmatch(path.name.removesuffix(_DAMAGED) if damaged else path.name)
            if match:
                found.append(Stored(path, int(match["items"]), int(match["size"])))
    return found


def sweep(folder: Path) -> None:
    """Deletes what processes that were killed have left half written."""
    for path in folder.glob(f"*{_PART}"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _ABANDONED:
                path.unlink()


def write(path: Path, body: bytes) -> None:
    """Writes a file that appears complete and lasts, or leaves nothing.

    Raises:
        OSError: The disk does not take it.
    """
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}{_PART}")
    try:
        file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(file, "wb") as stream:
            stream.write(_header(body) + body)
            stream.flush()
            os.fsync(file)
        part.rename(path)
        _sync(path.parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def locked(path: Path) -> int | None:
    """A file that nobody else may send now, or nothing where somebody does, or has."""
    try:
        file = os.open(path, os.O_RDWR)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(file).st_nlink:
            return file
    except OSError:
        pass
    os.close(file)
    return None


def content(file: int, entry: Stored) -> bytes | None:
    """What was put in; a file in which something else is found is set aside."""
    with open(file, "rb", closefd=False) as stream:
        found = stream.read()
    body = found[HEADER:]
    if found[:HEADER] == _header(body):
        return body
    with contextlib.suppress(OSError):
        entry.path.rename(entry.path.with_name(entry.path.name + _DAMAGED))
    logger.warning("otelkit: a damaged file of the spool was set aside: %s", entry.path)
    return None


def _header(body: bytes) -> bytes:
    return _MAGIC + zlib.crc32(body).to_bytes(4, "big")


def _sync(folder: Path) -> None:
    """Makes a renaming in ``folder`` last."""
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
