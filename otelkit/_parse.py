"""Values out of text: what an environment variable or an argument may say.

Each parser takes the text of a variable or a Python value given as an argument, returns the value
to use, and raises ``ValueError`` with words that say what would have been right.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

_NAMED_AT_MOST = 40  # characters of a part that is wrong
_TOLD_AT_MOST = 3  # parts that are wrong; a warning stays one line
NOWHERE = "nowhere"  # in place of an address that cannot be used


class Repaired(ValueError):
    """Text that is wrong but whose meaning is plain: a variable gets a warning and ``value``."""

    def __init__(self, value: Any, why: str) -> None:
        super().__init__(why)
        self.value = value


def text(value: Any) -> str:
    """A string without surrounding blanks."""
    if not isinstance(value, str):
        raise ValueError("expected a string")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("expected valid UTF-8") from None
    return value.strip()


def boolean(value: Any) -> bool:
    """``true/false``, ``1/0``, ``yes/no`` or ``on/off``, in any case."""
    if isinstance(value, bool):
        return value
    word = text(value).lower()
    if word in ("true", "1", "yes", "on"):
        return True
    if word in ("false", "0", "no", "off"):
        return False
    raise ValueError("expected true or false")


def specification_boolean(value: Any) -> bool:
    """``true`` or ``false`` only: the specification takes nothing else for its own variables."""
    if isinstance(value, bool):
        return value
    word = text(value).lower()
    if word in ("true", "false"):
        return word == "true"
    raise ValueError("the specification accepts only true or false")


def integer(low: int, high: int = 2**31 - 1) -> Callable[[Any], int]:
    """A whole number from ``low`` to ``high``."""

    def parse(value: Any) -> int:
        wrong = ValueError(f"expected a whole number from {low} to {high}")
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            raise wrong
        try:
            number = int(value)
        except ValueError:
            raise wrong from None
        if not low <= number <= high:
            raise wrong
        return number

    return parse


def number(low: float, high: float, *, above: bool = False, of: str = "") -> Callable[[Any], float]:
    """A finite number from ``low`` (or above it) to ``high``, of a unit that messages name."""
    what = f"a number of {of}" if of else "a number"

    def parse(value: Any) -> float:
        wrong = ValueError(f"expected {what} {'above' if above else 'from'} {low} to {high}")
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise wrong
        try:
            result = float(value)
        except ValueError:
            raise wrong from None
        if not math.isfinite(result) or result > high or result < low or (above and result == low):
            raise wrong
        return result

    return parse


def milliseconds(value: Any) -> float:
    """Seconds: text is in milliseconds as the specification has it, a number is in seconds."""
    if isinstance(value, str):
        return number(0, 86_400_000, above=True, of="milliseconds")(value) / 1000
    return number(0, 86_400, above=True, of="seconds")(value)


def otlp_timeout(value: Any) -> float:
    """As :func:`milliseconds`, but text below 100 is repaired: it can only be meant as seconds.

    The specification says milliseconds, the Python SDK reads seconds; ``10`` is found in the wild.
    """
    seconds = milliseconds(value)
    if isinstance(value, str) and seconds < 0.1:
        meant = seconds * 1000
        raise Repaired(meant, f"the specification counts milliseconds; write {meant * 1000:g}")
    return seconds


def choice(*words: str) -> Callable[[Any], str]:
    """One of ``words``, in any case."""

    def parse(value: Any) -> str:
        for word in words:
            if text(value).lower() == word.lower():
                return word
        raise ValueError(f"expected one of {', '.join(words)}")

    return parse


def names(value: Any) -> tuple[str, ...]:
    """A list of words: comma-separated text, or a sequence of strings."""
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple, set, frozenset)):
        raise ValueError("expected a comma-separated list")
    return tuple(word for word in (text(part) for part in parts) if word)


def subset(*words: str) -> Callable[[Any], tuple[str, ...]]:
    """A list of which every word is one of ``words``; ``none`` stands alone."""

    def parse(value: Any) -> tuple[str, ...]:
        found = tuple(word.lower() for word in names(value))
        if not found or not set(found) <= set(words) or ("none" in found and len(found) > 1):
            several = "a list of " if len(words) > 1 else ""
            raise ValueError(f"expected {several}{', '.join(words)}")
        return found

    return parse


def with_advice(parser: Callable[[Any], Any], word: str, advice: str) -> Callable[[Any], Any]:
    """As ``parser``; to a value with ``word`` in it that it refuses, the error adds ``advice``."""

    def parse(value: Any) -> Any:
        try:
            return parser(value)
        except ValueError as error:
            raise ValueError(f"{error}; {advice}" if word in str(value) else str(error)) from None

    return parse


def pairs(value: Any) -> dict[str, str]:
    """``key=value,key=value`` (values percent-encoded, as W3C baggage has it), or a mapping."""
    if isinstance(value, Mapping):
        return {text(key): text(item) for key, item in value.items()}
    result = {}
    for part in names(value):
        key, sign, item = part.partition("=")
        if not sign or not key.strip():
            raise ValueError("expected key=value pairs, separated by commas")
        result[key.strip()] = unquote(item.strip())
    return result


def attributes(value: Any) -> dict[str, str]:
    """As :func:`pairs`; of a text, whatever is no pair is left out."""
    try:
        return pairs(value)
    except ValueError as error:
        if not isinstance(value, str):
            raise
        good = [part for part in names(value) if part.partition("=")[0].strip() and "=" in part]
        raise Repaired(pairs(good), str(error)) from None


def headers(value: Any) -> dict[str, str]:
    """As :func:`pairs`; names in lower case, and nothing that would break a request in two."""
    result = {key.lower(): item for key, item in pairs(value).items()}
    for key, item in result.items():
        if (
            not key.isascii()
            or not item.isascii()
            or any(c < " " for c in key + item)
            or " " in key
        ):
            raise ValueError("header names and values are printable ASCII")
    return result


def url(value: Any) -> str:
    """An ``http(s)`` address with a host; its path and port are checked, not changed."""
    address = text(value)
    if address and "://" not in address:
        # gRPC would read it as TLS, HTTP would fail on every request; a plain host is meant.
        raise Repaired(url(f"http://{address}"), f"no scheme; write http://{address}")
    try:
        parts = urlsplit(address)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname)
        _ = parts.port  # raises on a port out of range
    except ValueError:
        valid = False
    if not valid:
        raise ValueError("expected an address such as http://localhost:4318")
    return address


def base_url(value: Any) -> str:
    """As :func:`url`; the path of a signal is taken off, to which it would be added once more."""
    address = url(value)
    for signal in ("traces", "metrics", "logs"):
        path = f"/v1/{signal}"
        base = address.rstrip("/").removesuffix(path)
        if address.rstrip("/").endswith(path):
            own = f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT"
            raise Repaired(base, f"{path} is added to it; write {base}, or use {own} instead")
    return address


def unquoted(value: Any) -> str:
    """As :func:`text`, without the quotes that some files of variables leave around a value."""
    return text(value).strip("\"'")


def own_url(value: Any) -> str:
    """As :func:`url`; a text that is none means nowhere, and never somebody else's address."""
    try:
        return url(unquoted(value))
    except Repaired:
        raise
    except ValueError as error:
        raise Repaired(NOWHERE, str(error)) from None


