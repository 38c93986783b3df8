"""Locks of the SDK in a forked child, where the threads that may have held them do not exist."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

_LOCK = type(threading.Lock())


def free_locks(provider: Any) -> None:
    """Gives a provider, and what it holds, locks that nobody has taken.

    The SDK frees some of its own (from 1.45 on, those of providers, not those of meters) and has no
    public way to the others. Only plain locks of its own objects are touched.
    """
    for part in (provider, *_parts(provider)):
        for name, value in list(vars(part).items()):
            if isinstance(value, _LOCK):
                setattr(part, name, threading.Lock())


def _parts(owner: Any) -> Iterator[Any]:
    """What of the SDK's hangs on ``owner``, alone or in a dictionary: tracers, meters, loggers."""
    for value in list(vars(owner).values()):
        for part in list(value.values()) if isinstance(value, dict) else [value]:
            if type(part).__module__.startswith("opentelemetry.sdk.") and hasattr(part, "__dict__"):
                yield part
