"""Secrets that their own shape gives away: keys of providers, web tokens, private keys."""

from __future__ import annotations

import re
from base64 import b64decode

from otelkit.redaction._mark import REDACTED

_WORD_START = "(?<![A-Za-z0-9])"


def _after(*prefixes: str) -> str:
    """Looks behind for one of ``prefixes`` at the start of a word."""
    return "(?:" + "|".join(f"(?<={_WORD_START}{prefix})" for prefix in prefixes) + ")"


_DASH = _after("sk-", "xox[a-z]-", "xapp-", "glpat-", "xai-", "pplx-", "tvly-", "pypi-")
_UNDERSCORE = _after(
    "gh[opsur]_", "github_pat_", "hf_", "lsv2_pt_", "lsv2_sk_", "lsv2_", "ls__", "gsk_", "r8_",
    "[rs]k_live_", "[rs]k_test_", "whsec_", "npm_", "dop_v1_", "shpat_",
)  # fmt: skip
_PEM_LABEL = "[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"

# Each rule: a text without which nothing matches, the pattern, what replaces it. Most patterns
# begin with one literal, rare character, which the engine searches fastest, and look around from
# there. The prefix of a key is kept: it says whose key it was.
_RULES = tuple(
    (needed, re.compile(pattern, re.DOTALL), replacement)
    for needed, pattern, replacement in (
        ("PRIVATE KEY", rf"-----BEGIN {_PEM_LABEL}.*?(?:-----END {_PEM_LABEL}|\Z)", REDACTED),
        # user:password@host; a password may hold an @ itself.
        ("@", r"://([^\s/?#:@]{0,256}):[^\s/?#]{1,256}@", rf"://\1:{REDACTED}@"),
        ("-", rf"-(?=\w[\w-]{{7}}){_DASH}[\w-]+", f"-{REDACTED}"),
        ("_", rf"_(?=[A-Za-z0-9]{{10}}){_UNDERSCORE}\w+", f"_{REDACTED}"),
        ("z", rf"z(?<={_WORD_START}AIz)a[\w-]{{20,}}", f"za{REDACTED}"),
        ("K", rf"K(?<={_WORD_START}AK)IA[A-Z0-9]{{12,}}", f"KIA{REDACTED}"),
        ("S", rf"S(?<={_WORD_START}AS)IA[A-Z0-9]{{12,}}", f"SIA{REDACTED}"),
        ("J", rf"J(?<={_WORD_START}eyJ)[\w-]{{8,}}(?:\.[\w-]*){{0,4}}", f"J{REDACTED}"),
    )
)
_BEARER = re.compile(r"(?i)(?<![a-z0-9])(bearer[ \t]{1,4})(?!token|auth|scheme)[\w.~+/=-]{6,}")
_BASIC = re.compile(r"(?i)(?<![a-z0-9])(basic[ \t]{1,4})([a-z0-9+/]{6,}={0,2})")


def scrub(text: str) -> str:
    """Replace tokens, keys and credentials in ``text``."""
    for needed, pattern, replacement in _RULES:
        if needed in text:
            text = pattern.sub(replacement, text)
    lower = text.lower()
    if "bearer" in lower:
        text = _BEARER.sub(rf"\1{REDACTED}", text)
    if "basic " in lower or "basic\t" in lower:
        text = _BASIC.sub(_without_credentials, text)
    return text


def _without_credentials(found: re.Match[str]) -> str:
    """What replaces "basic …": prose stays, base64 of ``user:password`` goes."""
    encoded = found[2].rstrip("=")
    whole = len(encoded) // 4 * 4  # the rest may have been cut off
    try:
        is_pair = b":" in b64decode(encoded[:whole]) or b":" in b64decode(_padded(encoded))
    except ValueError:
        is_pair = False
    return f"{found[1]}{REDACTED}" if is_pair else found[0]


def _padded(encoded: str) -> str:
    return encoded + "=" * (-len(encoded) % 4)
