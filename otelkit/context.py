"""What is in scope: names inherited from enclosing decorators, and what ``bind()`` holds.

Both live in OpenTelemetry's own context, so they travel wherever a span's context does: across
``await``, tasks, and (with the threading instrumentation) threads.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextvars import Token
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry import baggage
from opentelemetry import context as otel_context
from opentelemetry.context import Context, create_key

from otelkit import semconv
from otelkit._entered import Entered
from otelkit.errors import ConfigError

if TYPE_CHECKING:
    from otelkit.decorators._llm_call import LlmCall
    from otelkit.settings import Settings

_logger = logging.getLogger("otelkit")
_SCOPE_KEY = create_key("otelkit-scope")
_BOUND_KEY = create_key("otelkit-bound")
_LONGEST = 1_024  # characters of a value that is written on every span and record inside
_BAGGAGE_NAMES = (semconv.USER_ID, semconv.CONVERSATION_ID, semconv.REQUEST_ID, semconv.TAGS)

_propagate = False


class Scope(NamedTuple):
    """The enclosing workflow and agent by name, and the enclosing LLM call."""

    workflow: str | None = None
    agent: str | None = None
    llm: LlmCall | None = None


_NO_SCOPE = Scope()
_NOTHING: Mapping[str, Any] = {}


def configure(settings: Settings) -> None:
    """Take over what ``setup()`` decided: whether bound values travel as W3C baggage."""
    global _propagate
    _propagate = settings.baggage


def scope(context: Context) -> Scope:
    """The scope that ``context`` holds; empty outside every decorator."""
    return context.get(_SCOPE_KEY, _NO_SCOPE)  # type: ignore[return-value]


def with_scope(new: Scope, context: Context) -> Context:
    """A copy of ``context`` with ``new`` as its scope."""
    return otel_context.set_value(_SCOPE_KEY, new, context)


def bound(context: Context | None = None) -> Mapping[str, Any]:
    """The attributes that ``bind()`` put in scope, and with baggage on, those of the caller.

    Args:
        context: Where to look; the current context by default.

    Returns:
        Attribute names and values, ready for a span or a log record; not to be changed.
    """
    context = otel_context.get_current() if context is None else context
    own: Mapping[str, Any] = context.get(_BOUND_KEY, _NOTHING)  # type: ignore[assignment]
    if not _propagate:
        return own
    carried = baggage.get_all(context)
    inherited = {name: carried[name] for name in _BAGGAGE_NAMES if name in carried}
    if isinstance(tags := inherited.get(semconv.TAGS), str):
        inherited[semconv.TAGS] = tuple(tags.split(","))
    return {**inherited, **own} if inherited else own


class bind:
    """Put a user, a session, a request id and tags on all spans and logs inside.

    A context manager, sync and async. Values given inside another ``bind()`` win over the outer
    ones; tags add up, each once. With ``OTELKIT_BAGGAGE=true`` they also travel to called services
    as W3C baggage, which every service on the way can read.

    Args:
        user_id: Written as ``user.id``.
        session_id: Written as ``gen_ai.conversation.id``.
        request_id: Written as ``otelkit.request.id``.
        tags: Written as ``otelkit.tags``. Of each text at most 1,024 characters are written.

    Raises:
        ConfigError: ``tags`` is no list of texts, but one text, say, or a number.
    """

    def __init__(
        self,
        *,
        user_id: str | None = None,
        session_id: str | None = None,
        request_id: str | None = None,
        tags: Sequence[str] | None = (),
    ) -> None:
        if isinstance(tags, str):
            raise ConfigError(f'bind(tags={tags!r}): expected a list, such as tags=["{tags}"]')
        if isinstance(tags, bytes) or not isinstance(tags, (Iterable, type(None))):
            raise ConfigError(
                f"bind(tags=...) is of type {type(tags).__name__}: expected a list of texts"
            )
        given = {
            semconv.USER_ID: user_id,
            semconv.CONVERSATION_ID: session_id,
            semconv.REQUEST_ID: request_id,
        }
        texts = ((name, _text(value)) for name, value in given.items())
        self._values = {name: text for name, text in texts if text is not None}
        self._tags = tuple(tag for tag in map(_text, _listed(tags)) if tag is not None)
        self._tokens: Entered[Token[Context]] = Entered()

    def _attach(self) -> Token[Context]:
        context = otel_context.get_current()
        values = {**bound(context), **self._values}
        if self._tags:
            # Each once: where a task starts the next one inside, they must not add up for ever.
            tags = (*values.get(semconv.TAGS, ()), *self._tags)
            values[semconv.TAGS] = tuple(dict.fromkeys(tags))
        context = otel_context.set_value(_BOUND_KEY, values, context)
        if _propagate:
            for name, value in values.items():
                text = ",".join(value) if isinstance(value, tuple) else value
                context = baggage.set_baggage(name, text, context)
        return attach(context)

    def __enter__(self) -> None:
        self._tokens.push(self._attach())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        detach(self._tokens.pop())

    async def __aenter__(self) -> None:
        self._tokens.push(self._attach())

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        detach(self._tokens.pop())


def valid(text: str) -> str:
    """``text`` with lone surrogates escaped, which no exporter can send."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _listed(tags: Iterable[Any] | None) -> list[Any]:
    try:
        return list(tags or ())
    except Exception as error:
        _tell(error)
        return []


def _text(value: Any) -> str | None:
    """``value`` as text; None where it has none to give."""
    if value is None:
        return None
    try:
        return valid(value if type(value) is str else str.__str__(str(value)))[:_LONGEST]
    except Exception as error:
        _tell(error)
        return None


def _tell(error: Exception) -> None:
    _logger.warning("otelkit: a value given to bind() is left out: %s", type(error).__name__)


attach = otel_context.attach  # give the token that it returns to detach()


def detach(token: Token[Context]) -> None:
    """Undo :func:`attach`; quietly nothing where the token belongs to another task's context.

    That happens to a coroutine closed by the garbage collector. The API's own ``detach`` logs an
    error with a traceback then, although there is nothing left to restore.
    """
    try:
        token.var.reset(token)
    except ValueError:
        pass
    except AttributeError:  # a runtime context of another kind (OTEL_PYTHON_CONTEXT)
        otel_context.detach(token)
