"""What is said of an LLM call before it runs: the decorator's arguments, and the request's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind
from opentelemetry.util.types import AttributeValue

from otelkit import instruments, pricing, semconv
from otelkit.context import Scope, scope, valid
from otelkit.decorators import _content
from otelkit.decorators._llm_call import LlmCall
from otelkit.decorators._llm_series import Series
from otelkit.decorators._operation import Operation, present, remember
from otelkit.decorators._state import state
from otelkit.decorators._untraced import UntracedLlmCall
from otelkit.usage import Reply

_MODEL_ARGUMENTS = ("model", "model_id", "modelId", "model_name")
_REQUEST_ARGUMENTS: dict[str, tuple[str, tuple[type, ...]]] = {
    "temperature": (semconv.REQUEST_TEMPERATURE, (int, float)),
    "top_p": (semconv.REQUEST_TOP_P, (int, float)),
    "max_tokens": (semconv.REQUEST_MAX_TOKENS, (int,)),
    "max_completion_tokens": (semconv.REQUEST_MAX_TOKENS, (int,)),
    "max_output_tokens": (semconv.REQUEST_MAX_TOKENS, (int,)),
    "seed": (semconv.REQUEST_SEED, (int,)),
    "stream": (semconv.REQUEST_STREAM, (bool,)),
}
_INT64 = 2**63  # what OTLP can carry
_MESSAGE_ARGUMENTS = ("messages", "input", "contents", "prompt")
_SYSTEM_ARGUMENTS = ("system", "instructions", "system_instruction")


class LlmOperation(Operation):
    """What ``traced_llm`` says of its calls.

    Args:
        operation: ``gen_ai.operation.name``.
        provider: ``gen_ai.provider.name``; None if unknown until the response.
        model: ``gen_ai.request.model`` where the call's arguments do not name one.
        attributes: As for :class:`Operation`.
        capture: As for :class:`Operation`.
        span_name: Instead of ``{operation} {model}``.
    """

    def __init__(
        self,
        operation: str,
        provider: str | None,
        model: str | None,
        attributes: Mapping[str, AttributeValue],
        *,
        capture: str | None = None,
        span_name: str | None = None,
    ) -> None:
        fixed = {semconv.OPERATION_NAME: operation, semconv.PROVIDER_NAME: provider, **attributes}
        super().__init__(
            "llm", model or operation, operation, present(fixed), capture=capture,
            span_kind=SpanKind.CLIENT,
        )  # fmt: skip
        self.operation = operation
        self.provider = provider
        self.model = model
        self._fixed_name = span_name
        self.untraced = UntracedLlmCall(self)
        state.has_llm = True
        if state.live:
            pricing.preload()

    def _begin(self, parent: Context, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> LlmCall:
        around = scope(parent)
        given = self._given(args, kwargs)
        model = self.model
        if given:
            named = (valid(given[m]) for m in _MODEL_ARGUMENTS if type(given.get(m)) is str)
            model = next(named, model)
        name, attributes = self._start(model, around)
        if given and (request := _request_attributes(given)):
            attributes = {**attributes, **request}
        span = state.tracer.start_span(name, parent, self.span_kind, attributes)
        context = trace.set_span_in_context(span, parent)
        call = LlmCall(self, span, context, around, model)
        if given and span.is_recording():
            self._write_request(call, given, args, kwargs)
        return call

    def _given(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The call's arguments by name, defaults of the signature included."""
        given = dict(self.parameters.defaults)
        if args:
            names, args, kwargs = _content.without_object(self.parameters, args, kwargs)
            given.update(zip(names, args, strict=False))
        given.update(kwargs)
        return given

    def _start(self, model: str | None, around: Scope) -> tuple[str, dict[str, AttributeValue]]:
        """Span name and the attributes that are the same for every call like this one."""
        key: Any = (model, *around[:2])
        found: Any = self._span_sets.get(key)
        if found is None:
            more = {
                semconv.REQUEST_MODEL: model,
                semconv.WORKFLOW_NAME: around.workflow,
                semconv.AGENT_NAME: around.agent,
            }
            name = f"{self.operation} {model}" if model else self.operation
            found = self._fixed_name or name, {**self.attributes, **present(more)}
            remember(self._span_sets, key, found)
        return found  # type: ignore[no-any-return]

    def _write_request(
        self, call: LlmCall, given: Mapping[str, Any], args: Any, kwargs: Mapping[str, Any]
    ) -> None:
        if call.capture not in ("redacted", "full"):
            self.write_input(call, args, kwargs)
            return
        sent = next((given[n] for n in _MESSAGE_ARGUMENTS if given.get(n) is not None), None)
        messages = _content.encode_messages(sent, call.capture)
        if messages is None:
            self.write_input(call, args, kwargs)
        else:
            call.span.set_attribute(semconv.INPUT_MESSAGES, messages)
        system = next((given[n] for n in _SYSTEM_ARGUMENTS if given.get(n) is not None), None)
        if system is not None:
            call.span.set_attribute(
                semconv.SYSTEM_INSTRUCTIONS, _content.encode_system(system, call.capture)
            )

    def series(
        self, around: Scope, model: str | None, reply: Reply, outcome: str, error_type: str | None
    ) -> Series:
        """The series that a call is measured in."""
        provider = self.provider or reply.provider
        key: Any = (around[:2], provider, model, reply.model, outcome, error_type)
        found: Any = self._metric_sets.get(key)
        if found is None:
            call = present(
                {
                    semconv.OPERATION_NAME: self.operation,
                    semconv.PROVIDER_NAME: provider,
                    semconv.REQUEST_MODEL: model,
                    semconv.RESPONSE_MODEL: reply.model,
                    semconv.AGENT_NAME: around.agent,
                    semconv.WORKFLOW_NAME: around.workflow,
                    semconv.OUTCOME: outcome,
                    semconv.ERROR_TYPE: error_type,
                }
            )
            found = Series(
                call,
                {**call, semconv.TOKEN_TYPE: semconv.TOKEN_INPUT},
                {**call, semconv.TOKEN_TYPE: semconv.TOKEN_OUTPUT},
                instruments.llm_key(provider, model or reply.model, around.agent, around.workflow),
            )
            remember(self._metric_sets, key, found)
        return found  # type: ignore[no-any-return]


def _request_attributes(given: Mapping[str, Any]) -> dict[str, AttributeValue]:
    found = {}
    for argument, (name, types) in _REQUEST_ARGUMENTS.items():
        # Exact types: a bool is no temperature, and a client's NOT_GIVEN marker is no number.
        value = given.get(argument)
        if type(value) in types and (type(value) is not int or -_INT64 <= value < _INT64):
            found[name] = value
    return found
