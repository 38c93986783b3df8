"""Histogram records, made beside the application's own path.

One ``record`` of the SDK costs half as much as a whole span, and an LLM call makes three. So calls
only note what is to be recorded; a thread records it when enough has come together, and every
collection records the rest first, which makes what is collected complete.
"""

from __future__ import annotations

import os
import threading
from collections import deque

from opentelemetry.context import Context
from opentelemetry.metrics import Histogram
from opentelemetry.util.types import AttributeValue

from otelkit import _bounded

Noted = tuple[Histogram, float, dict[str, AttributeValue], Context]

_TOGETHER = 64
_AT_MOST = 4096  # beyond it callers record themselves: nothing is lost, memory is bounded

_noted: deque[Noted] = deque()
_lock = threading.RLock()
_wake = threading.Event()
_thread: threading.Thread | None = None


def record(
    histogram: Histogram, value: float, attributes: dict[str, AttributeValue], context: Context
) -> None:
    """Note ``value``; ``attributes`` must not be changed afterwards."""
    if _bounded.shared():  # what is only noted, nobody else could read
        histogram.record(value, attributes, context)
        return
    if len(_noted) >= _AT_MOST:
        histogram.record(value, attributes, context)
        return
    _noted.append((histogram, value, attributes, context))
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
                histogram, value, attributes, context = _noted.popleft()
            except IndexError:
                return  # taken by a call that the collector of garbage ended in here
            histogram.record(value, attributes, context)


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


def _forget() -> None:
    # What the parent of a fork has noted is the parent's, and its thread is not in the child.
    global _lock, _wake, _thread
    _noted.clear()
    _lock, _wake, _thread = threading.RLock(), threading.Event(), None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
