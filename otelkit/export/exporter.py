"""What a destination must be able to do, and the words it answers with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Protocol


class Batch(NamedTuple):
    """What one request carries."""

    size: int  # in items
    payload: Any


class Answer(NamedTuple):
    """What became of one request: ``retry`` may succeed later, ``failed`` never will."""

    outcome: Literal["sent", "retry", "failed", "too_large"]
    error: str = ""
    retry_after: float | None = None  # seconds
    rejected: int = 0  # items that the receiver did not take of a batch it took


class Exporter(Protocol):
    """Where a queue sends to. Used by one thread at a time."""

    endpoint: str

    def prepare(self, items: Sequence[Any]) -> tuple[list[Batch], int]:
        """Batches out of ``items``, and how many items could not be encoded. Never raises."""

    def send(self, batch: Batch, timeout: float) -> Answer:
        """Sends one batch within ``timeout`` seconds. Never raises."""

    def halve(self, batch: Batch) -> list[Batch]:
        """``batch`` in two parts, or nothing when it holds a single item."""

    def reset(self) -> None:
        """Forgets its connection: a forked child must not use its parent's."""

    def hold(self) -> None:
        """Lets no request be in flight until :meth:`release`: the process is about to fork."""

    def release(self) -> None:
        """Ends :meth:`hold`."""

    def speak_as(self, resource: Any) -> None:
        """Takes the resource to send in place of what the items say."""
