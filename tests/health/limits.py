"""Small file systems and control groups, real ones, for a process of the tests' own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[2]
GROUPS = (Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup"))  # version 1, version 2
NAMESPACE = ["unshare", "--map-root-user", "--mount"]  # mounts are gone with the process

_MOUNT = 'mount -t tmpfs -o size="$2" tmpfs "$1" && shift 2 && exec "$@"'


def with_tmpfs(code: str, folder: Path, size: str) -> str:
    """What ``code`` prints, run where ``folder`` is a file system in memory of ``size``."""
    mounting = [*NAMESPACE, "sh", "-c", _MOUNT, "sh", str(folder), size]
    return _run([*mounting, sys.executable, "-c", textwrap.dedent(code), str(folder)])


def in_group(code: str, limit: int) -> str:
    """What ``code`` prints, run in a control group that may use ``limit`` bytes of memory."""
    group = _make_group()
    try:
        version_1 = group / "memory.limit_in_bytes"
        (version_1 if version_1.exists() else group / "memory.max").write_text(str(limit))
        # It moves before anything is loaded, so that all of its memory counts.
        entering = f'echo $$ > {group}/cgroup.procs && exec "$@"'
        return _run(["sh", "-c", entering, "sh", sys.executable, "-c", textwrap.dedent(code)])
    finally:
        group.rmdir()


def may_make_groups() -> bool:
    """Whether a group with a limit of memory can be made on this machine."""
    try:
        _make_group().rmdir()
    except OSError:
        return False
    return True


def _make_group() -> Path:
    parent = next((root for root in GROUPS if (root / "cgroup.procs").exists()), GROUPS[1])
    group = parent / f"otelkit-test-{os.getpid()}"
    group.mkdir()
    if not any((group / name).exists() for name in ("memory.max", "memory.limit_in_bytes")):
        group.rmdir()
        raise OSError("groups have no limit of memory")
    return group


def _run(command: list[str]) -> str:
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"{done.returncode}: {done.stderr}"
    return done.stdout
