"""Where every record goes besides the handlers of the application: OTLP, and the log file."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from otelkit.logs import counts, entry
from otelkit.logs.entry import Entry
from otelkit.logs.limit import KeptBack, RateLimit


class Outputs:
    """The handlers that get every record, whichever library it was logged with.

    Args:
        handlers: Each is given a record once.
        per_minute: How many identical records may pass in a minute; None for any number.
    """

    def __init__(self, handlers: Sequence[logging.Handler], per_minute: int | None) -> None:
        self._handlers = tuple(handlers)
        self._limit = RateLimit(per_minute) if per_minute is not None else None

    def take(self, record: logging.LogRecord, made: Entry) -> bool:
        """Write ``record``, whose entry is held, to every output.

        Returns:
            False when the rate limit keeps it from all outputs, the application's own included.
        """
        counts.records.add(record)
        if self._limit is not None:
            before = self._limit.passes(record, made.message)
            if before is None:
                counts.suppressed.add(record)
                return False
            if before:
                made.fields["otelkit.suppressed"] = before
        for handler in self._handlers:
            handler.handle(record)
        return True

    def write(self, record: logging.LogRecord, also: logging.Handler | None = None) -> bool:
        """Write a record that does not come from :mod:`logging`; as :meth:`take`.

        Args:
            record: Made by a bridge.
            also: A handler that gets it as well, unless it is suppressed.
        """
        made = entry.hold(record) or entry.of(record)
        try:
            passed = self.take(record, made)
            if passed and also is not None:
                also.handle(record)
            return passed
        finally:
            entry.release(record)

    def kept_back(self) -> list[KeptBack]:
        """What the rate limit kept back and nothing has said yet; whoever asks says it."""
        return self._limit.kept_back() if self._limit is not None else []

    def close(self) -> None:
        """Close the outputs."""
        for handler in self._handlers:
            handler.close()
