"""A running LLM call: what its responses say, on its span and in the metrics."""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any, TypeVar

from opentelemetry.context import Context
from opentelemetry.trace import Span

from otelkit import instruments, pricing, semconv, usage
from otelkit._recorder import later
from otelkit.context import Scope, with_scope
from otelkit.decorators import _content, _genai
from otelkit.decorators._call import Call
from otelkit.decorators._llm_reply import (
    NOTHING,
    Counted,
    added,
    attributes,
    by_id,
    merged,
    stated,
    tell_if_uncounted,
    uncounted,
    with_result,
)
from otelkit.decorators._llm_series import record
from otelkit.decorators._recorded import Recorded, is_stream
from otelkit.decorators._state import note_failure
from otelkit.usage import Reply, Stream

if TYPE_CHECKING:
    from otelkit.decorators._llm_operation import LlmOperation

T = TypeVar("T")
_CONTENT = ("redacted", "full")
NO_CONTEXT = Context()


class LlmCall(Call):
    """What ``with otelkit.traced_llm(...) as call`` gives: the place to record responses.

    Attributes:
        span: The call's span.
    """

    __slots__ = (
        "_cost",
        "_first_chunk",
        "_inside",
        "_measured_in",
        "_model",
        "_recorded",
        "_replies",
        "_reply",
        "_response",
        "_returned",
        "_shared",
        "_stream",
        "_yielded",
    )

    operation: LlmOperation
    sees_chunks = True

    def __init__(
        self,
        operation: LlmOperation,
        span: Span,
        context: Context,
        around: Scope,
        model: str | None,
    ) -> None:
        self._model = model
        # Added up only at the end: threads may record at the same time. None after that.
        self._replies: list[Reply] | None = []
        self._returned: Reply | None = None
        self._reply = NOTHING  # all together, at the end
        self._response: Any = None
        self._cost: pricing.Cost | None = None
        self._stream: Stream | None = None  # the first one recorded
        self._yielded: Stream | None = None
        self._recorded: list[Recorded] = []
        self._first_chunk: float | None = None
        self._inside: list[Counted] = []  # by LLM spans inside
        self._measured_in = context  # of the span alone: it does not keep this call alive
        context, self._shared = _genai.share(context)
        super().__init__(
            operation, span, with_scope(Scope(around.workflow, around.agent, self), context), around
        )

    def record(self, response: T) -> T:
        """Take usage, model, id, finish reasons, output and cost from ``response``.

        Args:
            response: A response of any client that :mod:`otelkit.usage` knows, or a plain dict of
                one; several different responses add up. Or a stream, or the manager of one:
                iterate or enter what is returned then. Anything else is ignored.

        Returns:
            ``response``; a stream or manager in a transparent proxy that reads along.
        """
        try:
            reply = usage.read(response)
            if reply is not None:
                self._response = response
                self.add(reply)
            elif is_stream(response) and not self._finished:
                return self._watch(response)
        except Exception:
            note_failure()
        return response

    def _watch(self, stream: T) -> T:
        from otelkit.decorators._stream import traced_stream

        collected = self._collector()
        if self._stream is None:
            self._stream = collected  # what it says is the call's output
        recorded = Recorded(self, collected)
        self._recorded.append(recorded)
        return traced_stream(stream, recorded)  # type: ignore[no-any-return]

    def record_usage(self, **counts: Any) -> None:
        """Add tokens that no response shows; takes what :func:`otelkit.record_usage` does."""
        try:
            usage = stated(**counts)
            if usage is not None:
                self.add(Reply(usage=usage))
        except Exception:
            note_failure()

    def chunk(self, value: Any) -> None:
        """See one chunk of the response, which is streamed."""
        if self._recorded and any(recorded.is_open for recorded in self._recorded):
            return  # it comes from there, and was seen
        if self._yielded is None:
            self._yielded = self._collector()
        self.see(self._yielded, value)

    def see(self, stream: Stream, value: Any) -> None:
        """See one chunk of a stream of this call."""
        try:
            if self._first_chunk is None:
                self._first_chunk = time.perf_counter() - self._started
            stream.feed(value)
        except Exception:
            note_failure()

    def _collector(self) -> Stream:
        return Stream(capture=self.capture in _CONTENT, max_bytes=_content.max_bytes)

    @property
    def given(self) -> LlmCall:
        """The call itself: responses are recorded on it."""
        return self

    def succeed(self, result: Any = None) -> Any:
        """Finish with ``result``; a stream is handed on, and finishes the call when it ends."""
        if not self._finished:
            try:
                if result is None:
                    self._write_recorded()
                elif (returned := usage.read(result)) is not None:
                    self._returned, self._response = returned, result
                elif self._yielded is None and is_stream(result):
                    from otelkit.decorators._stream import traced_stream

                    stream = traced_stream(result, self)
                    self.detach()
                    return stream
            except Exception:
                note_failure()
        return super().succeed(result)

    def _write_recorded(self) -> None:
        if self._response is not None and self.span.is_recording():
            self._write_output(self._response)

    def add(self, reply: Reply | None) -> None:
        """Take over what one of the call's responses says."""
        replies = self._replies
        if reply is not None and replies is not None:
            replies.append(reply)

    def _write_output(self, result: Any) -> None:
        if self.capture not in _CONTENT:
            super()._write_output(result)
            return
        said: Any = None
        for stream in (self._stream, self._yielded):
            if said is None and stream is not None:
                said = stream.messages()
        if said is None:
            said = usage.messages(self._response)
        if said is None and isinstance(result, str):
            said = [{"role": "assistant", "content": result}]
        encoded = _content.encode_messages(said, self.capture)
        if encoded is None:
            super()._write_output(result)
        else:
            self.span.set_attribute(semconv.OUTPUT_MESSAGES, encoded)

    def count_inside(self, counted: Counted) -> None:
        """Note what an LLM span inside has counted; it is not this call's, nor of those around."""
        call: LlmCall | None = self
        while call is not None:
            if not call._finished:
                call._inside.append(counted)
            call = call._around.llm

    def _known(self) -> dict[str | None, Reply]:
        """What all sources together say, by response; an instrumented client saw every one."""
        replies = list(self._replies or ())
        yielded = self._yielded.reply() if self._yielded is not None else None
        for result in (yielded, self._returned):
            if result is not None:
                replies = with_result(replies, result) if replies else [result]
        known = by_id(replies)
        shared = _genai.reply(self._shared)
        if shared is None:
            return known
        reply = merged(functools.reduce(added, known.values(), NOTHING), shared)
        return {reply.id: reply._replace(usage=shared.usage)}

    def _settle(self) -> None:
        """Decide what the call used and cost, and write it on the span."""
        for recorded in self._recorded:
            recorded.succeed()
        streamed = self._stream is not None or self._yielded is not None
        if streamed and self.span.is_recording():
            self._write_output(None)
        known = self._known()
        if streamed:
            tell_if_uncounted(known.values())
        if self._first_chunk is None and self._shared is not None:
            self._first_chunk = _genai.time_to_first_chunk(self._shared)
        if self._inside:
            known = uncounted(known, self._inside)
        if self._around.llm is not None:
            for one in known.values():
                if one.usage is not None:
                    self._around.llm.count_inside((one.id, one.usage))
        self._reply = reply = functools.reduce(added, known.values()) if known else NOTHING
        self._cost = self._price(reply)
        if self.span.is_recording():
            found = attributes(reply, self._cost)
            if self._first_chunk is not None:
                found[semconv.RESPONSE_TIME_TO_FIRST_CHUNK] = self._first_chunk
            if self.operation.provider is None and reply.provider is not None:
                found[semconv.PROVIDER_NAME] = reply.provider
            if found:
                self.span.set_attributes(found)

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

    def _measure(
        self, to: instruments.Instruments, seconds: float, outcome: str, error_type: str | None
    ) -> None:
        reply = self._reply
        series = self.operation.series(self._around, self._model, reply, outcome, error_type)
        usd = self._cost.amount if self._cost is not None else None
        later(record, to, series, seconds, self._first_chunk, reply.usage, usd, self._measured_in)

    def _finish(self, outcome: str, error_type: str | None = None) -> None:
        super()._finish(outcome, error_type)
        around = self._around.llm
        while around is not None and around._finished:
            around = around._around.llm
        if around is not self._around.llm:
            # Those that have ended must not add up where each has started the task of the next.
            self._around = self._around._replace(llm=around)
        self._response = self._returned = self._stream = self._yielded = self._replies = None
        self._recorded, self._inside = [], []
        # The context knows this call as its scope's: kept, only the garbage collector would end it.
        self.context = self._measured_in = NO_CONTEXT
