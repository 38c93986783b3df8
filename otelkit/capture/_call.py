"""The arguments of one call as one JSON object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otelkit.capture._encode import NOTHING, Encoded, encode


def encode_call(
    names: tuple[str, ...],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    *,
    variadic: str = "args",
    max_bytes: int = 8192,
    redact: bool = True,
) -> Encoded:
    """Encode the arguments of a call as an object of name and value.

    Args:
        names: The function's positional parameters in order, without ``self`` or ``cls``.
        args: The positional arguments as given, without ``self`` or ``cls``.
        kwargs: The keyword arguments as given; they stand beside the others.
        variadic: The name of ``*args``, for arguments beyond ``names``.
        max_bytes: As for :func:`encode`.
        redact: As for :func:`encode`; arguments whose name is sensitive are hidden, too.

    Returns:
        As :func:`encode`. Never raises.
    """
    try:
        arguments: dict[str, Any] = dict(zip(names, args, strict=False))
        if len(args) > len(names):
            # No more than the budget can hold: each takes two bytes at least.
            end = len(names) + max_bytes // 2 + 1
            arguments[variadic] = args[len(names) : end]
        arguments.update(kwargs)
        return encode(arguments, max_bytes=max_bytes, redact=redact)
    except Exception:
        return NOTHING
