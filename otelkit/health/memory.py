"""Memory: what is left of the machine's, or of the container's where that has less."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from otelkit.errors import ConfigError
from otelkit.health.results import Result

# Read anew for each check; the layout is that of proc(5) and of the kernel's cgroup documents.
_MEMINFO = Path("/proc/meminfo")
_GROUPS = Path("/proc/self/cgroup")
_CGROUP = Path("/sys/fs/cgroup")


class _Layout(NamedTuple):
    """Where a version of cgroups keeps its files, and what it calls them."""

    root: Path
    limit: str
    used: str
    reclaimable: str  # page cache, in the file memory.stat


class _Memory(NamedTuple):
    total: int  # bytes
    available: int

    @property
    def percent(self) -> float:
        return 100 * self.available / self.total if self.total else 0.0


def memory_check(*, warning: float = 10.0) -> Callable[[], Result]:
    """A check of the memory that is available: degraded below ``warning``.

    Counts against the limit of the container (cgroup, version 1 or 2), where one is set. On
    systems that have no ``/proc/meminfo`` it is healthy and says that it does not know.

    Args:
        warning: Percent of available memory.

    Raises:
        ConfigError: ``warning`` is no percentage.
    """
    if not (isinstance(warning, (int, float)) and 0 <= warning <= 100):
        raise ConfigError(f"memory_check(): warning={warning!r} is no percentage from 0 to 100")

    def check() -> Result:
        if not _MEMINFO.exists():
            return Result("healthy", "this system does not tell")
        # What runs out first.
        memory = min([_of_machine(), *_of_groups()], key=lambda each: each.available)
        numbers = {
            "total_bytes": memory.total,
            "available_bytes": memory.available,
            "available_percent": round(memory.percent, 1),
        }
        if memory.percent >= warning:
            return Result("healthy", metadata=numbers)
        return Result("degraded", f"{memory.percent:.1f} % available", numbers)

    return check


def _of_machine() -> _Memory:
    found = _numbers(_MEMINFO)
    return _Memory(1024 * found["MemTotal:"], 1024 * found["MemAvailable:"])


def _of_groups() -> Iterator[_Memory]:
    """What the groups of this process may still take, from its own up to the root."""
    machine = _of_machine().total
    for line in _GROUPS.read_text().splitlines():
        _, controllers, group = line.split(":", 2)
        if not controllers:
            layout = _Layout(_CGROUP, "memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            layout = _Layout(
                _CGROUP / "memory",
                "memory.limit_in_bytes",
                "memory.usage_in_bytes",
                "total_inactive_file",
            )
        else:
            continue
        # Inside a container the path may be the host's, of which nothing but the root is there.
        folder = layout.root / group.lstrip("/")
        for each in (folder, *folder.parents):
            found = _of_group(each, layout, machine)
            if found is not None:
                yield found
            if each == layout.root:
                break


def _of_group(folder: Path, layout: _Layout, machine: int) -> _Memory | None:
    try:
        limit = int((folder / layout.limit).read_text())
        used = int((folder / layout.used).read_text())
        cached = _numbers(folder / "memory.stat").get(layout.reclaimable, 0)
    except (OSError, ValueError):  # no such group, or "max"
        return None
    if limit >= machine:  # version 1 writes a huge number for "no limit"
        return None
    return _Memory(limit, max(0, limit - used + cached))


def _numbers(file: Path) -> dict[str, int]:
    """The first two words of each line."""
    pairs = (line.split()[:2] for line in file.read_text().splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}
