"""The rate limit of identical lines."""

from __future__ import annotations

import logging
from typing import NamedTuple

WINDOW = 60.0  # seconds
LINES_LIMIT = 1_000  # different lines that are watched at the same time
_SHOWN = 200  # characters of a line that was kept back


class KeptBack(NamedTuple):
    """How many identical lines of a logger were kept back."""

    number: int
    logger: str
    level: int
    line: str  # its beginning


class RateLimit:
    """Lets a line through so many times a minute; the next one after says how many were not.

    Lines are identical when logger, level and message are. There is no lock that a fork could copy
    while it is held: threads that log a line at the same moment may get one too many through.

    Args:
        per_minute: How many identical lines may pass.
    """

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._seen: dict[tuple[str, int, int], _Line] = {}

    def passes(self, record: logging.LogRecord, message: str) -> int | None:
        """Whether ``record`` may pass.

        Returns:
            None when it may not; else the number of identical lines suppressed before it.
        """
        key = (record.name, record.levelno, hash(message))
        line = self._seen.get(key)
        if line is None:
            if len(self._seen) >= LINES_LIMIT:
                self._seen.pop(next(iter(tuple(self._seen))), None)  # first seen longest ago
            line = self._seen.setdefault(key, _Line(record.created, message[:_SHOWN]))
        suppressed = 0
        if record.created - line.since >= WINDOW:
            suppressed, line.since, line.count = line.over(self._per_minute), record.created, 0
        line.count += 1
        return suppressed if line.count <= self._per_minute else None

    def kept_back(self) -> list[KeptBack]:
        """What was kept back and nothing has said yet; whoever asks says it."""
        found = []
        for (logger, level, _), line in list(self._seen.items()):
            if number := line.over(self._per_minute):
                line.count = self._per_minute
                found.append(KeptBack(number, logger, level, line.shown))
        return found


class _Line:
    __slots__ = ("count", "shown", "since")

    def __init__(self, since: float, shown: str) -> None:
        self.since = since
        self.shown = shown
        self.count = 0

    def over(self, limit: int) -> int:
        return max(0, self.count - limit)
