"""Log records as OTLP: a handler on the OpenTelemetry logs API.

The packaged handler raises into the application (``log.info("bad %d", "x")``) and feeds on the
lines of its own exporter; this one does neither, and its attributes have the same names.
"""

from __future__ import annotations

import logging
import threading
from time import time_ns
from typing import Any

from opentelemetry._logs import Logger, LoggerProvider, LogRecord, SeverityNumber

from otelkit import semconv
from otelkit.logs import correlation, entry
from otelkit.logs.quiet import QuietHandler
from otelkit.settings import Settings

# What an exporter itself writes while it sends; exporting that would never end.
_EXPORTERS = ("opentelemetry", "urllib3", "requests", "grpc")
_LOGGERS_LIMIT = 10_000
_SEVERITY_TEXTS = {"WARNING": "WARN", "CRITICAL": "FATAL"}
_SEVERITIES = {number: SeverityNumber(number) for number in range(1, 25)}


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
        self._attribute_limit = settings.log_attribute_count_limit
        self._length_limit = settings.log_attribute_length_limit
        self._loggers: dict[str, Logger] = {}
        self._emitting = threading.local()

    def handle(self, record: logging.LogRecord) -> bool:
        """Emit ``record`` without the lock of ordinary handlers: the provider has its own."""
        # What is logged while emitting on this thread would come back here without end.
        if getattr(self._emitting, "now", False):
            return False
        self._emitting.now = True
        try:
            logger = self._loggers.get(record.name) or self._logger(record.name)
            if logger is not None:
                logger.emit(self._translated(record))
        except Exception:
            self.handleError(record)
        finally:
            self._emitting.now = False
        return True

    def _logger(self, name: str) -> Logger | None:
        if name.partition(".")[0] in _EXPORTERS:
            return None
        logger = self._provider.get_logger(entry.valid(name))
        if len(self._loggers) < _LOGGERS_LIMIT:
            self._loggers[name] = logger
        return logger

    def _translated(self, record: logging.LogRecord) -> LogRecord:
        made = entry.of(record)
        return LogRecord(
            timestamp=int(record.created * 1e9),
            observed_timestamp=time_ns(),
            context=correlation.here()[0],
            severity_number=severity(record.levelno),
            severity_text=_SEVERITY_TEXTS.get(record.levelname, record.levelname),
            body=made.message,
            attributes=self._attributes(record, made),
        )

    def _attributes(self, record: logging.LogRecord, made: entry.Entry) -> dict[str, Any]:
        attributes: dict[str, Any] = {
            semconv.CODE_FILE_PATH: entry.valid(record.pathname),
            semconv.CODE_FUNCTION_NAME: record.funcName,
            semconv.CODE_LINE_NUMBER: record.lineno,
        }
        if made.raised:
            attributes[semconv.EXCEPTION_TYPE] = made.raised.type
            attributes[semconv.EXCEPTION_MESSAGE] = made.raised.message
            attributes[semconv.EXCEPTION_STACKTRACE] = self._cut(made.raised.stack)
        if made.request_id:
            attributes[semconv.REQUEST_ID] = made.request_id
        # The SDK logs and warns about what it drops or cuts itself, for every single record.
        for name, value in made.fields.items():
            if len(attributes) >= self._attribute_limit:
                break
            attributes[name] = self._cut(value)
        return attributes

    def _cut(self, value: Any) -> Any:
        if type(value) is str and len(value) > self._length_limit:
            return value[: self._length_limit]
        return value


def severity(level: int) -> SeverityNumber:
    """The severity number of a level of :mod:`logging`: 10 is DEBUG (5), 50 and more FATAL (21)."""
    if level < logging.DEBUG:
        return SeverityNumber.TRACE
    return _SEVERITIES[min(level // 10 * 4 + 1 + min(level % 10, 3), 24)]
