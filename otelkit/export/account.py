"""What became of the items of one signal at one destination: each is counted once."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

from otelkit.export.exporter import Answer

UNITS = {"traces": "spans", "metrics": "data points", "logs": "log records"}  # of what is counted


def said(number: int, signal: str) -> str:
    """``number`` items of ``signal``, such as ``1 span`` or ``2 log records``."""
    unit = UNITS[signal]
    return f"{number} {unit.removesuffix('s') if number == 1 else unit}"


@dataclass(frozen=True)
class Counts:
    """An account at one moment. The sum is what has ended in this process since ``setup()``.

    Attributes:
        sent: Taken by the receiver; also what was spooled here and removed by another process. If
            it was refused there, or dropped for room, a warning of that process says so.
        failed: Refused for good, not encodable, or tried in vain until the end.
        dropped: Never tried: no room, no time, or out of date.
        spooled: On disk, to be sent by this process or another.
        queued: In memory.
    """

    sent: int = 0
    failed: int = 0
    dropped: int = 0
    spooled: int = 0
    queued: int = 0

    @property
    def lost(self) -> int:
        """Items that will never arrive."""
        return self.failed + self.dropped

    @property
    def delivered(self) -> bool:
        """Whether everything has arrived."""
        return not (self.lost or self.spooled or self.queued)


class Account:
    """The counts of one queue, changed under one lock.

    Attributes:
        lock: Held while items move; re-entrant, since a signal handler may interrupt its holder.
        recovered: Items of other processes, found on disk and delivered.
        ever_spooled: Items that went to disk, whatever became of them later.
        dropped: Items taken in and never tried.
        turned_away: Items for which there was no room, or that came too late; dropped as well.
        last_success: Unix time of the last accepted request.
        last_error: What the last failed request met with.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.sent = self.failed = self.dropped = self.spooled = 0
        self.recovered = self.ever_spooled = self.turned_away = 0
        self.last_success: float | None = None
        self.last_error: str | None = None
        self._told = 0
        # An application's thread waits for nobody who holds the other lock while a disk is slow.
        self._door = threading.RLock()

    def counts(self, queued: int) -> Counts:
        """The account with ``queued`` items in memory; call it holding the lock."""
        dropped = self.dropped + self.turned_away
        return Counts(self.sent, self.failed, dropped, self.spooled, queued)

    def spool(self, items: int) -> None:
        """Counts items that are on disk now; call it holding the lock."""
        self.spooled += items
        self.ever_spooled += items

    def left_disk(self, items: int, delivered: bool) -> None:
        """Counts spooled items that somebody else has delivered, or that were dropped for room."""
        with self.lock:
            self.spooled -= items
            if delivered:
                self.sent += items
            else:
                self.dropped += items

    def newly_lost(self) -> int:
        """Items lost since the last call."""
        with self.lock:
            lost = self.failed + self.dropped + self.turned_away
            fresh, self._told = lost - self._told, lost
            return fresh

    def settle(self, items: int, answer: Answer) -> None:
        """Counts a batch that will not be tried again; call it holding the lock."""
        accepted = items - answer.rejected if answer.outcome == "sent" else 0
        self.sent += accepted
        self.failed += items - accepted
        if accepted:
            self.last_success = time.time()

    def settle_stored(self, items: int, answer: Answer, *, own: bool) -> None:
        """As :meth:`settle`, for items that leave the disk: this process's own, or of another."""
        if own:
            self.spooled -= items
            self.settle(items, answer)
        elif answer.outcome == "sent":
            self.recovered += items - answer.rejected

    def turn_away(self) -> None:
        """Counts an item that was not taken in."""
        with self._door:
            self.turned_away += 1

    def last(self) -> dict[str, Any]:
        """The last events."""
        return {"last_success": self.last_success, "last_error": self.last_error}
