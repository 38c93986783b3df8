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

    def take(self, record: logging.LogRecord) -> None:
        """Write ``record`` to every output; quietly nothing when it has been here before."""
        if entry.known(record):
            return
        entry.of(record)
        for handler in self.handlers:
            handler.handle(record)

    def close(self) -> None:
        """Close the outputs that are our own to close."""
        for handler in self.handlers:
            handler.close()
