"""The base of otelkit's own handlers: a failure is counted and told once, never raised."""

from __future__ import annotations

import logging
import sys


class QuietHandler(logging.Handler):
    """A handler whose failures reach neither the application nor its standard error.

    Attributes:
        output: What it writes to, as the warning names it.
        failed: Records that could not be written.
        last_error: What the last of them met with.
    """

    output = "a handler"
    failed = 0
    last_error: str | None = None

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002 (logging's own)
        """Count a record that could not be written; the first failure is one warning."""
        error = sys.exc_info()[1]
        self.last_error = getattr(error, "strerror", None) or type(error).__name__
        self.failed += 1
        if self.failed == 1:
            logging.getLogger("otelkit").warning(
                "otelkit: a log record could not be written to %s (%s); "
                "further ones are only counted",
                self.output,
                type(error).__name__,
            )
