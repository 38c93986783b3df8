"""A running LLM call: what its responses say, on its span and in the metrics."""

from __future__ import annotations

import time
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span
from opentelemetry.util.types import AttributeValue

from otelkit import _content, _genai, capture, instruments, pricing, semconv, usage
from otelkit._call import Call, note_failure, present
from otelkit._recorder import record
from otelkit.context import Scope, with_scope
from otelkit.usage import Reply, Stream, Usage

if TYPE_CHECKING:
    from otelkit._llm_operation import LlmOperation

_CONTENT = ("redacted", "full")


class LlmCall(Call):
    """What ``with otelkit.traced_llm(...) as call`` gives: the place to record responses.

    Attributes:
        span: The call's span.
    """

    __slots__ = (
        "_cost",
        "_first_chunk",
        "_model",
        "_reply",
        "_response",
        "_shared",
        "_stream",
        "covered",
    )

    operation: LlmOperation

    def __init__(
        self,
        operation: LlmOperation,
        span: Span,
        context: Context,
        around: Scope,
        model: str | None,
    ) -> None:
        self._model = model
        self._reply: Reply | None = None
        self._response: Any = None
        self._cost: pricing.Cost | None = None
        self._stream: Stream | None = None
        self._first_chunk: float | None = None
        self.covered = False  # the tokens are on an LLM span inside this one
        context, self._shared = _genai.share(context)
        super().__init__(operation, span, with_scope(around._replace(llm=self), context), around)

    def record(self, response: Any) -> None:
        """Take usage, model, id, finish reasons, output and cost from ``response``.

        Args:
            response: A response of any client that :mod:`otelkit.usage` knows, or a plain dict of
                one. Anything else is ignored. Several different responses add up.
        """
        try:
            reply = usage.read(response)
            if reply is not None:
                self._response = response
                self._add(reply)
        except Exception:
            note_failure()

    def record_usage(self, **counts: Any) -> None:
        """Add tokens that no response shows; takes what :func:`otelkit.record_usage` does."""
        try:
            self._add(Reply(usage=Usage(**counts)))
        except Exception:
            note_failure()

    def chunk(self, value: Any) -> None:
        """See one chunk of a streamed response."""
        try:
            if self._stream is None:
                self._first_chunk = time.perf_counter() - self._started
                self._stream = Stream(
                    capture=self.capture in _CONTENT, max_bytes=_content.max_bytes
                )
            self._stream.feed(value)
        except Exception:
            note_failure()

    @property
    def given(self) -> LlmCall:
        """The call itself: responses are recorded on it."""
        return self

    def succeed(self, result: Any = None) -> Any:
        """Finish with ``result``; a stream is handed on, and finishes the call when it ends."""
        if not self._finished and result is not None:
            if self._reply is None:
                self.record(result)
            if self._reply is None and self._stream is None and _is_stream(result):
                from otelkit._stream import traced_stream

                self.detach()
                return traced_stream(result, self)
        return super().succeed(result)

    def encode_messages(self, messages: Any) -> str | None:
        """``messages`` as the conventions' JSON, within the budget; None if they are none."""
        return capture.encode_messages(
            messages, max_bytes=_content.max_bytes, redact=self.capture == "redacted"
        )

    def encode_system(self, system: Any) -> str:
        """System instructions as the conventions' JSON: a list of parts."""
        parts = [{"type": "text", "content": system}] if isinstance(system, str) else system
        redact = self.capture == "redacted"
        return capture.encode(parts, max_bytes=_content.max_bytes, redact=redact).text

    def _add(self, reply: Reply) -> None:
        known = self._reply
        same = known is not None and reply.id is not None and reply.id == known.id
        if known is None or same:
            self._reply = reply
        else:
            self._reply = replace(_merged(reply, known), usage=_sum(known.usage, reply.usage))

    def _write_output(self, result: Any) -> None:
        if self.capture not in _CONTENT:
            super()._write_output(result)
            return
        said: Any = self._stream.messages() if self._stream is not None else None
        if said is None:
            said = usage.messages(self._response)
        if said is None and isinstance(result, str):
            said = [{"role": "assistant", "content": result}]
        encoded = self.encode_messages(said)
        if encoded is None:
            super()._write_output(result)
        else:
            self.span.set_attribute(semconv.OUTPUT_MESSAGES, encoded)

    def _known(self) -> Reply:
        """What all sources together say; an instrumented client saw every response."""
        own = self._reply
        if own is None and self._stream is not None:
            own = self._stream.reply()
        shared = _genai.reply(self._shared)
        if own is None or shared is None:
            return own or shared or Reply()
        return replace(_merged(own, shared), usage=shared.usage)

    def _settle(self) -> None:
        """Decide what the call used and cost, and write it on the span."""
        if self._stream is not None and self.span.is_recording():
            self._write_output(None)
        reply = self._known()
        if reply.usage is not None and self._around.llm is not None:
            self._around.llm.covered = True
        if self.covered:
            reply = replace(reply, usage=None)
        self._reply = reply
        self._cost = self._price(reply)
        if self.span.is_recording():
            self.span.set_attributes(self._reply_attributes())

    def _price(self, reply: Reply) -> pricing.Cost | None:
        if reply.usage is None:
            return None
        provider = self.operation.provider or reply.provider
        return pricing.cost(
            provider,
            reply.model,
            reply.usage,
            fallback_model=self._model,
            service_tier=reply.service_tier,
        )

    def _reply_attributes(self) -> dict[str, AttributeValue]:
        reply = self._reply or Reply()
        attributes: dict[str, Any] = {
            semconv.PROVIDER_NAME: reply.provider if self.operation.provider is None else None,
            semconv.RESPONSE_MODEL: reply.model,
            semconv.RESPONSE_ID: reply.id,
            semconv.RESPONSE_FINISH_REASONS: reply.finish_reasons or None,
            semconv.RESPONSE_TIME_TO_FIRST_CHUNK: self._first_chunk,
        }
        if reply.usage is not None:
            attributes[semconv.USAGE_INPUT_TOKENS] = reply.usage.input_tokens
            attributes[semconv.USAGE_OUTPUT_TOKENS] = reply.usage.output_tokens
            attributes[semconv.USAGE_CACHE_READ_TOKENS] = reply.usage.cache_read_tokens or None
            attributes[semconv.USAGE_CACHE_WRITE_TOKENS] = reply.usage.cache_write_tokens or None
            attributes[semconv.USAGE_REASONING_TOKENS] = reply.usage.reasoning_tokens or None
        if self._cost is not None:
            attributes[semconv.USAGE_COST_AMOUNT] = self._cost.amount
            attributes[semconv.USAGE_COST_CURRENCY] = "USD"
            attributes[semconv.USAGE_COST_SOURCE] = self._cost.source
        return present(attributes)

    def _measure(
        self, to: instruments.Instruments, seconds: float, outcome: str, error_type: str | None
    ) -> None:
        reply = self._reply or Reply()
        attributes = self.operation.llm_attributes(
            self._around, self._model, reply, outcome, error_type
        )
        record(to.operation_duration, seconds, attributes, self.context)
        if self._first_chunk is not None:
            record(to.time_to_first_chunk, self._first_chunk, attributes, self.context)
        if reply.usage is None:
            return
        for kind, count in (
            (semconv.TOKEN_INPUT, reply.usage.input_tokens),
            (semconv.TOKEN_OUTPUT, reply.usage.output_tokens),
        ):
            record(to.token_usage, count, {**attributes, semconv.TOKEN_TYPE: kind}, self.context)
        key = instruments.llm_key(
            self.operation.provider or reply.provider,
            self._model or reply.model,
            self._around.agent,
            self._around.workflow,
        )
        usd = self._cost.amount if self._cost is not None else None
        instruments.count_llm(key, reply.usage, usd)


