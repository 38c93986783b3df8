"""A log record as every output shows it, made once where it is logged.

Whatever the application logs (broken ``%`` arguments, failing ``__repr__``, megabytes, cycles), an
entry can be made of it, is bounded, and holds no secret that redaction knows.
"""

from __future__ import annotations

import copy
import logging
import os
import threading
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from opentelemetry._logs import LogRecord, SeverityNumber

from otelkit import _exceptions, context, semconv
from otelkit.logs import correlation, servers
from otelkit.logs.values import MESSAGE_LIMIT, familiar, plain, shown, text, valid

# Where a bridge leaves the fields of a record: those that are, and those that cannot be attributes.
FIELDS = "_otelkit_fields"
# Where the copy of a record that a queue hands on has its entry: the trace is known no more then.
ENTRY = "_otelkit_entry"

_PLAIN = frozenset(vars(logging.makeLogRecord({})))  # attributes of a record without extra ones
_PLAIN_SIZE = len(_PLAIN)
RESERVED = _PLAIN | {"asctime", "message", "taskName"}
COLOURED = "color_message"  # uvicorn's message once more, with terminal colours
_NO_FIELDS = RESERVED | {
    COLOURED,
    "otelSpanID",
    "otelTraceID",
    "otelTraceSampled",
    "otelServiceName",
    FIELDS,
    ENTRY,
}
_LATEST = 2**33  # seconds since the epoch; what is later is no time
_NOTHING: Mapping[Any, Any] = {}
_SEVERITY_TEXTS = {"WARNING": "WARN", "CRITICAL": "FATAL"}
_SEVERITIES = {
    logging.DEBUG: SeverityNumber.DEBUG,
    logging.INFO: SeverityNumber.INFO,
    logging.WARNING: SeverityNumber.WARN,
    logging.ERROR: SeverityNumber.ERROR,
    logging.CRITICAL: SeverityNumber.FATAL,
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

    sent: LogRecord  # OpenTelemetry's record, without attributes
    fields: dict[str, Any]  # strings, numbers, booleans, None, and lists and dicts of them
    request_id: str | None
    raised: Raised | None

    @property
    def message(self) -> str:
        """The message, complete with its arguments."""
        return str(self.sent.body)


# Entries of the records that are being handled now. They are not kept on the records themselves:
# formatters of the application that write all attributes of a record would write them, too.
_held: dict[int, tuple[logging.LogRecord, Entry]] = {}
_expected: dict[int, tuple[object, str, Mapping[Any, Any], Any, Place]] = {}  # by thread
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_held.clear)
    os.register_at_fork(after_in_child=_expected.clear)


def hold(record: logging.LogRecord) -> Entry | None:
    """Make the entry of ``record`` for all outputs until :func:`release`.

    Returns:
        The entry; None when the record is being, or was, handled already.
    """
    key = id(record)
    if key in _held or ENTRY in record.__dict__:
        return None
    if not _sound(record):
        _mend(record)
    made = _make(record)
    _held[key] = (record, made)
    return made


def release(record: logging.LogRecord) -> None:
    """Forget what :func:`hold` made."""
    _held.pop(id(record), None)


def of(record: logging.LogRecord) -> Entry:
    """The entry of ``record``; never raises."""
    held = _held.get(id(record))
    if held is not None:
        return held[1]
    stamped: Entry | None = record.__dict__.get(ENTRY)
    return stamped or _make(record)


def stamp(handed_on: logging.LogRecord, record: logging.LogRecord) -> None:
    """Give ``handed_on``, which goes to another thread or process, the entry of ``record``."""
    made = of(record)
    sent = copy.copy(made.sent)
    vars(sent).update(context=None, attributes=None)  # cannot be pickled, and are not needed there
    handed_on.__dict__[ENTRY] = made._replace(sent=sent)


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
    _expected[threading.get_ident()] = (logged, message, fields, exc_info, place)


