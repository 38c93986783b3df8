r"""Pairs in free text whose name is sensitive: ``password=x``, ``"token": "x"``, ``Cookie: x=y``.

Query strings, configuration, reprs, headers, and JSON within JSON (``\"password\": \"x\"``).
"""

from __future__ import annotations

import re

from otelkit.redaction._keys import judge
from otelkit.redaction._mark import REDACTED

_LONGEST_NAME = 64

# A separator comes after a name, perhaps in quotes. A colon in an address or a time does not count.
_SEPARATORS = (
    ("=", re.compile(r"=(?<=[\w\"' \\]=)")),
    (":", re.compile(r":(?<=[\w\"' \\]:)(?!//)(?<![0-9]:(?=[0-9]))")),
)
_NAME_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
_VALUE = re.compile(
    r"[=:>]?[ \t]{0,8}(?:"
    r"(?P<quote>\\{0,7}[\"'])(?P<quoted>.*?)(?:(?<!\\)(?P=quote)|\Z)"
    r"|(?P<nested>[\[{][^\]}]*[\]}]?)"
    r"|(?P<bare>(?:(?:bearer|basic|token|digest)[ \t]{1,4})?[^\s&;\"']+))",
    re.DOTALL | re.IGNORECASE,
)
# The value of such a header is the rest of its line.
_HEADERS = frozenset(("authorization", "proxy-authorization", "cookie", "set-cookie"))
_HEADER_VALUE = re.compile(r"[ \t]{0,8}(?P<bare>[^\s\"'][^\r\n\"']*)")


def scrub(text: str) -> str:
    """Replace the values of sensitive pairs in ``text``."""
    for character, separator in _SEPARATORS:
        if character in text:
            text = _replace(text, separator)
    return text


def _replace(text: str, separator: re.Pattern[str]) -> str:
    pieces: list[str] = []
    done = 0
    for found in separator.finditer(text):
        at = found.start()
        before = text[max(0, at - _LONGEST_NAME) : at].rstrip(" \"'\\")
        name = before[len(before.rstrip(_NAME_CHARACTERS)) :]
        if not judge(name) or at < done:
            continue
        value = _value(text, at + 1, name)
        if value:
            start, end = value.span(value.lastgroup or 0)
            pieces += (text[done:start], REDACTED)
            done = end
    if not pieces:
        return text
    pieces.append(text[done:])
    return "".join(pieces)


def _value(text: str, at: int, name: str) -> re.Match[str] | None:
    value = _VALUE.match(text, at)
    if value and value["bare"] and name.lower() in _HEADERS:
        return _HEADER_VALUE.match(text, at)
    return value
