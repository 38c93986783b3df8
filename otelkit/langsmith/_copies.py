"""The copy of a span that LangSmith gets: its own attributes, parents and trace."""

from __future__ import annotations

import json
from typing import Any

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TraceFlags
from opentelemetry.util.types import Attributes

from otelkit import pricing, semconv
from otelkit.langsmith import _content, _native
from otelkit.langsmith._kinds import CHAIN, MODEL_CALLS, kind_of, name_of
from otelkit.langsmith._plan import Plan
from otelkit.langsmith._runs import Run
from otelkit.redaction import scrub
from otelkit.settings import Settings
from otelkit.usage import Usage

OWN = "otelkit"  # the scope of spans made by decorators
_EXCEPTION = "exception"
_USAGE = "gen_ai.usage."
_TOKENS = (  # in the order of Usage
    semconv.USAGE_INPUT_TOKENS,
    semconv.USAGE_OUTPUT_TOKENS,
    semconv.USAGE_CACHE_READ_TOKENS,
    semconv.USAGE_CACHE_WRITE_TOKENS,
    semconv.USAGE_REASONING_TOKENS,
)


class Copies:
    """Writes spans for LangSmith; the span itself is never changed.

    Args:
        settings: The capture mode, the environment.
        plan: What is hidden.
        project: Written on every run; None where a header says it.
    """

    def __init__(self, settings: Settings, plan: Plan, project: str | None) -> None:
        self._plan = plan
        self._capture = settings.capture
        self._max_bytes = settings.capture_max_bytes
        self._environment = settings.environment
        self._project = project

    def sent(self, run: Run, span: ReadableSpan) -> ReadableSpan:
        """The copy that goes to LangSmith alone."""
        attributes = self._attributes(run, span)
        _content.drop_sources(attributes)
        attributes.pop(semconv.LANGSMITH_RUN_URL, None)
        parent = _context(run, run.above.span_id) if run.above is not None else None
        return self._copy(span, _context(run, run.span_id), parent, attributes)

    def stamped(self, run: Run, span: ReadableSpan) -> ReadableSpan:
        """A copy in its place, which says by attributes alone where it hangs in LangSmith."""
        attributes = self._attributes(run, span)
        if run.parent_id is None:
            attributes[semconv.LANGSMITH_IS_ROOT] = True
        return self._copy(span, span.context, span.parent, attributes)

    def _attributes(self, run: Run, span: ReadableSpan) -> dict[str, Any]:
        attributes = dict(span.attributes or {})
        kind = kind_of(attributes)
        if kind in MODEL_CALLS and _native.called_model(run):
            kind = CHAIN  # a run inside has the tokens of this call
        if not _is_own(span):
            _content.protect(attributes, self._capture, self._max_bytes)
        if self._plan.hides_inputs or self._plan.hides_outputs:
            _content.hide(
                attributes, inputs=self._plan.hides_inputs, outputs=self._plan.hides_outputs
            )
        _content.write(attributes)
        if kind in MODEL_CALLS:
            if usage := _usage(attributes):
                attributes[semconv.LANGSMITH_USAGE] = usage
        else:
            # Agents of other libraries carry sums, which LangSmith would count again.
            for name in [name for name in attributes if name.startswith(_USAGE)]:
                del attributes[name]
        more = {
            semconv.LANGSMITH_KIND: kind,
            semconv.LANGSMITH_NAME: attributes.get(semconv.LANGSMITH_NAME)
            or name_of(attributes, span.name),
            semconv.LANGSMITH_PROJECT: self._project,
            semconv.LANGSMITH_TRACE_ID: run.trace_id,
            semconv.LANGSMITH_RUN_ID: run.id,
            semconv.LANGSMITH_PARENT_ID: run.parent_id,
            semconv.LANGSMITH_ORDER: run.order,
            semconv.LANGSMITH_TAGS: _tags(attributes),
            **self._metadata(run, attributes),
        }
        attributes.update((name, value) for name, value in more.items() if value is not None)
        return attributes

    def _metadata(self, run: Run, attributes: dict[str, Any]) -> dict[str, Any]:
        model = attributes.get(semconv.RESPONSE_MODEL) or attributes.get(semconv.REQUEST_MODEL)
        found = {
            "ls_provider": attributes.get(semconv.PROVIDER_NAME),
            "ls_model_name": model,
            "thread_id": attributes.get(semconv.CONVERSATION_ID),
            "user_id": attributes.get(semconv.USER_ID),
            "environment": self._environment,
            "otel_trace_id": f"{run.otel_trace_id:032x}",
            # LangSmith knows success and failure; these are neither.
            "cancelled": attributes.get(semconv.CANCELLED),
            "stopped_early": attributes.get(semconv.STOPPED_EARLY),
        }
        return {f"{semconv.LANGSMITH_METADATA}{key}": value for key, value in found.items()}

    def _copy(
        self,
        span: ReadableSpan,
        context: SpanContext | None,
        parent: SpanContext | None,
        attributes: dict[str, Any],
    ) -> ReadableSpan:
        protected = self._capture != "full" and not _is_own(span)
        return ReadableSpan(
            name=span.name,
            context=context,
            parent=parent,
            resource=span.resource,
            attributes=attributes,
            events=self._events(span, protected),
            links=[_scrubbed_link(link) for link in span.links] if protected else span.links,
            kind=span.kind,
            status=_scrubbed_status(span.status) if protected else span.status,
            start_time=span.start_time,
            end_time=span.end_time,
            instrumentation_scope=span.instrumentation_scope,
        )

    def _events(self, span: ReadableSpan, protected: bool) -> list[Event]:
        """The span's events; an exception exactly where it failed, since that alone marks a run."""
        failed = span.status.status_code is StatusCode.ERROR
        events = [event for event in span.events if failed or event.name != _EXCEPTION]
        # Other events may hold content, and each library has names of its own for it.
        withheld = protected and self._capture in _content.WITHHELD
        if withheld or self._plan.hides_inputs or self._plan.hides_outputs:
            events = [event for event in events if event.name == _EXCEPTION]
        if protected:
            events = [_scrubbed(event) for event in events]
        if failed and all(event.name != _EXCEPTION for event in events):
            events.append(_exception(span))
        return events


