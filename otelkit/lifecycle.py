"""The ends and forks of a process: exit, SIGTERM, ``os.fork``, children that leave by ``os._exit``.

The hooks are installed once in a process and serve whoever is current.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from types import FrameType
from typing import Any, Protocol


class Lives(Protocol):
    """What has to know of the ends and forks of its process."""

    def flush(self) -> Any:
        """Sends what waits, within its own deadline."""

    def close(self) -> Any:
        """Sends what waits and ends, within its own deadline."""

    def before_fork(self) -> None:
        """Called in the forking thread."""

    def after_fork_in_parent(self) -> None:
        """Called when the fork is done, or has failed."""

    def after_fork_in_child(self) -> None:
        """Called in the child before anything else runs."""


_current: Lives | None = None
_hooked = False
_exit_now = os._exit


def install(life: Lives, *, sigterm: bool) -> None:
    """Makes ``life`` the one that is told.

    Args:
        life: Told of forks and of the end.
        sigterm: Also when SIGTERM arrives. What was installed for it before still comes after.
    """
    global _current, _hooked
    _current = life
    if not _hooked:
        _hooked = True
        atexit.register(_at_exit)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=_before_fork,
                after_in_parent=_after_fork_in_parent,
                after_in_child=_after_fork_in_child,
            )
    if _is_multiprocessing_child():
        _catch_os_exit()  # that of a fork server leaves by os._exit, too
    if sigterm:
        _chain_sigterm()


def flush() -> None:
    """Sends what waits, within the deadline of whoever is current."""
    if _current is not None:
        _current.flush()


def uninstall(life: Lives) -> None:
    """Forgets ``life``; the hooks then do nothing."""
    global _current
    if _current is life:
        _current = None


def _at_exit() -> None:
    if _current is not None:
        _current.close()


def _before_fork() -> None:
    if _current is not None:
        _current.before_fork()


def _after_fork_in_parent() -> None:
    if _current is not None:
        _current.after_fork_in_parent()


def _after_fork_in_child() -> None:
    if _current is not None:
        _current.after_fork_in_child()
    _catch_os_exit()


def _catch_os_exit() -> None:
    """Children of ``multiprocessing`` and most that fork by hand run no exit handlers."""
    os._exit = _flush_and_exit  # type: ignore[assignment]


def _is_multiprocessing_child() -> bool:
    process = sys.modules.get("multiprocessing.process")
    return process is not None and process.parent_process() is not None


def _flush_and_exit(status: int) -> None:
    try:
        _at_exit()
    finally:
        _exit_now(status)


class _Sigterm:
    """Flushes, then does what would have been done without it."""

    def __init__(self, previous: Any) -> None:
        self.previous = previous

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if callable(self.previous):
            flush()
            self.previous(number, frame)
        else:
            _at_exit()
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)


def _chain_sigterm() -> None:
    if threading.current_thread() is not threading.main_thread():
        return  # only the main thread may install handlers
    previous = signal.getsignal(signal.SIGTERM)
    # None: installed by C code that cannot be called from here. Ignored: nothing ends.
    if previous in (None, signal.SIG_IGN) or isinstance(previous, _Sigterm):
        return
    signal.signal(signal.SIGTERM, _Sigterm(previous))
