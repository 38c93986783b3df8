"""What the decorators' arguments must be: said at decoration, where the mistake is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otelkit.errors import ConfigError

_CAPTURE = ("off", "metadata", "redacted", "full")
_SCALARS = (str, bool, int, float, bytes)
_INT64 = 2**63


def check(attributes: object, capture: object, **texts: object) -> None:
    """Raise ConfigError for what cannot be used; None is always what was not given."""
    one_of("capture", capture, _CAPTURE)
    text(**texts)
    for option, given in texts.items():
        if isinstance(given, str) and not given.strip():
            raise ConfigError(
                f"{option}={given!r}: expected a name; without one there is a default"
            )
    if attributes is None:
        return
    if not isinstance(attributes, Mapping):
        raise ConfigError(
            f"attributes is of type {type(attributes).__name__}: "
            "expected a mapping of names to values"
        )
    for name, value in attributes.items():
        if not isinstance(name, str) or not name:
            raise ConfigError(f"attributes: a name is of type {type(name).__name__}, not text")
        if not _usable(value):
            raise ConfigError(
                f"attributes[{name!r}] is of type {type(value).__name__}: expected valid text, "
                "a bool, a number of 64 bits, or a list of one of these"
            )


def text(**options: object) -> None:
    """Raise ConfigError for options that are neither text nor None."""
    for option, given in options.items():
        if given is not None and not isinstance(given, str):
            raise ConfigError(f"{option} is of type {type(given).__name__}: expected a string")


def one_of(option: str, given: object, allowed: tuple[str, ...]) -> None:
    """Raise ConfigError for an option that is neither one of the words nor None."""
    if given is not None and given not in allowed:
        raise ConfigError(
            f"{option}={given!r}: expected {', '.join(allowed[:-1])} or {allowed[-1]}"
        )


def _usable(value: Any) -> bool:
    """Whether the SDK takes the value and OTLP can carry it."""
    if isinstance(value, (list, tuple)):
        return len({type(one) for one in value}) <= 1 and all(map(_usable_scalar, value))
    return _usable_scalar(value)


def _usable_scalar(value: Any) -> bool:
    if isinstance(value, str):
        return value.isascii() or value == value.encode("utf-8", "replace").decode()
    if isinstance(value, int):
        return -_INT64 <= value < _INT64
    return isinstance(value, _SCALARS)