def severity(level: int) -> SeverityNumber:
    """The severity number of a level of :mod:`logging`: 10 is DEBUG (5), 50 and more FATAL (21)."""
    if level < logging.DEBUG:
        return SeverityNumber.TRACE
    return SeverityNumber(min(level // 10 * 4 + 1 + min(level % 10, 3), 24))


def _make(record: logging.LogRecord) -> Entry:
    try:
        message, given, exc_info = _read(record)
        clean = text if record.args else familiar
        fields = plain(given) if given else {}
        return _entry(record, clean(message, MESSAGE_LIMIT), fields, exc_info)
    except Exception as error:
        message = f"{record.name}:{record.lineno} [not readable: {type(error).__name__}]"
        return _entry(record, message, {}, None)


def _sound(record: logging.LogRecord) -> bool:
    """Whether what :mod:`logging` itself sets is there: anybody can make a record."""
    return (
        type(record.name) is str
        and type(record.levelname) is str
        and type(record.levelno) is int
        and type(record.created) is float
        and 0 <= record.created < _LATEST
    )


def _mend(record: Any) -> None:
    """Give ``record`` what it lacks, so that its message is not lost for it."""
    if not isinstance(record.name, str):
        record.name = shown(record.name)
    if not isinstance(record.levelno, int):
        record.levelno = logging.INFO
    if not isinstance(record.levelname, str):
        record.levelname = logging.getLevelName(record.levelno)
    created = record.created
    if not isinstance(created, (int, float)) or not 0 <= created < _LATEST:
        record.created = time.time()


def _entry(record: logging.LogRecord, message: str, fields: dict[str, Any], exc_info: Any) -> Entry:
    sent = LogRecord(
        timestamp=int(record.created * 1e9),
        severity_text=_SEVERITY_TEXTS.get(record.levelname) or valid(record.levelname),
        severity_number=_SEVERITIES.get(record.levelno) or severity(record.levelno),
        body=message,
    )
    request_id = None
    bound = context.bound(sent.context)
    if bound:
        request_id = bound.get(semconv.REQUEST_ID)
        for name, value in bound.items():
            if name != semconv.REQUEST_ID:
                fields.setdefault(name, list(value) if isinstance(value, tuple) else value)
    request = correlation.request.get()
    if request is not None:
        request_id = request_id or request.id
        if not sent.trace_id:
            request.claim(sent)
    return Entry(sent, fields, request_id, _raised(exc_info) if exc_info else None)


def _read(record: logging.LogRecord) -> tuple[str, Mapping[Any, Any], Any]:
    """Message, fields and exception of ``record``, as the application gave them."""
    if _expected:
        expected = _expected.pop(threading.get_ident(), None)
        if expected is not None and expected[0] is record.msg:
            _logged, message, fields, exc_info, place = expected
            record.pathname, record.lineno, record.funcName = place
            return message, fields, exc_info or record.exc_info
    own = record.__dict__
    given: Mapping[Any, Any] | None = own.get(FIELDS)
    more = len(own) - _PLAIN_SIZE
    if given is None:
        given = _extra(own) if more else _NOTHING
    elif more not in (1, 1 + len(given)):  # a filter has added some since
        given = _extra(own) | dict(given)
    if record.name in servers.ACCESS:
        given = {**given, **servers.access(record)}
    if record.stack_info:
        given = {**given, "stack_info": record.stack_info}
    return _message(record), given, record.exc_info


def _extra(own: dict[str, Any]) -> dict[str, Any]:
    return {key: own[key] for key in own if key not in _NO_FIELDS}


def _message(record: logging.LogRecord) -> str:
    message = record.msg
    try:
        if type(message) is not str:
            return record.getMessage()
        return message % record.args if record.args else message
    except Exception as error:
        return f"{shown(message)} {shown(record.args)} [not formatted: {type(error).__name__}]"


def _raised(exc_info: Any) -> Raised | None:
    error = exc_info[1] if isinstance(exc_info, tuple) and len(exc_info) == 3 else exc_info
    if not isinstance(error, BaseException):
        return None
    return Raised(
        valid(_exceptions.error_type(error)),
        valid(_exceptions.message(error)),
        valid(_exceptions.stack(error)),
    )
