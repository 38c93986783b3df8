"""The decorators, one for each kind of call.

Each works bare, with arguments, and as a context manager (sync and async), on functions of every
kind, on static and class methods, on ``functools.partial`` and other callable objects, and on
classes. Spans and attributes are those of the GenAI conventions, see :mod:`otelkit.semconv`.
They need only the OpenTelemetry API: until an application calls ``setup()`` they do nothing.

The body of a generator sees the context that its first step was made in: a ``bind()`` around later
ones is not seen inside. What it does to a ``ContextVar`` up to its first value, and by its end, its
caller sees, as context managers need it; what it does in between stays inside until the end.

Options they share:

- ``name``: of the workflow, stage, agent, tool or span; by default the function's or class's.
- ``attributes``: written on every span, beside those of the conventions.
- ``capture``: ``"off"``, ``"metadata"``, ``"redacted"``, ``"full"``; else ``OTELKIT_CAPTURE``.

All raise :class:`~otelkit.errors.ConfigError` at decoration if an option cannot be used, and
nothing at all when the decorated function is called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar, overload

from opentelemetry import context as otel_context
from opentelemetry.trace import Span, SpanKind
from opentelemetry.util.types import AttributeValue

from otelkit import semconv
from otelkit.context import scope
from otelkit.decorators import _options
from otelkit.decorators._llm_call import LlmCall
from otelkit.decorators._llm_operation import LlmOperation
from otelkit.decorators._operation import Operation, present
from otelkit.decorators._state import configure, prepare
from otelkit.decorators._traced import Target, Traced
from otelkit.errors import ConfigError

__all__ = [
    "configure",
    "prepare",
    "record_usage",
    "traced",
    "traced_agent",
    "traced_llm",
    "traced_stage",
    "traced_tool",
    "traced_workflow",
]

Capture = Literal["off", "metadata", "redacted", "full"]
Attributes = Mapping[str, AttributeValue]
T = TypeVar("T", bound=Target)
R = TypeVar("R")


@overload
def traced(target: T, /) -> T: ...
@overload
def traced(
    target: str | None = None,
    /,
    *,
    name: str | None = None,
    attributes: Attributes | None = None,
    capture: Capture | None = None,
) -> Traced[Span]: ...
def traced(
    target: Any = None,
    /,
    *,
    name: str | None = None,
    attributes: Attributes | None = None,
    capture: Capture | None = None,
) -> Any:
    """Trace a function or a block as a plain internal span, by its qualified name.

    Args:
        target: The function, or the name.
        name: See the module's shared options, as ``attributes`` and ``capture``.
        attributes: See above.
        capture: See above.
    """

    def make(name: str) -> Operation:
        return Operation("plain", name, name, attributes or {}, capture=capture)

    return _traced(make, target, name, attributes, capture, qualified=True)


@overload
def traced_workflow(target: T, /) -> T: ...
@overload
def traced_workflow(
    target: str | None = None,
    /,
    *,
    name: str | None = None,
    attributes: Attributes | None = None,
    capture: Capture | None = None,
    method: str | None = None,
) -> Traced[Span]: ...
def traced_workflow(
    target: Any = None,
    /,
    *,
    name: str | None = None,
    attributes: Attributes | None = None,
    capture: Capture | None = None,
    method: str | None = None,
) -> Any:
    """Trace a whole workflow: span ``invoke_workflow {name}``, and its duration as a metric.

    Stages, agents and LLM calls inside inherit its name.

    Args:
        target: The function, class or name.
        name: See the module's shared options, as ``attributes`` and ``capture``.
        attributes: See above.
        capture: See above.
        method: Of a class, the method that runs; ``run``, else ``__call__``, by default.
    """

    def make(name: str) -> Operation:
        own = {semconv.OPERATION_NAME: semconv.OPERATION_WORKFLOW, semconv.WORKFLOW_NAME: name}
        span_name = f"{semconv.OPERATION_WORKFLOW} {name}"
        return Operation(
            "workflow", name, span_name, {**own, **(attributes or {})}, capture=capture
        )

    return _traced(make, target, name, attributes, capture, method)


@overload
def traced_stage(target: T, /) -> T: ...
@overload
def traced_stage(
    target: str | None = None,
    /,
    *,
    name: str | None = None,
    attributes: Attributes | None = None,
    capture: Capture | None = None,
    method: str | None = None,
) -> Traced[Span]: ...
def traced_stage(
    target: Any = None,
    /,
    *,
    name: str | None = None,
    attributes: Attributes | None = None,
    capture: Capture | None = None,
    method: str | None = None,
) -> Any:
    """Trace a stage of a workflow: span ``stage {name}``, and its duration as a metric.

    Args:
        target: The function, class or name.
        name: See the module's shared options, as ``attributes`` and ``capture``.
        attributes: See above.
        capture: See above.
        method: As for :func:`traced_workflow`.
    """

    def make(name: str) -> Operation:
        own = {semconv.STAGE_NAME: name, **(attributes or {})}
        return Operation("stage", name, f"stage {name}", own, capture=capture)

    return _traced(make, target, name, attributes, capture, method)


@overload
def traced_agent(target: T, /) -> T: ...
@overload
def traced_agent(
    target: str | None = None,
    /,
    *,
    name: str | None = None,
    id: str | None = None,
    description: str | None = None,
    version: str | None = None,
    remote: bool = False,
    attributes: Attributes | None = None,
    capture: Capture | None = None,
    method: str | None = None,
) -> Traced[Span]: ...
def traced_agent(
    target: Any = None,
    /,
    *,
    name: str | None = None,
    id: str | None = None,
    description: str | None = None,
    version: str | None = None,
    remote: bool = False,
    attributes: Attributes | None = None,
    capture: Capture | None = None,
    method: str | None = None,
) -> Any:
    """Trace an agent: span ``invoke_agent {name}``, and its duration as a metric.

    LLM calls and tools inside inherit its name, so tokens and cost can be read by agent.

    Args:
        target: The function, class or name.
        name: See the module's shared options, as ``attributes`` and ``capture``.
        id: ``gen_ai.agent.id``.
        description: ``gen_ai.agent.description``.
        version: ``gen_ai.agent.version``.
        remote: The agent runs in another service; the span's kind is CLIENT then.
        attributes: See above.
        capture: See above.
        method: As for :func:`traced_workflow`; other methods of the class are left alone.
    """

    def make(name: str) -> Operation:
        own = {
            semconv.OPERATION_NAME: semconv.OPERATION_AGENT,
            semconv.AGENT_NAME: name,
            semconv.AGENT_ID: id,
            semconv.AGENT_DESCRIPTION: description,
            semconv.AGENT_VERSION: version,
            **(attributes or {}),
        }
        kind = SpanKind.CLIENT if remote else SpanKind.INTERNAL
        span_name = f"{semconv.OPERATION_AGENT} {name}"
        return Operation("agent", name, span_name, present(own), capture=capture, span_kind=kind)

    _options.text(id=id, description=description, version=version)
    return _traced(make, target, name, attributes, capture, method)


@overload
def traced_tool(target: T, /) -> T: ...
@overload
def traced_tool(
    target: str | None = None,
    /,
    *,
    name: str | None = None,
    type: Literal["function", "extension", "datastore"] = "function",
    description: str | None = None,
    call_id: str | None = None,
    attributes: Attributes | None = None,
    capture: Capture | None = None,
    method: str | None = None,
) -> Traced[Span]: ...
def traced_tool(
    target: Any = None,
    /,
    *,
    name: str | None = None,
    type: Literal["function", "extension", "datastore"] = "function",
    description: str | None = None,
    call_id: str | None = None,
    attributes: Attributes | None = None,
    capture: Capture | None = None,
    method: str | None = None,
) -> Any:
    """Trace a tool of an agent: span ``execute_tool {name}``, and its duration as a metric.

    Args:
        target: The function, class or name.
        name: See the module's shared options, as ``attributes`` and ``capture``.
        type: ``gen_ai.tool.type``.
        description: ``gen_ai.tool.description``.
        call_id: ``gen_ai.tool.call.id``, the id that the model gave this call.
        attributes: See above.
        capture: See above.
        method: As for :func:`traced_workflow`.
    """

    def make(name: str) -> Operation:
        own = {
            semconv.OPERATION_NAME: semconv.OPERATION_TOOL,
            semconv.TOOL_NAME: name,
            semconv.TOOL_TYPE: type,
            semconv.TOOL_DESCRIPTION: description,
            semconv.TOOL_CALL_ID: call_id,
            **(attributes or {}),
        }
        span_name = f"{semconv.OPERATION_TOOL} {name}"
        return Operation("tool", name, span_name, present(own), capture=capture)

    _options.one_of("type", type, ("function", "extension", "datastore"))
    _options.text(description=description, call_id=call_id)
    return _traced(make, target, name, attributes, capture, method)


@overload
def traced_llm(target: T, /) -> T: ...
@overload
def traced_llm(
    target: str | None = None,
    /,
    *,
    provider: str | None = None,
    model: str | None = None,
    operation: str = semconv.OPERATION_CHAT,
    name: str | None = None,
    attributes: Attributes | None = None,
    capture: Capture | None = None,
    method: str | None = None,
) -> Traced[LlmCall]: ...
def traced_llm(
    target: Any = None,
    /,
    *,
    provider: str | None = None,
    model: str | None = None,
    operation: str = semconv.OPERATION_CHAT,
    name: str | None = None,
    attributes: Attributes | None = None,
    capture: Capture | None = None,
    method: str | None = None,
) -> Any:
    """Trace a call of a language model: span ``{operation} {model}``, tokens, cost and metrics.

    Usage, model, id and finish reasons come out of what the function returns or yields: a response
    or a stream of any client that :mod:`otelkit.usage` knows, or a ``(result, usage)`` tuple. A
    returned stream, or manager of one, is handed on as it is and ends the span when it ends. For
    all else there are ``call.record(...)`` in a ``with`` block and :func:`record_usage`. Request
    attributes are read from the arguments: ``model``, ``temperature``, ``top_p``, ``max_tokens``,
    ``seed``, ``stream``, ``messages``.

    Args:
        target: The function, class, or name.
        provider: ``gen_ai.provider.name``, such as ``"openai"``; by default the response's.
        model: The requested model, where the call has no argument ``model``.
        operation: ``chat``, ``text_completion``, ``generate_content`` or ``embeddings``.
        name: The span's name instead of ``{operation} {model}``.
        attributes: See the module's shared options, as ``capture``.
        capture: See above.
        method: As for :func:`traced_workflow`.
    """
    fixed_name = target if isinstance(target, str) else name
    _options.text(provider=provider, model=model, operation=operation)
    if operation is None:
        raise ConfigError("operation is None: expected a string, such as 'chat'")

    def make(_: str) -> Operation:
        return LlmOperation(
            operation, provider, model, attributes or {}, capture=capture, span_name=fixed_name
        )

    return _traced(make, target, name, attributes, capture, method)


@overload
def record_usage(response: R, /) -> R: ...
@overload
def record_usage(
    *,
    input_tokens: int = 0,
    output_tokens: int = 0,
    cache_read_tokens: int = 0,
    cache_write_tokens: int = 0,
    reasoning_tokens: int = 0,
    cost: float | None = None,
) -> None: ...
def record_usage(
    response: Any = None,
    /,
    *,
    input_tokens: int = 0,
    output_tokens: int = 0,
    cache_read_tokens: int = 0,
    cache_write_tokens: int = 0,
    reasoning_tokens: int = 0,
    cost: float | None = None,
) -> Any:
    """Add a response to the LLM call that is running; or tokens, where otelkit cannot read it.

    For what a function traced by :func:`traced_llm` neither returns nor yields, such as a stream
    that is used up inside::

        with otelkit.record_usage(client.messages.stream(...)) as stream:
            yield from stream.text_stream

    Outside of :func:`traced_llm` there is no call to add to, and nothing happens.
    Numbers below 0, and what is no number, are left out with one warning; where a count of tokens
    is wrong all tokens given with it are, as the rest would look cheaper than it was.

    Args:
        response: As ``call.record()`` takes it.
        input_tokens: All that went in, cached ones included.
        output_tokens: All that came out, reasoning included.
        cache_read_tokens: The part of the input read from the provider's cache.
        cache_write_tokens: The part of the input written to it.
        reasoning_tokens: The part of the output that was reasoning.
        cost: In USD, if the provider reports it.

    Returns:
        ``response``; a stream or stream manager in a transparent proxy, to be used in its place.
    """
    call = scope(otel_context.get_current()).llm
    if call is None:
        return response
    if response is not None:
        return call.record(response)
    call.record_usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cache_read_tokens=cache_read_tokens,
        cache_write_tokens=cache_write_tokens,
        reasoning_tokens=reasoning_tokens,
        cost=cost,
    )
    return None


def _traced(
    make: Callable[[str], Operation],
    target: Any,
    name: str | None,
    attributes: Any,
    capture: Any,
    method: str | None = None,
    *,
    qualified: bool = False,
) -> Any:
    """Decorate ``target`` at once (bare), or give a decorator of that name."""
    named = isinstance(target, str)
    name = target if named else name
    _options.check(attributes, capture, name=name, method=method)
    if target is None or named:
        return Traced[Any](make, name, method, qualified=qualified)
    return Traced[Any](make, name, method, qualified=qualified)(target)
