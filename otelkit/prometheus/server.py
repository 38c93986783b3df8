"""The server that this process is a worker of, and where its workers meet."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import sys
import tempfile
from pathlib import Path

_IN_GUNICORN_WORKER = ("gunicorn.arbiter", "spawn_worker")


def folder(supervisor: int, service: str) -> Path:
    """Where all workers of ``service`` that ``supervisor`` runs meet; anew for every start of it.

    Args:
        supervisor: A process, which may run several services.
        service: The name of one.
    """
    which = hashlib.sha256(service.encode(errors="replace")).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"otelkit-{os.geteuid()}" / f"{_name(supervisor)}-{which}"


def supervisor() -> int | None:
    """The process that runs this one as one of several workers."""
    processes = sys.modules.get("multiprocessing.process")
    parent = processes and processes.parent_process()
    if parent:  # uvicorn, hypercorn and granian use multiprocessing
        pid: int = parent.pid
        return pid
    # gunicorn forks; its workers run inside of this function, its arbiter does not.
    frame = sys._getframe() if "gunicorn.arbiter" in sys.modules else None
    while frame is not None:
        if (frame.f_globals.get("__name__"), frame.f_code.co_name) == _IN_GUNICORN_WORKER:
            return os.getppid()
        frame = frame.f_back
    return None


def make_private(folder: Path) -> None:
    """Makes ``folder`` unless it is there.

    Raises:
        OSError: It cannot be made, or others might write to it.
    """
    with contextlib.suppress(FileExistsError):
        folder.mkdir(0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise OSError(f"{folder} is not a private folder of this user")


def has_ended(folder: Path) -> bool:
    """Whether ``folder`` is one of workers whose server does not run any more."""
    pid, _, which = folder.name.partition("-")
    if not pid.isdigit():
        return False
    return not _runs(int(pid)) or f"{pid}-{which.partition('-')[0]}" != _name(int(pid))


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _name(pid: int) -> str:
    """The process and when it was started, in ticks since boot, where the system tells that."""
    try:
        content = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return f"{pid}-0"
    return f"{pid}-{content.rpartition(')')[2].split()[19]}"
