"""``encode()``: the short way for plain values, the writer for all others."""

from __future__ import annotations

from typing import NamedTuple

from otelkit.capture._plain import encode_plain
from otelkit.capture._writer import Writer
from otelkit.redaction import hold_secrets


class Encoded(NamedTuple):
    """A value as JSON: its text, the size of that in bytes, and whether something is missing."""

    text: str
    size: int
    truncated: bool


NOTHING = Encoded("null", 4, True)


def encode(value: object, *, max_bytes: int = 8192, redact: bool = True) -> Encoded:
    """Encode any value as JSON of a bounded size.

    Args:
        value: Anything. Unknown objects become their qualified type name; none of their methods is
            called, nothing is iterated but built-in containers.
        max_bytes: The most bytes of UTF-8 that the text may have; at least 16 are used.
        redact: Replace secrets, by the names of keys and by what texts look like.

    Returns:
        The text, always valid JSON, its size and whether something was left out. Never raises.
    """
    limit = max(max_bytes, 16)
    try:
        try:
            plain = encode_plain(value, limit, redact)
        except Exception:
            plain = None  # text that is no Unicode, a dict changed meanwhile: the writer knows
        return Encoded(*plain, False) if plain else _write(value, limit, redact)
    except Exception:
        return NOTHING  # no stack or no memory is left even to say so


def _write(value: object, limit: int, redact: bool) -> Encoded:
    writer = Writer(limit, redact, scrub_whole=False)
    writer.write(value)
    if redact and hold_secrets(writer.texts):
        writer = Writer(limit, redact, scrub_whole=True)
        writer.write(value)
    text = writer.text()
    return Encoded(text, len(text.encode()), writer.truncated)
