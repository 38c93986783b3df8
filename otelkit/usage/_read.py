"""From any object to the reader of its provider; ``read()`` and ``messages()`` for responses.

Objects are told apart by the package their class comes from, dicts by the keys that only one API
has. No attribute of any other object is touched: it may be a proxy, a mock, or worse.
"""

from __future__ import annotations

import logging
from typing import Any, Protocol

from otelkit.usage import (
    anthropic,
    bedrock,
    cohere,
    google,
    langchain,
    litellm,
    mistral,
    ollama,
    openai,
    openai_usage,
)
from otelkit.usage._draft import Draft, Output
from otelkit.usage._fields import get
from otelkit.usage._raw_response import unwrap
from otelkit.usage._types import Reply, Usage

_log = logging.getLogger("otelkit")


class _Reader(Protocol):
    """What each module for the API of a provider has."""

    def feed(self, draft: Draft, value: Any) -> None: ...


class _DictReader(_Reader, Protocol):
    """What those have besides whose responses also come as dicts of a shape of their own."""

    def matches(self, value: dict[str, Any]) -> bool: ...


_BY_PACKAGE: dict[str, _Reader] = {
    "anthropic": anthropic,
    "cohere": cohere,
    "google.genai": google,
    "langchain_core": langchain,
    "litellm": litellm,
    "mistralai": mistral,
    "ollama": ollama,
    "openai": openai,
}
_OF_DICTS: tuple[_DictReader, ...] = (
    openai, anthropic, google, langchain, bedrock, cohere, ollama,
)  # fmt: skip

# Fields that tell whose usage block it is; the most particular first.
_USAGE_FIELDS = (
    ("prompt_tokens", openai_usage.usage),
    ("prompt_token_count", google.usage),
    ("promptTokenCount", google.usage),
    ("inputTokens", bedrock.usage),
    ("billed_units", cohere.usage),
    ("cache_read_input_tokens", anthropic.usage),
    ("cache_creation_input_tokens", anthropic.usage),
    ("input_token_details", langchain.usage),
    ("output_token_details", langchain.usage),
    ("input_tokens", openai_usage.usage),
)


def read(response: object) -> Reply | None:
    """What an LLM response says about itself: usage, model, id, finish reasons, provider.

    Args:
        response: A response of the clients of OpenAI, Anthropic, Google GenAI, Cohere, Mistral,
            Ollama, LiteLLM or LangChain, a dict as their APIs or Bedrock's Converse send it, a
            raw response of OpenAI's or Anthropic's client, or a tuple ``(result, usage)``.

    Returns:
        None for anything else. Never raises, whatever the object.
    """
    draft = Draft()
    feed(draft, response)
    return draft.reply()


def messages(response: object) -> list[dict[str, Any]] | None:
    """The output messages of a response as the GenAI semantic conventions write them.

    Returns:
        A list of ``{"role", "parts", "finish_reason"}``, one for each choice; None for an object
        that is no response or has no content. Never raises, whatever the object.
    """
    draft = Draft(Output())
    feed(draft, response)
    try:
        return draft.messages()
    except Exception as error:
        _tell(error)
        return None


def feed(draft: Draft, value: object) -> None:
    """Read a response, a chunk or a tuple that holds one into the draft. Never raises."""
    try:
        if type(value) is tuple and len(value) == 2:
            for element in value:
                if (usage := _bare_usage(element)) is not None:
                    draft.known, draft.usage = True, usage
                else:
                    _feed(draft, element)
        else:
            _feed(draft, value)
    except Exception as error:  # a shape that no release of a client had so far
        _tell(error)


def _feed(draft: Draft, value: Any) -> None:
    reader = _reader(value)
    if reader is not None and type(value) is not dict:
        value, whole = unwrap(value), value
        if value is not whole and issubclass(type(value), dict):
            reader = _reader(value)
    if reader is not None:
        reader.feed(draft, value)


def _reader(value: Any) -> _Reader | None:
    cls = type(value)
    if issubclass(cls, dict):
        for of_dicts in _OF_DICTS:
            if of_dicts.matches(value):
                return of_dicts
        return None
    for base in cls.__mro__:  # users and other packages derive from the clients' classes
        package, _, rest = base.__module__.partition(".")
        if package == "google":
            package += "." + rest.partition(".")[0]
        if package in _BY_PACKAGE:
            return _BY_PACKAGE[package]
    return None


def _bare_usage(value: Any) -> Usage | None:
    """A usage block by itself, as functions return it beside their result."""
    if type(value) is Usage:
        return value
    cls = type(value)
    if issubclass(cls, dict) or ("Usage" in cls.__name__ and _reader(value) is not None):
        for field, usage in _USAGE_FIELDS:
            if get(value, field) is not None:
                return usage(value)
    return None


def _tell(error: Exception) -> None:
    # Neither the object, which may be hostile, nor the error's text, which may quote the content.
    _log.debug("A response could not be read: %s", type(error).__name__)
