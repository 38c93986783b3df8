"""What of a call's arguments and result is written on its span: one function a side.

Content follows the capture mode: ``off`` nothing; ``metadata`` types and lengths, nothing encoded;
``redacted`` and ``full`` bounded JSON, without and with secrets.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry.trace import Span
from opentelemetry.util.types import AttributeValue

from otelkit import capture, semconv

if TYPE_CHECKING:
    from otelkit.settings import Settings


class Side(NamedTuple):
    """The attribute names of one side, input or output."""

    value: str
    size: str
    truncated: str
    type: str
    length: str


INPUT = Side(
    semconv.INPUT,
    semconv.INPUT_SIZE,
    semconv.INPUT_TRUNCATED,
    semconv.INPUT_TYPE,
    semconv.INPUT_LENGTH,
)
OUTPUT = Side(
    semconv.OUTPUT,
    semconv.OUTPUT_SIZE,
    semconv.OUTPUT_TRUNCATED,
    semconv.OUTPUT_TYPE,
    semconv.OUTPUT_LENGTH,
)
TOOL_INPUT = INPUT._replace(value=semconv.TOOL_CALL_ARGUMENTS)
TOOL_OUTPUT = OUTPUT._replace(value=semconv.TOOL_CALL_RESULT)

mode = "metadata"
max_bytes = 8192


def configure(settings: Settings) -> None:
    """Take over the capture mode and budget that ``setup()`` decided."""
    global mode, max_bytes
    mode, max_bytes = settings.capture, settings.capture_max_bytes


class Parameters(NamedTuple):
    """What is known of a function's parameters before it is called."""

    names: tuple[str, ...]  # positional ones, in order, without the object
    receiver: str | None  # the first one, where it is the object: self or cls
    owner: str | None  # the qualified name of the class, where the first one may be the object
    variadic: str  # the name of *args
    defaults: Mapping[str, Any]


NO_PARAMETERS = Parameters((), None, None, "args", {})


def parameters(function: Any, *, method: bool = False) -> Parameters:
    """The parameters of ``function``; none where it does not tell.

    Args:
        function: Anything that can be called.
        method: It was found in a class, so its first parameter is the object whatever its name.
    """
    try:
        found = list(inspect.signature(function).parameters.values())
    except Exception:  # or what an object of the application's raises when it is asked
        return NO_PARAMETERS
    positional = [p.name for p in found if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    first = positional[0] if positional else None
    receiver = first if method or first in ("self", "cls") else None
    return Parameters(
        names=tuple(positional[receiver is not None :]),
        receiver=receiver,
        owner=_owner(function) if first and receiver is None else None,
        variadic=next((p.name for p in found if p.kind is p.VAR_POSITIONAL), "args"),
        defaults={p.name: p.default for p in found if p.default is not p.empty},
    )


def _owner(function: Any) -> str | None:
    """The class that a function was written in, which may be a static one of it."""
    if not inspect.isfunction(function):
        return None
    owner = function.__qualname__.rpartition(".")[0]
    return owner if owner and not owner.endswith("<locals>") else None


def without_object(
    known: Parameters, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[tuple[str, ...], tuple[Any, ...], Mapping[str, Any]]:
    """Names of positional parameters, positional and keyword arguments, without self or cls."""
    names, receiver = known.names, known.receiver
    if known.owner is not None and args and _is_of(args[0], known.owner):
        return names[1:], args[1:], kwargs
    if receiver is None:
        return names, args, kwargs
    if receiver in kwargs:
        return names, args, {name: value for name, value in kwargs.items() if name != receiver}
    return names, args[1:], kwargs


# Past the class's own class, which may answer with code of its own.
_mro = type.__dict__["__mro__"].__get__
_qualname = type.__dict__["__qualname__"].__get__


def _is_of(value: Any, owner: str) -> bool:
    kind = type(value)
    classes = (*_mro(kind), *_mro(value)) if issubclass(kind, type) else _mro(kind)
    return any(_qualname(one) == owner for one in classes)


def write_input(
    span: Span,
    mode: str,
    side: Side,
    known: Parameters,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> None:
    """Write a call's arguments on ``span``; a call without any writes nothing."""
    names, args, kwargs = without_object(known, args, kwargs)
    if not args and not kwargs:
        return
    if mode == "metadata":
        values = (*args, *kwargs.values())
        if len(values) == 1:
            _describe(span, side, values[0])
        else:
            span.set_attribute(side.type, ", ".join(capture.describe(value)[0] for value in values))
        return
    encoded = capture.encode_call(
        names,
        args,
        kwargs,
        variadic=known.variadic,
        max_bytes=max_bytes,
        redact=mode == "redacted",
    )
    _write(span, side, encoded)


def write_output(span: Span, mode: str, side: Side, result: Any) -> None:
    """Write a call's result on ``span``; None writes nothing."""
    if result is None:
        return
    if mode == "metadata":
        _describe(span, side, result)
    else:
        _write(span, side, capture.encode(result, max_bytes=max_bytes, redact=mode == "redacted"))


def encode_messages(messages: Any, mode: str) -> str | None:
    """``messages`` as the conventions' JSON, within the budget; None if they are none."""
    return capture.encode_messages(messages, max_bytes=max_bytes, redact=mode == "redacted")


def encode_system(system: Any, mode: str) -> str:
    """System instructions as the conventions' JSON: a list of parts."""
    parts = [{"type": "text", "content": system}] if isinstance(system, str) else system
    return capture.encode(parts, max_bytes=max_bytes, redact=mode == "redacted").text


def _describe(span: Span, side: Side, value: Any) -> None:
    name, length = capture.describe(value)
    if length is None:
        span.set_attribute(side.type, name)
    else:
        span.set_attributes({side.type: name, side.length: length})


def _write(span: Span, side: Side, encoded: capture.Encoded) -> None:
    attributes: dict[str, AttributeValue] = {side.value: encoded.text}
    if encoded.truncated:
        attributes[side.truncated] = True
    else:
        attributes[side.size] = encoded.size
    span.set_attributes(attributes)
