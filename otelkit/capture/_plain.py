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
_LEAST, _MOST = -(10**12), 10**12  # integers beyond are looked at twice


def encode_plain(value: object, max_bytes: int, redact: bool) -> tuple[str, int] | None:
    """``value`` as JSON and its size in bytes.

    None if it is not plain, has more than ``max_bytes``, or holds what ``redact`` must hide. Raises
    what the encoder raises, for instance for texts that are not valid Unicode.
    """
    texts: list[str] = []
    if type(value) is str and len(value) <= max_bytes:  # as most results are
        texts.append(value)
    elif not _is_plain(value, max_bytes, redact, texts):
        return None
    if redact and hold_secrets(texts):
        return None
    encoded = _encoder()(value)
    utf8 = encoded if isinstance(encoded, bytes) else encoded.encode()
    return (utf8.decode(), len(utf8)) if len(utf8) <= max_bytes else None


def _is_plain(value: object, left: int, redact: bool, texts: list[str]) -> bool:
    """Whether ``value`` is plain throughout, and roughly not larger than ``left`` bytes.

    Gathers the texts to redact, level by level. Types are compared by identity alone: all else may
    run code of theirs.
    """
    level: list[Any] = [(value,)]
    for _ in range(MAX_DEPTH + 1):
        deeper = []
        for container in level:
            is_dict = type(container) is dict
            # The least that each is as JSON: a digit and a comma, and in a dict an empty key.
            left -= (5 if is_dict else 2) * len(container)
            if left < 0 or (is_dict and not _are_plain_keys(container, redact)):
                return False
            members = container.values() if is_dict else container
            for member in members:
                kind = type(member)
                if kind is str:
                    left -= len(member)
                    texts.append(member)
                elif kind is int:
                    if not (_LEAST < member < _MOST or _is_plain_int(member, redact)):
                        return False
                elif kind is dict or kind is list or kind is tuple:
                    deeper.append(member)
                elif not (
                    member is None
                    or kind is bool
                    or (kind is float and member - member == 0.0)  # not infinite, not a number
                ):
                    return False
        if not deeper:
            return left >= 0
        level = deeper
    return False


def _are_plain_keys(keys: dict[Any, Any], redact: bool) -> bool:
    for key in keys:
        if type(key) is str and key in harmless_keys:
            continue
        if type(key) is not str or not (admit(key) if redact else len(key) <= _LONGEST_KEY):
            return False
    return True


def _is_plain_int(value: int, redact: bool) -> bool:
    return -(2**63) < value < 2**63 and not (redact and is_card_number(value))


@lru_cache(maxsize=1)
def _encoder() -> Callable[[object], str | bytes]:
    """The C encoder of orjson where that is installed, else of the standard library."""
    try:
        from orjson import dumps  # its import takes longer than that of this whole package
    except ImportError:
        return JSONEncoder(
            ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":")
        ).encode
    return dumps
