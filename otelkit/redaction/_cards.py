"""Numbers of payment cards: 13 to 19 digits, grouped or not, with a right check digit."""

from __future__ import annotations

import re

from otelkit.redaction._mark import REDACTED

_CARD = re.compile(
    r"(?<![0-9.])(?:[2-6][0-9]{12,18}"
    r"|[2-6][0-9]{3}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{4}"
    r"|3[0-9]{3}([ -])[0-9]{6}\2[0-9]{4,5})(?![0-9])"
)
_DIGITS_ALIKE = bytes(0x30 if 0x30 <= byte <= 0x39 else byte for byte in range(256))
_ONLY_DIGITS = str.maketrans("", "", " -")
_DOUBLED = str.maketrans("0123456789", "0246813579")


def scrub(text: str) -> str:
    """Replace the card numbers in ``text``."""
    if len(text) < 13:
        return text
    # Thirteen digits in a row, spaces and dashes aside: nearly no text gets past this.
    digits = text.encode("utf-8", "surrogatepass").translate(_DIGITS_ALIKE, b" -")
    return _replace(text) if b"0000000000000" in digits else text


def is_card_number(number: int) -> bool:
    """Whether ``number`` reads like the number of a card."""
    return 2 * 10**12 < number < 7 * 10**18 and _replace(str(number)) == REDACTED


def _replace(text: str) -> str:
    pieces: list[str] = []
    done = at = 0
    while found := _CARD.search(text, at):
        if _passes_luhn(found[0].translate(_ONLY_DIGITS)):
            pieces += (text[done : found.start()], REDACTED)
            done = at = found.end()
        else:
            at = found.start() + 1
    pieces.append(text[done:])
    return "".join(pieces)


def _passes_luhn(number: str) -> bool:
    """The check digit of ISO/IEC 7812-1."""
    doubled = number[-2::-2].translate(_DOUBLED)
    return (sum(map(int, number[-1::-2])) + sum(map(int, doubled))) % 10 == 0
