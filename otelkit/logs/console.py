"""The console: our handler on the root logger, and our format for the handlers of others."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any, TextIO, TypeGuard

from otelkit.logs import servers
from otelkit.logs.formatters import DetailedFormatter, JsonFormatter
from otelkit.logs.quiet import QuietHandler
from otelkit.settings import Settings


class ConsoleHandler(QuietHandler, logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to whatever ``sys.stderr`` is, except what another console handler has written."""

    output = "the console"

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    def emit(self, record: logging.LogRecord) -> None:
        """Write ``record`` unless a handler between its logger and the root has."""
        if sys.stderr is not None and not self._written(record):
            super().emit(record)

    def _written(self, record: logging.LogRecord) -> bool:
        logger: logging.Logger | None = logging.getLogger(record.name)
        while logger is not None:
            for handler in logger.handlers:
                if handler is not self and is_console(handler) and handler.level <= record.levelno:
                    return True
            logger = logger.parent if logger.propagate else None
        return False


class Console:
    """What ``OTELKIT_LOG_FORMAT`` says of the console, and how it was before.

    A format that is given applies to every console handler of the application and of its server.
    Without one, our handler is added where the root logger has none, and then servers follow it.
    """

    def __init__(self, settings: Settings, service: str) -> None:
        self._settings = settings
        self._service = service
        self.given = settings.log_format in ("json", "detailed")
        self.handler: ConsoleHandler | None = None
        self._before: dict[logging.StreamHandler[TextIO], logging.Formatter | None] = {}
        self._formatters: dict[tuple[bool, bool], logging.Formatter] = {}

    def attach(self) -> None:
        """Add our handler to the root logger, and give the others our format."""
        if self._settings.log_format == "off":
            return
        if self.given or not logging.root.handlers:
            self.handler = ConsoleHandler()
            self.handler.setFormatter(self._formatter(sys.stderr))
            logging.root.addHandler(self.handler)
        loggers = [logging.root, *logging.root.manager.loggerDict.values()]
        for logger in loggers:
            if isinstance(logger, logging.Logger):
                for handler in logger.handlers:
                    self.added(logger, handler)

    def keep(self) -> None:
        """Put our handler back where the application's own configuration removed it."""
        if self.handler is not None and self.handler not in logging.root.handlers:
            logging.root.addHandler(self.handler)

    def added(self, logger: logging.Logger, handler: logging.Handler) -> None:
        """Give ``handler``, now one of ``logger``'s, our format, if the format applies to it."""
        applies = self.given or (self.handler and logger.name in servers.LOGGERS)
        if applies and handler is not self.handler and is_console(handler):
            self._before.setdefault(handler, handler.formatter)
            handler.setFormatter(self._formatter(handler.stream))

    def instead_of(self, line: Any, stream: Any, record: logging.LogRecord, *, chosen: bool) -> Any:
        """The line of ``record`` in our format, if that applies and ``stream`` is a console.

        Args:
            line: Another library's own text or bytes of it.
            stream: Where that library prints it.
            record: The same as a record.
            chosen: Its look is the application's choice: only a format that is given goes over it.
        """
        applies = self.given or (self.handler is not None and not chosen)
        if not applies or not _is_standard(stream) or not isinstance(line, (str, bytes)):
            return line
        text = self._formatter(stream).format(record)
        return text if isinstance(line, str) else text.encode("utf-8", "backslashreplace")

    def detach(self) -> None:
        """Leave the console as it was."""
        if self.handler is not None:
            logging.root.removeHandler(self.handler)
            self.handler.close()
            self.handler = None
        for handler, formatter in self._before.items():
            if isinstance(handler.formatter, (JsonFormatter, DetailedFormatter)):
                handler.setFormatter(formatter)
        self._before.clear()

    def _formatter(self, stream: Any) -> logging.Formatter:
        terminal = _is_terminal(stream)
        encoding = str(getattr(stream, "encoding", None) or "utf-8")
        ascii_only = encoding.lower().replace("-", "") != "utf8"
        # Shared: on a terminal, it leaves out what the line before has said, whoever wrote that.
        if (terminal, ascii_only) not in self._formatters:
            self._formatters[terminal, ascii_only] = self._made(terminal, ascii_only)
        return self._formatters[terminal, ascii_only]

    def _made(self, terminal: bool, ascii_only: bool) -> logging.Formatter:
        kind = self._settings.log_format or ("detailed" if _is_terminal(sys.stderr) else "json")
        if kind == "detailed":
            colours = terminal and not os.environ.get("NO_COLOR")  # as no-color.org has it
            return DetailedFormatter(brief=terminal, colours=colours, ascii_only=ascii_only)
        return JsonFormatter(self._service, self._settings.environment, ascii_only=ascii_only)


def is_console(handler: logging.Handler) -> TypeGuard[logging.StreamHandler[TextIO]]:
    """Whether ``handler`` writes to standard output or standard error."""
    return isinstance(handler, logging.StreamHandler) and _is_standard(handler.stream)


def _is_standard(stream: Any) -> bool:
    """Whether ``stream`` is standard output or standard error, as text or bytes."""
    standard = (sys.stderr, sys.stdout, sys.__stderr__, sys.__stdout__)
    return stream is not None and any(
        stream is known or stream is getattr(known, "buffer", None) for known in standard
    )


def _is_terminal(stream: Any) -> bool:
    try:
        return bool(stream.isatty())
    except Exception:  # closed, or no stream at all
        return False
