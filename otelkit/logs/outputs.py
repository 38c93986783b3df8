"""Where every record goes besides the handlers of the application: OTLP, and the log file."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from otelkit.logs import entry


class Outputs:
    """The handlers that get every record, whichever library it was logged with.

    Args:
        handlers: Each is given a record once.
    """

    def __init__(self, handlers: Sequence[logging.Handler]) -> None:
        self.handlers = tuple(handlers)

    def take(self, record: logging.LogRecord) -> bool:
        """Write ``record`` to every output, unless it has been here before.

        Returns:
            Whether it was written; its entry is to be released then, when all else is done.
        """
        if not entry.hold(record):
            return False
        for handler in self.handlers:
            handler.handle(record)
        return True

    def close(self) -> None:
        """Close the outputs that are our own to close."""
        for handler in self.handlers:
            handler.close()
