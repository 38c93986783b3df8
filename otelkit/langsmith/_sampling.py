"""Which trees go to LangSmith: each as a whole or not at all."""

from __future__ import annotations

import functools
import hashlib
import importlib
from collections.abc import Callable

_SHARES = 1_000_000


def is_sampled(trace_id: str, rate: float) -> bool:
    """Whether the tree with ``trace_id`` is kept at ``rate``.

    ``langsmith``'s own client decides the same of its runs in that tree, so that neither half is
    ever missing.
    """
    return _number()(trace_id.lower().encode()) % _SHARES / _SHARES < rate


@functools.cache
def _number() -> Callable[[bytes], int]:
    """xxHash, as langsmith has it; it comes with langsmith, and without that any hash does."""
    try:
        xxh3_128 = importlib.import_module("xxhash").xxh3_128
    except ImportError:
        return lambda text: int.from_bytes(hashlib.blake2b(text, digest_size=16).digest(), "big")
    return lambda text: int(xxh3_128(text).intdigest())
