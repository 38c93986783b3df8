"""Scrubs secrets: values by the name of their key, free text by the shape of what it holds.

One scrubber serves spans, logs and exception messages. It prefers one harmless word too many to one
secret in clear, takes time linear in the text, and hardly any for text in which nothing can match.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from otelkit.redaction import _cards, _keys, _pairs, _tokens
from otelkit.redaction._cards import is_card_number
from otelkit.redaction._keys import harmless_keys, is_sensitive
from otelkit.redaction._mark import REDACTED

__all__ = [
    "LOOKAHEAD",
    "REDACTED",
    "admit",
    "clip",
    "configure",
    "harmless_keys",
    "hold_secrets",
    "is_card_number",
    "is_sensitive",
    "scrub",
]

# A secret that begins within the first n characters is recognised in the first n + LOOKAHEAD.
LOOKAHEAD = 1024

_VARIABLE = "OTELKIT_REDACT_PATTERNS"
# Bounded as RFC 5321 bounds the parts, hence linear.
_EMAIL = r"(?<![\w.+-])[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}"

_patterns: tuple[re.Pattern[str], ...] = ()


def configure(keys: Iterable[str] = (), patterns: Iterable[str] = ()) -> list[str]:
    """Set what is scrubbed in addition to the built-in keys and patterns.

    Args:
        keys: Names of keys; each also matches as whole words of a longer key: ``ssn`` matches
            ``customer_ssn`` and ``customerSsn``, not ``classname``.
        patterns: Regular expressions, whose whole match is replaced; the name ``email`` stands for
            a built-in pattern of e-mail addresses.

    Returns:
        What is wrong with them: one text for each key or pattern that is left out.
    """
    global _patterns
    compiled: list[re.Pattern[str]] = []
    problems = _keys.add(keys)
    for pattern in patterns:
        try:
            found = re.compile(_EMAIL if pattern.lower() == "email" else pattern)
        except (re.error, OverflowError, RecursionError) as error:
            problems.append(f"{_VARIABLE}: {pattern!r} is no regular expression: {error}")
            continue
        if found.search(""):
            problems.append(f"{_VARIABLE}: {pattern!r} matches the empty text, hence everything")
        else:
            compiled.append(found)
    _patterns = tuple(compiled)
    harmless_keys.clear()
    return problems


def scrub(text: str) -> str:
    """Replace what looks like a secret in ``text`` with ``[redacted]``.

    Private keys, passwords in addresses, ``password=…`` pairs, bearer and basic credentials, keys
    of the common providers, JSON web tokens, card numbers, and what ``configure()`` added.
    """
    text = _scrub_built_in(text)
    for pattern in _patterns:
        text = pattern.sub(REDACTED, text)
    return text


def hold_secrets(texts: list[str]) -> bool:
    """Whether ``scrub()`` would change any of ``texts``: one look at all of them together.

    Many times faster than one at each; it may be wrong in saying yes, never in saying no.
    """
    joined = "\n".join(texts)
    if _scrub_built_in(joined) != joined:
        return True
    # An added pattern may be anchored to the start or the end of a text.
    return any(pattern.search(text) for pattern in _patterns for text in texts)


def _scrub_built_in(text: str) -> str:
    return _cards.scrub(_pairs.scrub(_tokens.scrub(text)))


def clip(text: str, limit: int) -> str:
    """At most ``limit`` characters from the start of ``scrub(text)``.

    Never looks further than ``LOOKAHEAD`` beyond the limit, and a secret that the limit cuts in two
    is scrubbed like any other.
    """
    if len(text) <= limit + LOOKAHEAD:
        return scrub(text)[:limit]
    seen = scrub(text[: limit + LOOKAHEAD])
    # At its end the window may hold the beginning of a secret that nothing recognises yet.
    return seen[: max(0, len(seen) - LOOKAHEAD)][:limit]


def admit(key: str) -> bool:
    """Whether ``key`` and its value may be shown as they are; if so, ``harmless_keys`` has it."""
    if len(key) > _keys.LONGEST or is_sensitive(key) or scrub(key) != key:
        return False
    _keys.remember(key)
    return True
