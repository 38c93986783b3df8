"""Disks: how much is free, and whether a folder can be written to."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from otelkit.errors import ConfigError
from otelkit.health.results import Result


def disk_check(path: str | Path = "/", *, warning: float = 10.0) -> Callable[[], Result]:
    """A check of the free space of a file system.

    Degraded below ``warning``; unhealthy when nothing is left, or the path cannot be read.

    Args:
        path: Anything on the file system.
        warning: Percent of free space.

    Raises:
        ConfigError: ``warning`` is no percentage.
    """
    if not (isinstance(warning, (int, float)) and 0 <= warning <= 100):
        raise ConfigError(f"disk_check(): warning={warning!r} is no percentage from 0 to 100")

    def check() -> Result:
        total, _, free = shutil.disk_usage(path)
        percent = 100 * free / total if total else 0.0
        numbers = {
            "path": str(path),
            "total_bytes": total,
            "free_bytes": free,
            "free_percent": round(percent, 1),
        }
        if percent >= warning and free:
            return Result("healthy", metadata=numbers)
        return Result("degraded" if free else "unhealthy", f"{percent:.1f} % free", numbers)

    return check


def writable_check(path: str | Path) -> Callable[[], Result]:
    """A check that files can be written in a folder; the one it writes is gone in any case.

    Args:
        path: The folder.
    """

    def check() -> Result:
        if not Path(path).is_dir():
            return Result("unhealthy", f"{path} is no folder")
        with tempfile.TemporaryFile(dir=path, prefix=".otelkit-") as file:
            file.write(b"otelkit")
            file.flush()  # where nothing is left, here it shows
        return Result("healthy", metadata={"path": str(path)})

    return check