def log_level(value: Any) -> str:
    """One of Python's level names, in any case; ``WARN`` and ``FATAL`` are taken too."""
    if isinstance(value, str):
        value = {"WARN": "WARNING", "FATAL": "CRITICAL"}.get(value.strip().upper(), value)
    return choice("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")(value)


def log_levels(value: Any) -> dict[str, str]:
    """``logger=LEVEL`` pairs; of a text, those that are none are named and left out."""
    if isinstance(value, Mapping):
        return {name: log_level(level) for name, level in pairs(value).items()}
    levels: dict[str, str] = {}
    wrong = []
    for part in names(value):
        try:
            levels.update((name, log_level(level)) for name, level in pairs([part]).items())
        except ValueError as error:
            wrong.append(f"{part[:_NAMED_AT_MOST]!r}: {error}")
    if wrong:
        raise Repaired(levels, "; ".join(wrong[:_TOLD_AT_MOST]))
    return levels


def capture_mode(value: Any) -> str:
    """A capture mode; the values of GenAI's own content variable are taken as their nearest."""
    genai = {
        "true": "redacted", "span_only": "redacted", "span_and_event": "redacted",
        "false": "metadata", "no_content": "metadata", "event_only": "metadata",
    }  # fmt: skip
    word = text(value).lower()
    return choice("off", "metadata", "redacted", "full")(genai.get(word, word))


def selection(value: Any) -> str | tuple[str, ...]:
    """``auto``, ``none`` or a list of names."""
    found = names(value)
    if not found:
        raise ValueError("expected auto, none or a list of names")
    return found[0].lower() if found[0].lower() in ("auto", "none") and len(found) == 1 else found


def path_prefix(value: Any) -> str:
    """A path that begins with a slash and does not end with one; empty turns the feature off."""
    path = text(value).rstrip("/")
    if path and (not path.startswith("/") or any(c in path for c in "?# ")):
        raise ValueError("expected a path such as /health")
    return path


def details(value: Any) -> str:
    """``public``, ``token`` or ``off``; a text that is none of them hides what it may mean to."""
    try:
        return choice("public", "token", "off")(value)
    except ValueError as error:
        raise Repaired("off", str(error)) from None


def metric_namespace(value: Any) -> str:
    """The first word of metric names: letters, digits and underscores, no digit first."""
    name = text(value).rstrip("_")
    if not name.isascii() or not name.isidentifier():
        raise ValueError("expected letters, digits and underscores, such as shop")
    return name
