"""A log record as every output shows it: one text, plain fields, its trace and its exception.

Whatever the application logs (broken ``%`` arguments, failing ``__repr__``, megabytes, cycles), an
entry can be made of it, is bounded, and holds no secret that redaction knows.
"""

from __future__ import annotations

import json
import logging
import math
import threading
from collections.abc import Mapping
from typing import Any, NamedTuple

from opentelemetry.trace import INVALID_SPAN_CONTEXT, SpanContext

from otelkit import _exceptions, capture, context, redaction, semconv
from otelkit.logs import correlation, servers

TEXT_LIMIT = 65_536  # bytes of UTF-8
FIELDS_LIMIT = 100
_KEY_LIMIT = 256
_INT64 = 2**63

# Where a bridge leaves all the fields of a record, if they are not its attributes.
FIELDS = "_otelkit_fields"
# Where the copy of a record that a queue hands on has its entry: the trace is known no more then.
ENTRY = "_otelkit_entry"

RESERVED = frozenset(vars(logging.makeLogRecord({}))) | {"asctime", "message", "taskName"}
_NO_FIELDS = RESERVED | {
    "color_message",  # uvicorn's message once more, with terminal colours
    "otelSpanID",
    "otelTraceID",
    "otelTraceSampled",
    "otelServiceName",
    FIELDS,
    ENTRY,
}


class Place(NamedTuple):
    """Where a log call stands in the source."""

    path: str
    line: int
    function: str


class Raised(NamedTuple):
    """The exception of a record."""

    type: str
    message: str
    stack: str


class Entry(NamedTuple):
    """What the outputs write of a record."""

    message: str
    fields: dict[str, Any]  # strings, numbers, booleans, None, and lists and dicts of them
    span: SpanContext
    request_id: str | None
    raised: Raised | None


# Entries of the records that are being handled now. They are not kept on the records themselves:
# formatters of the application that write all attributes of a record would write them, too.
_held: dict[int, tuple[logging.LogRecord, Entry]] = {}
_expected = threading.local()


def hold(record: logging.LogRecord) -> bool:
    """Make the entry of ``record`` for all outputs until :func:`release`.

    Returns:
        Whether the record is new; false when it is or was handled already.
    """
    if id(record) in _held or ENTRY in record.__dict__:
        return False
    _held[id(record)] = (record, of(record))
    return True


def release(record: logging.LogRecord) -> None:
    """Forget what :func:`hold` made."""
    _held.pop(id(record), None)


def handling(message: str) -> bool:
    """Whether this thread is handling a record with this message, which is then its forward."""
    thread = threading.get_ident()
    return any(
        record.thread == thread and _message(record) == message
        for record, _entry in list(_held.values())
    )


def expect(
    logged: object, message: str, fields: Mapping[Any, Any], exc_info: Any, place: Place
) -> None:
    """Say what the next record of this thread means, if its ``msg`` is the very object ``logged``.

    For libraries that hand a rendered text to :mod:`logging`, which takes the library itself for
    the caller. A record that never comes, because its level is off, is no harm.
    """
    _expected.event = (logged, message, fields, exc_info, place)


def of(record: logging.LogRecord) -> Entry:
    """The entry of ``record``; never raises."""
    held = _held.get(id(record))
    if held is not None:
        return held[1]
    if ENTRY in record.__dict__:
        return record.__dict__[ENTRY]  # type: ignore[no-any-return]
    try:
        return _make(record)
    except Exception as error:
        message = f"{record.name}:{record.lineno} [not readable: {type(error).__name__}]"
        return Entry(message, {}, INVALID_SPAN_CONTEXT, None, None)


