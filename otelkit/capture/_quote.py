"""Texts as JSON strings, and the mark that says that something is missing."""

from __future__ import annotations

from json.encoder import encode_basestring

MARK = "…[cut]"
CUT = f'"{MARK}"'
CUT_SIZE = len(CUT.encode())
REST = '"…":"[cut]"'  # the last member of a cut object
REST_SIZE = 1 + len(REST.encode())  # with its comma


def quote(text: str) -> tuple[str, int]:
    """``text`` as a JSON string, and its size in bytes; half characters become question marks."""
    piece = encode_basestring(text)
    if piece.isascii():
        return piece, len(piece)
    encoded = piece.encode("utf-8", "replace")
    return encoded.decode(), len(encoded)


def cut(text: str, most: int) -> tuple[str, int]:
    """As much of ``text`` as fits into ``most`` bytes, with the mark, and the size of that."""
    room = most - CUT_SIZE
    text = text[:room]
    piece, size = quote(text + MARK)
    while size > most:
        text = text[: min(len(text) - 1, len(text) * room // size)]
        piece, size = quote(text + MARK)
    return piece, size
