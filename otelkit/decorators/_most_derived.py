"""Classes decorated together with a class they derive from: a call is traced once.

While the method of a derived class runs for an instance, the base's is a part of it, whether it is
inherited or called from there. A base's method that runs without it, or is a call of another kind,
is a call of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry import context as otel_context
from opentelemetry.trace import Span

from otelkit.decorators._state import note_failure

if TYPE_CHECKING:
    from otelkit.decorators._call import Begin, Call
    from otelkit.decorators._operation import Operation


class _Running(NamedTuple):
    """A call of a derived class's method, in its own context."""

    owner: type
    instance: int  # its id, which is nobody else's as long as the call runs
    span: Span


def only(owner: type, method: str, operation: Operation) -> Begin:
    """``operation.begin`` for calls of ``owner.method`` that are no part of a derived class's."""
    key = f"otelkit.running.{operation.kind}.{method}"
    is_derived = any(method in vars(base) for base in owner.__mro__[1:])

    def begin_once(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call | None:
        try:
            if args and _is_part(args[0], owner, key):
                return None
        except Exception:
            note_failure()
        call = operation.begin(args, kwargs)
        if call is not None and is_derived and args:
            call.keep(key, _Running(owner, id(args[0]), call.span))
        return call

    return begin_once


def _is_part(instance: object, owner: type, key: str) -> bool:
    running = otel_context.get_value(key)
    if not isinstance(running, _Running) or running.instance != id(instance):
        return False
    if running.span.get_span_context().trace_flags.sampled and not running.span.is_recording():
        return False  # it has ended: this is a task that it left behind
    # Not `in`: how classes compare is their metaclass's.
    return any(base is owner for base in running.owner.__mro__[1:])
