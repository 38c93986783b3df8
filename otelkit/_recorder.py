"""Measurements that are recorded beside the application's own path.

One ``record`` of the SDK costs half as much as a whole span, and an LLM call makes three. So calls
only note what is to be recorded; a thread records it when enough has come together, and every
collection records the rest first, which makes what is collected complete.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from typing import Any

from otelkit import _bounded

_TOGETHER = 64
_AT_MOST = 4096  # beyond it callers record themselves: nothing is lost, memory is bounded
_PATIENCE = 1.0  # seconds that a fork waits for what is being recorded

_noted: deque[tuple[Any, ...]] = deque()
_lock = threading.RLock()
_wake = threading.Event()
_thread: threading.Thread | None = None
_paused = False


def later(*note: Any) -> None:
    """Note a function that records to instruments, and its arguments.

    It is called in another thread, so it must not raise, and nothing given may change any more.
    """
    # What is only noted, nobody else could read.
    if len(_noted) >= _AT_MOST or _bounded.shared():
        note[0](*note[1:])
        return
    _noted.append(note)
    if len(_noted) % _TOGETHER == 0:
        if _running():
            _wake.set()
        else:
            drain()


def drain() -> None:
    """Record all that is noted; returns when it, and what another thread took, is recorded."""
    with _lock:
        for _ in range(len(_noted)):  # not for as long as others go on noting
            try:
                measure, *given = _noted.popleft()
            except IndexError:
                return  # taken by a call that the collector of garbage ended in here
            measure(*given)


def _running() -> bool:
    """Whether the thread runs, started if need be; at the interpreter's exit it cannot be."""
    global _thread
    if _thread is None:
        thread = threading.Thread(target=_work, name="otelkit-recorder", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return False
        _thread = thread
    return True


def _work() -> None:
    while True:
        _wake.wait()
        _wake.clear()
        drain()


def _pause() -> None:
    # A lock of the SDK's that the thread holds just now would never be free again in the child.
    global _paused
    _paused = _lock.acquire(timeout=_PATIENCE)


def _go_on() -> None:
    if _paused:
        _lock.release()


def _forget() -> None:
    # What the parent of a fork has noted is the parent's, and its thread is not in the child.
    global _lock, _wake, _thread
    _noted.clear()
    _lock, _wake, _thread = threading.RLock(), threading.Event(), None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_pause, after_in_parent=_go_on, after_in_child=_forget)
