"""How an exception is written on a span: once where it was raised, scrubbed, bounded."""

from __future__ import annotations

import traceback

from opentelemetry.trace import Span, Status, StatusCode

from otelkit import semconv
from otelkit.redaction import clip, scrub

_MESSAGE_LIMIT = 2_048
_STACK_LIMIT = 16_384
_MARK = "_otelkit_recorded_in"


def error_type(error: BaseException) -> str:
    """The qualified class name, as ``error.type`` wants it; built-in classes without a module."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else _qualified(kind)


def message(error: BaseException) -> str:
    """``str(error)`` without secrets, cut; a text of ours where the exception cannot say it."""
    try:
        return clip(str(error), _MESSAGE_LIMIT)
    except Exception:
        return "<exception without a readable message>"


def record(span: Span, error: BaseException) -> None:
    """Mark ``span`` as failed, and add the ``exception`` event unless an inner span has it."""
    if not span.is_recording():
        return
    kind, text = error_type(error), message(error)
    span.set_status(Status(StatusCode.ERROR, f"{kind}: {text}" if text else kind))
    span.set_attribute(semconv.ERROR_TYPE, kind)
    trace_id = span.get_span_context().trace_id
    if _mark(error) == trace_id:
        return
    span.add_event(
        "exception",
        {
            semconv.EXCEPTION_TYPE: kind,
            semconv.EXCEPTION_MESSAGE: text,
            semconv.EXCEPTION_STACKTRACE: stack(error),
        },
    )
    try:
        # Past any __setattr__ of the class: that is the application's code.
        object.__setattr__(error, _MARK, trace_id)
    except Exception:
        pass


def _mark(error: BaseException) -> object:
    try:
        # Past any __getattr__ of the class: that is the application's code.
        return object.__getattribute__(error, "__dict__").get(_MARK)
    except Exception:
        return None


def _qualified(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def stack(error: BaseException) -> str:
    """The traceback without secrets, cut at its beginning."""
    try:
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__, 50))
        # The innermost frames and the message stand at the end.
        text = scrub(text[-4 * _STACK_LIMIT :])  # whole secrets first: a part of one is not known
        return text if len(text) <= _STACK_LIMIT else "…" + text[-_STACK_LIMIT:]
    except Exception:
        return "<traceback cannot be formatted>"
