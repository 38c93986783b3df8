"""What a destination must be able to do, and the words it answers with."""

# ruff: noqa: B027 - what follows send() does nothing where there is no connection

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple


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


class Exporter(ABC):
    """Where a queue sends to. One thread at a time prepares and sends; nothing here may raise.

    Attributes:
        endpoint: The address for people to read, without credentials.
        spoolable: The payload of a batch is ``bytes``, and may be sent by another process.
    """

    endpoint: str
    spoolable = False

    @abstractmethod
    def prepare(self, items: Sequence[Any]) -> tuple[list[Batch], int]:
        """Batches out of ``items``, and how many items could not be encoded."""

    @abstractmethod
    def send(self, batch: Batch, timeout: float) -> Answer:
        """Sends one batch within ``timeout`` seconds."""

    def halve(self, batch: Batch) -> list[Batch]:  # noqa: ARG002
        """``batch`` in two parts, or nothing when it cannot be divided."""
        return []

    def speak_as(self, resource: Any) -> None:
        """Takes the resource to send in place of what the items say."""

    def close(self) -> None:
        """Ends the connection."""

    def abort(self) -> None:
        """Makes a request that another thread is sending fail at once."""

    def reset(self) -> None:
        """Lets go of the connection: a forked child must not use its parent's."""
