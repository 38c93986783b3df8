"""Which keys of mappings and models hold secrets, by their name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

LONGEST = 64  # characters of a key that is remembered
_MOST = 4096  # keys remembered

# Keys are compared in lower case and without punctuation. These parts make a key sensitive
# wherever they stand in it ("secret", not "secretary") …
_ANYWHERE = re.compile(
    "password|passwd|passphrase|passcode|userpass|dbpass|smtppass|secret(?!ar)|credential"
    "|authorization|cookie|apikey|apitoken|authkey|privatekey|accesskey|accountkey|signingkey"
    "|encryptionkey|masterkey|sshkey|subscriptionkey|accesstoken|refreshtoken|authtoken"
    "|sessiontoken|bearertoken|amzsignature"
)
# … these at its end, so that "token_count" and "input_tokens" stay …
_AT_END = ("token", "pwd", "jwt")
# … but for the tokens of models and of pagination …
_HARMLESS_END = tuple(
    f"{word}token"
    for word in (
        *("max", "min", "first", "last", "per", "input", "output", "prompt", "completion"),
        *("bos", "eos", "pad", "unk", "sep", "cls", "mask", "stop", "start", "end", "special"),
        *("next", "page", "continuation", "sync", "cancellation", "image"),
    )
)
# … and these as the whole of it.
_WHOLE = frozenset(("auth", "basicauth", "httpauth", "xauth", "bearer", "session", "cvv", "cvc"))

_PUNCTUATION = re.compile(r"[\W_]+")
_CAMEL_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

# Keys known to be harmless, for who looks at thousands of them.
harmless_keys: set[str] = set()

_added: frozenset[str] = frozenset()


def add(keys: Iterable[str]) -> list[str]:
    """Replace the keys that are sensitive beside the built-in ones; says which make no sense."""
    global _added
    given = {key: "_".join(_words(key)) for key in keys}
    _added = frozenset(name for name in given.values() if name)
    judge.cache_clear()
    return [
        f"OTELKIT_REDACT_KEYS: {key!r} has no letter or digit"
        for key, name in given.items()
        if not name
    ]


def is_sensitive(key: str) -> bool:
    """Whether the value under ``key`` is to be hidden, by the name alone.

    Case, dashes, underscores and other punctuation do not matter: ``X-Api-Key`` is ``xApiKey``.
    """
    return key not in harmless_keys and judge(key[: 2 * LONGEST])


def remember(key: str) -> None:
    """Add ``key`` to ``harmless_keys``."""
    if len(harmless_keys) >= _MOST:
        harmless_keys.clear()
    harmless_keys.add(key)


@lru_cache(maxsize=_MOST)
def judge(key: str) -> bool:
    """As :func:`is_sensitive`, for short keys that come again and again."""
    name = _PUNCTUATION.sub("", key.lower())
    if name in _WHOLE or _ANYWHERE.search(name):
        return True
    if name.endswith(_AT_END) and not name.endswith(_HARMLESS_END):
        return True
    if not _added:
        return False
    words = f"_{'_'.join(_words(key))}_"
    return any(f"_{added}_" in words or added.replace("_", "") == name for added in _added)


def _words(key: str) -> list[str]:
    return [word for word in _PUNCTUATION.split(_CAMEL_HUMP.sub("_", key).lower()) if word]
