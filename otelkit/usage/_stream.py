"""Usage and content of a streamed reply, chunk by chunk."""

from __future__ import annotations

from typing import Any

from otelkit.usage._draft import Draft, Output
from otelkit.usage._read import feed
from otelkit.usage._types import Reply


class Stream:
    """Accumulates the chunks of one streamed reply: constant work a chunk, bounded memory.

    Usable by one consumer at a time, as the stream itself is.

    Args:
        capture: Whether content is kept at all, for :meth:`messages`.
        max_bytes: How much of it is kept at most, in bytes of UTF-8.
    """

    __slots__ = ("_draft",)

    def __init__(self, *, capture: bool = False, max_bytes: int = 8192) -> None:
        self._draft = Draft(Output(max_bytes) if capture else None)

    def feed(self, chunk: object) -> None:
        """Take in the next chunk or event. Never raises, whatever the object."""
        feed(self._draft, chunk)

    def reply(self) -> Reply | None:
        """What is known so far; None when no chunk was one of an LLM's reply."""
        return self._draft.reply()

    def messages(self) -> list[dict[str, Any]] | None:
        """The chunks joined to output messages; None without ``capture`` or without content."""
        return self._draft.messages()
