"""Reads what capture wrote as strictly as JSON can be read."""

from __future__ import annotations

import json
from typing import Any

from otelkit.capture import Encoded, encode


def strictly(text: str) -> Any:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    text.encode("utf-8")  # half characters are no text
    return json.loads(text, parse_constant=refuse)


def checked(encoded: Encoded, max_bytes: int) -> Any:
    assert type(encoded.text) is str
    assert encoded.size == len(encoded.text.encode())
    assert encoded.size <= max_bytes
    return strictly(encoded.text)


def read(value: object, max_bytes: int = 8192, redact: bool = True) -> Any:
    """What comes out of encoding ``value``, which must fit."""
    encoded = encode(value, max_bytes=max_bytes, redact=redact)
    assert not encoded.truncated
    return checked(encoded, max_bytes)