def _is_stream(result: Any) -> bool:
    """Whether ``result`` yields chunks; asks its type only, so no code of its class runs."""
    kind = type(result)
    return hasattr(kind, "__next__") or hasattr(kind, "__anext__")


class UntracedLlmCall:
    """Stands in for :class:`LlmCall` where nothing is traced."""

    span = INVALID_SPAN

    def record(self, response: Any) -> None:
        """As :meth:`LlmCall.record`, to nowhere."""

    def record_usage(self, **counts: Any) -> None:
        """As :meth:`LlmCall.record_usage`, to nowhere."""


def _merged(first: Reply, second: Reply) -> Reply:
    """``first``, with what it leaves open taken from ``second``."""
    return Reply(
        usage=first.usage or second.usage,
        model=first.model or second.model,
        id=first.id or second.id,
        finish_reasons=first.finish_reasons or second.finish_reasons,
        provider=first.provider or second.provider,
        service_tier=first.service_tier or second.service_tier,
    )


def _sum(first: Usage | None, second: Usage | None) -> Usage | None:
    if first is None or second is None:
        return first or second
    both = [getattr(first, name) for name in _COUNTS], [getattr(second, name) for name in _COUNTS]
    counts = dict(zip(_COUNTS, map(sum, zip(*both, strict=True)), strict=True))
    costs = [one.cost for one in (first, second) if one.cost is not None]
    return Usage(**counts, cost=sum(costs) if costs else None)


_COUNTS = tuple(field.name for field in fields(Usage) if field.name != "cost")
