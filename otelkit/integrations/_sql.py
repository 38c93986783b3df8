"""What a span says of an SQL statement: operation, first table, and its text without literals."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_LONGEST = 4096  # characters that are read and kept


class Statement(NamedTuple):
    """One SQL statement, described."""

    operation: str | None
    """Its first word, upper case, such as ``SELECT``."""
    table: str | None
    """The first table it names, without quotes."""
    text: str
    """The statement with ``?`` for every literal; placeholders stay as they are."""


_OPERATION = re.compile(r"[\s(]*([A-Za-z]{2,20})\b")

_NAME = r'(?:"[^"]+"|`[^`]+`|\[[^\]]+\]|[A-Za-z_][\w$]*)'
_TABLE = re.compile(
    # Functions that spell an argument with FROM are passed over.
    r"\b(?:EXTRACT|TRIM|SUBSTRING|OVERLAY)\s*\([^()]*\)"
    r"|\b(?:FROM|INTO|UPDATE|TABLE(?:\s+IF(?:\s+NOT)?\s+EXISTS)?)\s+(?:ONLY\s+)?"
    rf"({_NAME}(?:\.{_NAME})*)",
    re.IGNORECASE,
)

# What may stand for itself is matched as a whole, or a quote in it would turn literals inside out;
# what the cut left open ends with the text. Comments go: tools write values into them.
_COMMENT = r"(?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))"
_MYSQL_COMMENT = r"(?P<comment>(?:--|\#)[^\n]*|/\*.*?(?:\*/|\Z))"
_QUOTED = r"'(?:[^']|'')*(?:'|\Z)"
_ESCAPED = r"'(?:[^'\\]|\\(?:.|\Z)|'')*(?:'|\Z)"
_DOUBLE_QUOTED = r'"(?:[^"\\]|\\(?:.|\Z)|"")*(?:"|\Z)'
_DOLLAR_QUOTED = r"\$(?P<tag>\w*)\$.*?(?:\$(?P=tag)\$|\Z)"
_IDENTIFIER = r'(?P<kept>"(?:[^"]|"")*(?:"|\Z)|`[^`]*(?:`|\Z))'
_MYSQL_IDENTIFIER = r"(?P<kept>`[^`]*(?:`|\Z))"
_NUMBER = r"(?<![\w$:%@.])[+-]?(?:0x[0-9a-f]+|\d+(?:\.\d*)?(?:e[+-]?\d+)?|\.\d+)\b"


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.DOTALL | re.IGNORECASE)


_LITERAL = _any(_COMMENT, _DOLLAR_QUOTED, r"\be" + _ESCAPED, _QUOTED, _IDENTIFIER, _NUMBER)
# Here a backslash escapes, and double quotes make a string.
_MYSQL_LITERAL = _any(_MYSQL_COMMENT, _ESCAPED, _DOUBLE_QUOTED, _MYSQL_IDENTIFIER, _NUMBER)


def describe(statement: str, *, mysql: bool = False) -> Statement:
    """Describe ``statement``; an application has few distinct ones, so the answers are kept.

    Args:
        statement: SQL as sent, with or without placeholders.
        mysql: Read quotes as MySQL and MariaDB do.
    """
    cut = len(statement) > _LONGEST
    return _describe(statement[:_LONGEST] if cut else statement, mysql, cut)


@lru_cache(maxsize=512)
def _describe(statement: str, mysql: bool, cut: bool) -> Statement:
    text = (_MYSQL_LITERAL if mysql else _LITERAL).sub(_instead, statement).strip()
    first = _OPERATION.match(text)
    table = next((found[1] for found in _TABLE.finditer(text) if found[1]), None)
    return Statement(
        operation=first[1].upper() if first else None,
        table=re.sub(r'["`\[\]]', "", table) if table else None,
        text=text + "…" if cut else text,
    )


def _instead(found: re.Match[str]) -> str:
    groups = found.groupdict()
    return "" if groups["comment"] else groups["kept"] or "?"