def _is_own(span: ReadableSpan) -> bool:
    return span.instrumentation_scope is not None and span.instrumentation_scope.name == OWN


def _context(run: Run, span_id: int) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED)
    return SpanContext(run.sent_trace_id, span_id, is_remote=False, trace_flags=flags)


def _usage(attributes: dict[str, Any]) -> str | None:
    """Tokens and cost as LangSmith wants them; None where the span knows no tokens."""
    counts = [attributes.get(name) for name in _TOKENS]
    if not any(isinstance(count, int) for count in counts):
        return None
    tokens = Usage(*(count if isinstance(count, int) else 0 for count in counts))
    input_details = {
        "cache_read": tokens.cache_read_tokens,
        "cache_creation": tokens.cache_write_tokens,
    }
    usage: dict[str, Any] = {
        "input_tokens": tokens.input_tokens,
        "output_tokens": tokens.output_tokens,
        "total_tokens": tokens.input_tokens + tokens.output_tokens,
        "input_token_details": {key: count for key, count in input_details.items() if count},
    }
    if tokens.reasoning_tokens:
        usage["output_token_details"] = {"reasoning": tokens.reasoning_tokens}
    return json.dumps({**usage, **_cost(attributes, tokens)})


def _cost(attributes: dict[str, Any], tokens: Usage) -> dict[str, float]:
    amount = attributes.get(semconv.USAGE_COST_AMOUNT)
    if not isinstance(amount, (int, float)):
        return {}
    cost = {"total_cost": float(amount)}
    if attributes.get(semconv.USAGE_COST_SOURCE) == "local":
        priced = pricing.cost(
            attributes.get(semconv.PROVIDER_NAME),
            attributes.get(semconv.RESPONSE_MODEL),
            tokens,
            fallback_model=attributes.get(semconv.REQUEST_MODEL),
        )
        # Another tier, or another price since: then only the whole is known.
        if priced is not None and priced.amount == amount and priced.input is not None:
            cost |= {"input_cost": priced.input, "output_cost": priced.output or 0.0}
    return cost


def _tags(attributes: dict[str, Any]) -> str | None:
    """The bound tags, separated by commas, which therefore no tag may have."""
    tags = attributes.get(semconv.TAGS)
    if not isinstance(tags, (list, tuple)) or not tags:
        return None
    return ",".join(str(tag).replace(",", " ") for tag in tags)


def _exception(span: ReadableSpan) -> Event:
    kind = str((span.attributes or {}).get(semconv.ERROR_TYPE) or "Error")
    message = scrub(span.status.description or kind)
    attributes = {semconv.EXCEPTION_TYPE: kind, semconv.EXCEPTION_MESSAGE: message}
    return Event(_EXCEPTION, attributes, span.end_time)


def _scrubbed(event: Event) -> Event:
    return Event(event.name, _without_secrets(event.attributes), event.timestamp)


def _scrubbed_link(link: Link) -> Link:
    return Link(link.context, _without_secrets(link.attributes))


def _scrubbed_status(status: Status) -> Status:
    return Status(status.status_code, status.description and scrub(status.description))


def _without_secrets(attributes: Attributes) -> dict[str, Any]:
    return {name: _content.scrubbed(value) for name, value in (attributes or {}).items()}
