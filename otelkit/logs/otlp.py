"""Log records as OTLP: a handler on the OpenTelemetry logs API.

The packaged handler raises into the application (``log.info("bad %d", "x")``) and feeds on the
lines of its own exporter; this one does neither, and its attributes have the same names.
"""

from __future__ import annotations

import logging
import os
import threading
from typing import Any

from opentelemetry._logs import Logger, LoggerProvider
from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from otelkit import semconv
from otelkit.logs import entry
from otelkit.logs.quiet import QuietHandler
from otelkit.logs.values import FIELD_LIMIT, FIELDS_LIMIT, valid
from otelkit.settings import Settings

# What an exporter itself writes while it sends; exporting that would never end.
_EXPORTERS = ("opentelemetry", "grpc", "hpack")
_CLIENTS = ("urllib3", "requests")  # an application uses them, too
_LOGGERS_LIMIT = 10_000
_MOST_ATTRIBUTES = FIELDS_LIMIT + 10

_emitting: set[int] = set()  # threads
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_emitting.clear)


class OtlpHandler(QuietHandler):
    """Emits every record on the logger of ``provider`` that has the record's logger name.

    Args:
        provider: Of the application; never flushed or shut down here.
        settings: ``log_attribute_count_limit``: fields beyond it are dropped;
            ``log_attribute_length_limit``: longer text is cut.
    """

    output = "OTLP"

    def __init__(self, provider: LoggerProvider, settings: Settings) -> None:
        super().__init__()
        self._provider = provider
        self._count = settings.log_attribute_count_limit
        self._length = settings.log_attribute_length_limit
        # What a value can be long at most; the stack of an exception is cut in any case.
        self._bounded = self._count >= _MOST_ATTRIBUTES and self._length >= FIELD_LIMIT + 64
        self._loggers: dict[str, Logger] = {}

    def handle(self, record: logging.LogRecord) -> bool:
        """Emit ``record``, without the lock of ordinary handlers: the provider has its own."""
        thread = threading.get_ident()
        # What is logged while emitting on this thread would come back here without end.
        if thread in _emitting:
            return False
        _emitting.add(thread)
        try:
            logger = self._loggers.get(record.name) or self._logger(record.name)
            if logger is not None:
                made = entry.of(record)
                attributes = {
                    semconv.CODE_FILE_PATH: valid(record.pathname or ""),
                    semconv.CODE_FUNCTION_NAME: record.funcName,
                    semconv.CODE_LINE_NUMBER: record.lineno,
                    **made.fields,
                }
                if made.raised or made.request_id or not self._bounded:
                    attributes = self._completed(attributes, made)
                made.sent.attributes = attributes
                logger.emit(made.sent)
        except Exception:
            self.handleError(record)
        finally:
            _emitting.discard(thread)
        return True

    def _logger(self, name: str) -> Logger | None:
        root = name.partition(".")[0]
        if root in _EXPORTERS or (root in _CLIENTS and not is_instrumentation_enabled()):
            return None
        logger = self._provider.get_logger(valid(name))
        if len(self._loggers) < _LOGGERS_LIMIT and root not in _CLIENTS:
            self._loggers[name] = logger
        return logger

    def _completed(self, attributes: dict[str, Any], made: entry.Entry) -> dict[str, Any]:
        if made.raised:
            attributes[semconv.EXCEPTION_TYPE] = made.raised.type
            attributes[semconv.EXCEPTION_MESSAGE] = made.raised.message
            attributes[semconv.EXCEPTION_STACKTRACE] = made.raised.stack
        if made.request_id:
            attributes[semconv.REQUEST_ID] = made.request_id
        if self._bounded and not made.raised:
            return attributes
        # The SDK logs and warns about what it cuts and drops itself, for every single record.
        cut = {
            name: value[: self._length] if type(value) is str else value
            for name, value in attributes.items()
        }
        while len(cut) > self._count:
            cut.popitem()
        return cut
