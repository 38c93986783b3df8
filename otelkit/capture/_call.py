"""The arguments of one call as one JSON object."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from otelkit.capture._encode import NOTHING, Encoded, encode


def encode_call(
    names: tuple[str, ...],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    *,
    skip_first: bool = False,
    variadic: str = "args",
    max_bytes: int = 8192,
    redact: bool = True,
) -> Encoded:
    """Encode the arguments of a call as an object of name and value.

    Args:
        names: The function's positional parameters in order, without ``self`` or ``cls``.
        args: The positional arguments as given.
        kwargs: The keyword arguments as given; they stand beside the others.
        skip_first: ``args`` begins with ``self`` or ``cls``, which is not shown.
        variadic: The name of ``*args``, for arguments beyond ``names``.
        max_bytes: As for :func:`encode`.
        redact: As for :func:`encode`; arguments whose name is sensitive are hidden, too.

    Returns:
        As :func:`encode`. Never raises.
    """
    try:
        given = iter(args)
        if skip_first:
            next(given, None)
        arguments: dict[str, Any] = dict(zip(names, given, strict=False))
        if len(args) - skip_first > len(names):
            # No more than the budget can hold: each takes two bytes at least.
            arguments[variadic] = tuple(islice(given, max_bytes // 2 + 1))
        arguments.update(kwargs)
        return encode(arguments, max_bytes=max_bytes, redact=redact)
    except Exception:
        return NOTHING
