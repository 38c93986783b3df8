"""What is being collected of one reply, from one whole response or from the chunks of a stream."""

from __future__ import annotations

import json
import math
from typing import Any

from otelkit.usage._fields import text
from otelkit.usage._types import Reply, Usage

# What a part of a message costs beyond its text, so that empty parts cannot pile up either.
_PART_BYTES = 64
# The words of the GenAI conventions for what providers call otherwise. The official
# instrumentations translate the same way; OpenAI's own words stay.
_REASONS = {
    "cancelled": "error",
    "complete": "stop",
    "completed": "stop",
    "content_filtered": "content_filter",
    "end_turn": "stop",
    "failed": "error",
    "guardrail_intervened": "content_filter",
    "max_output_tokens": "length",
    "max_tokens": "length",
    "model_length": "length",
    "safety": "content_filter",
    "stop_sequence": "stop",
    "tool_use": "tool_call",
}
_CALL_REASONS = {"tool_calls": "tool_call", "function_call": "tool_call"}  # in messages only
# More choices than any API gives; a stream that numbers on and on is not followed.
_MAX_CHOICES = 256


class Draft:
    """The reply as far as it is known. The readers of the providers write to its fields.

    Args:
        output: Where the content goes; None keeps no content at all.
    """

    __slots__ = (
        "counters", "finish_reasons", "id", "known", "model", "output", "provider", "service_tier",
        "usage",
    )  # fmt: skip

    def __init__(self, output: Output | None = None) -> None:
        self.known = False
        self.provider: str | None = None
        self.model: str | None = None
        self.id: str | None = None
        self.usage: Usage | None = None
        self.service_tier: str | None = None
        self.finish_reasons: dict[int, str] = {}
        self.counters: dict[str, int] = {}
        self.output = output

    def identify(self, provider: str | None, model: object = None, id_: object = None) -> None:
        """Note that this is a reply, whose, and of which model; what is absent stays as it was."""
        self.known = True
        if provider is not None:
            self.provider = provider
        if model is not None:
            self.model = text(model) or self.model
        if id_ is not None:
            self.id = text(id_) or self.id

    def finish(self, reason: object, choice: object = 0) -> None:
        """Note why a choice ended."""
        if reason is not None and (said := text(reason)):
            number, said, known = _number(choice), said.lower(), self.finish_reasons
            if len(known) < _MAX_CHOICES or number in known:
                known[number] = _REASONS.get(said, said)

    def reply(self) -> Reply | None:
        """What is known so far; None when nothing was recognised."""
        if not self.known:
            return None
        reasons = self.finish_reasons
        if len(reasons) > 1:
            reasons = dict(sorted(reasons.items()))
        return Reply(
            self.usage,
            self.model,
            self.id,
            tuple(reasons.values()),
            self.provider,
            self.service_tier,
        )

    def messages(self) -> list[dict[str, Any]] | None:
        """The content as ``gen_ai.output.messages``; None when there is none."""
        return self.output.messages(self.finish_reasons) if self.output else None


class Output:
    """Output messages, put together from whole texts or fragments within a budget.

    Args:
        max_bytes: How much text (UTF-8) is kept at most; what comes later is dropped. Infinity
            for a whole response, whose text is in memory anyway.
    """

    __slots__ = ("_calls", "_choices", "_room")

    def __init__(self, max_bytes: float = math.inf) -> None:
        self._room = max_bytes
        self._choices: dict[int, list[_Part]] = {}
        self._calls: dict[tuple[int, object], _Part] = {}

    def say(self, content: object, *, kind: str = "text", choice: object = 0) -> None:
        """Add text, or with ``kind="reasoning"`` thinking, to the message of a choice."""
        said = text(content)
        if said is None or self._room <= 0:
            return
        parts = self._parts(choice)
        if not parts or parts[-1].kind != kind:
            parts.append(self._part(kind))
        parts[-1].fragments.append(self._fit(said))

    def call(
        self,
        key: object,
        *,
        id: object = None,
        name: object = None,
        arguments: object = None,
        choice: object = 0,
    ) -> None:
        """Add a tool call, or a further fragment of the arguments of the one with this ``key``.

        A key of None is a call of its own, given whole. So is one with another id under a key
        that was seen before: some servers number all parallel calls 0.
        """
        if self._room <= 0:
            return
        parts = self._parts(choice)
        place = (_number(choice), key)
        part = self._calls.get(place) if key is not None else None
        call_id = text(id)
        if part is None or (call_id and part.id and call_id != part.id):
            part = self._part("tool_call")
            parts.append(part)
            self._calls[place] = part
        if call_id and not part.id:
            part.id = self._fit(call_id)
        if (called := text(name)) and not part.name:
            part.name = self._fit(called)
        if arguments is not None and arguments != "":
            said = arguments if isinstance(arguments, str) else _json(arguments)
            part.fragments.append(self._fit(said))

    def messages(self, finish_reasons: dict[int, str]) -> list[dict[str, Any]] | None:
        """One message a choice, in the form of the GenAI semantic conventions."""
        messages: list[dict[str, Any]] = []
        for choice, parts in sorted(self._choices.items()):
            message: dict[str, Any] = {
                "role": "assistant",
                "parts": [part.content() for part in parts],
            }
            if reason := finish_reasons.get(choice):
                message["finish_reason"] = _CALL_REASONS.get(reason, reason)
            messages.append(message)
        return messages or None

    def _parts(self, choice: object) -> list[_Part]:
        return self._choices.setdefault(_number(choice), [])

    def _part(self, kind: str) -> _Part:
        self._room -= _PART_BYTES
        return _Part(kind)

    def _fit(self, said: str) -> str:
        if self._room == math.inf:
            return said
        size = len(said) if said.isascii() else len(said.encode("utf-8", "replace"))
        if size > self._room:
            kept = said.encode("utf-8", "replace")[: max(0, int(self._room))]
            said = kept.decode("utf-8", "ignore")
        self._room -= size
        return said


class _Part:
    """One part of a message while it grows."""

    __slots__ = ("fragments", "id", "kind", "name")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.id: str | None = None
        self.name: str | None = None
        self.fragments: list[str] = []

    def content(self) -> dict[str, Any]:
        said = "".join(self.fragments)
        if self.kind != "tool_call":
            return {"type": self.kind, "content": said}
        return {"type": "tool_call", "id": self.id, "name": self.name, "arguments": _parsed(said)}


def _number(choice: object) -> int:
    """The number of a choice; an API that has only one leaves it out."""
    return choice if isinstance(choice, int) else 0


def _json(arguments: object) -> str:
    return json.dumps(arguments, ensure_ascii=False, default=lambda _: None)


def _parsed(arguments: str) -> Any:
    """Arguments as the JSON they are meant to be, or as the text that came (models may err)."""
    if not arguments:
        return None
    try:
        return json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
