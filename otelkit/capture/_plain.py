"""The short way for plain values: a look at each, then the fastest JSON encoder there is.

Most arguments and results are dicts, lists, texts and numbers of exactly the built-in types, fit
the budget and hold no secret. A C encoder writes those at once, and runs no code of theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from json import JSONEncoder
from typing import Any

from otelkit.redaction import admit, harmless_keys, hold_secrets, is_card_number

MAX_DEPTH = 24

_LONGEST_KEY = 64
_LARGE = 10**12  # integers from here on are looked at twice


def encode_plain(value: object, max_bytes: int, redact: bool) -> tuple[str, int] | None:
    """``value`` as JSON and its size in bytes.

    None if it is not plain, has more than ``max_bytes``, or holds what ``redact`` must hide. Raises
    what the encoder raises, for instance for texts that are not valid Unicode.
    """
    texts: list[str] = []
    if _walk((value,), max_bytes, 0, redact, texts) < 0:
        return None
    if redact and hold_secrets(texts):
        return None
    text = _encoder()(value)
    size = len(text) if text.isascii() else len(text.encode())
    return (text, size) if size <= max_bytes else None


def _walk(container: Any, left: int, depth: int, redact: bool, texts: list[str]) -> int:
    """What is left of ``left`` bytes after ``container``, roughly; negative if it is not plain.

    Gathers its texts. Types are compared by identity alone: all else may run code of theirs.
    """
    left -= 2 * len(container)
    if left < 0 or depth > MAX_DEPTH:
        return -1
    if type(container) is dict:
        for key in container:
            if type(key) is not str or not (
                key in harmless_keys or (admit(key) if redact else len(key) <= _LONGEST_KEY)
            ):
                return -1
        container = container.values()
    for value in container:
        kind = type(value)
        if kind is str:
            left -= len(value)
            texts.append(value)
        elif kind is int:
            if not (-_LARGE < value < _LARGE or _is_plain_int(value, redact)):
                return -1
        elif kind is dict or kind is list or kind is tuple:
            left = _walk(value, left, depth + 1, redact, texts)
            if left < 0:
                return -1
        elif not (
            value is None
            or kind is bool
            or (kind is float and value - value == 0.0)  # not infinite, not a number
        ):
            return -1
    return left


def _is_plain_int(value: int, redact: bool) -> bool:
    return -(2**63) < value < 2**63 and not (redact and is_card_number(value))


@lru_cache(maxsize=1)
def _encoder() -> Callable[[object], str]:
    """The C encoder of orjson where that is installed, else of the standard library."""
    try:
        from orjson import dumps  # its import takes longer than that of this whole package
    except ImportError:
        return JSONEncoder(
            ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":")
        ).encode
    return lambda value: dumps(value).decode()
