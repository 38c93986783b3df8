"""Texts as JSON strings, and the mark that says that something is missing."""

from __future__ import annotations

from json.encoder import encode_basestring

MARK = "…[cut]"


def quote(text: str) -> tuple[str, int]:
    """``text`` as a JSON string, and its size in bytes; half characters become question marks."""
    piece = encode_basestring(text)
    if piece.isascii():
        return piece, len(piece)
    encoded = piece.encode("utf-8", "replace")
    return encoded.decode(), len(encoded)