def _make(record: logging.LogRecord) -> Entry:
    here, span = correlation.here()
    bound = context.bound(here)
    message, given, exc_info = _read(record)
    fields = plain(given) if given else {}
    for name, value in bound.items():
        if name != semconv.REQUEST_ID:
            fields.setdefault(name, list(value) if isinstance(value, tuple) else value)
    request = correlation.request.get()
    request_id = bound.get(semconv.REQUEST_ID) or (request.id if request else None)
    return Entry(text(message), fields, span, request_id, _raised(exc_info) if exc_info else None)


def _read(record: logging.LogRecord) -> tuple[str, Mapping[Any, Any], Any]:
    """Message, fields and exception of ``record``, as the application gave them."""
    expected = getattr(_expected, "event", None)
    if expected is not None and expected[0] is record.msg:
        del _expected.event
        message, given, exc_info, place = expected[1:]
        record.pathname, record.lineno, record.funcName = place
        return message, given, exc_info or record.exc_info
    own = record.__dict__
    given = own.get(FIELDS)
    if given is None:
        given = {key: value for key, value in own.items() if key not in _NO_FIELDS}
    if record.name in servers.ACCESS:
        given = {**given, **servers.access(record)}
    if record.stack_info:
        given = {**given, "stack_info": record.stack_info}
    return _message(record), given, record.exc_info


def _message(record: logging.LogRecord) -> str:
    message = record.msg
    if type(message) is str and not record.args:
        return message
    try:
        return record.getMessage()
    except Exception as error:
        return f"{shown(message)} {shown(record.args)} [not formatted: {type(error).__name__}]"


def plain(given: Mapping[Any, Any]) -> dict[str, Any]:
    """``given`` with text for names, and with values that JSON and OTLP know."""
    fields: dict[str, Any] = {}
    for key, value in given.items():
        if len(fields) >= FIELDS_LIMIT:
            fields["otelkit.fields.dropped"] = len(given) - FIELDS_LIMIT
            break
        if key in redaction.harmless_keys:
            fields[key] = _value(value)
            continue
        name = text(shown(key), _KEY_LIMIT) or "(empty)"
        harmless = redaction.admit(name) or not redaction.is_sensitive(name)
        fields[name] = _value(value) if harmless else redaction.REDACTED
    return fields


def _value(value: Any) -> Any:
    kind = type(value)
    if kind is str:
        return text(value)
    if value is None or kind is bool:
        return value
    if kind is int and -_INT64 <= value < _INT64 and not redaction.is_card_number(value):
        return value
    if kind is float:
        return value if math.isfinite(value) else str(value)
    if kind is bytes:
        return text(value[: 2 * TEXT_LIMIT].decode("utf-8", "backslashreplace"))
    # What capture encodes is bounded, redacted and free of cycles.
    return json.loads(capture.encode(value).text)


def text(value: str, limit: int = TEXT_LIMIT) -> str:
    """``value`` without secrets, as valid Unicode, cut at ``limit`` bytes with a mark."""
    if len(value) * 4 <= limit:
        return redaction.scrub(valid(value))
    clean = valid(redaction.clip(value, limit))
    encoded = clean.encode()
    if len(value) <= limit and len(encoded) <= limit:
        return clean
    return f"{encoded[:limit].decode('utf-8', 'ignore')}… [cut, {len(value)} characters]"


def valid(value: str) -> str:
    """``value`` with lone surrogates escaped: in the exporter they would fail a whole batch."""
    if value.isascii():
        return value
    return value.encode("utf-8", "backslashreplace").decode()


def shown(value: object) -> str:
    """``str(value)``; a text of ours where that fails."""
    try:
        return str(value)
    except Exception as error:
        return f"<{type(value).__name__} without text: {type(error).__name__}>"


def _raised(exc_info: Any) -> Raised | None:
    error = exc_info[1] if isinstance(exc_info, tuple) and len(exc_info) == 3 else exc_info
    if not isinstance(error, BaseException):
        return None
    return Raised(
        valid(_exceptions.error_type(error)),
        valid(_exceptions.message(error)),
        valid(_exceptions.stack(error)),
    )
