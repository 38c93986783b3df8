"""Providers of language models: whether one is configured, and reachable."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

from otelkit import _parse
from otelkit.errors import ConfigError
from otelkit.health.http import ask
from otelkit.health.results import Result


class _Provider(NamedTuple):
    """How the provider's own Python client is configured."""

    keys: tuple[str, ...]  # variables; one of them is needed
    url: str = ""
    url_variable: str = ""  # replaces `url`


# By the names that spans have for them.
_PROVIDERS = {
    "anthropic": _Provider(
        ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
        "https://api.anthropic.com",
        "ANTHROPIC_BASE_URL",
    ),
    "azure.ai.openai": _Provider(
        ("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN"), url_variable="AZURE_OPENAI_ENDPOINT"
    ),
    "cohere": _Provider(("CO_API_KEY",), "https://api.cohere.com", "CO_API_URL"),
    "deepseek": _Provider(("DEEPSEEK_API_KEY",), "https://api.deepseek.com"),
    "gcp.gemini": _Provider(
        ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        "https://generativelanguage.googleapis.com",
        "GOOGLE_GEMINI_BASE_URL",
    ),
    "groq": _Provider(("GROQ_API_KEY",), "https://api.groq.com", "GROQ_BASE_URL"),
    "mistral_ai": _Provider(("MISTRAL_API_KEY",), "https://api.mistral.ai"),
    "openai": _Provider(("OPENAI_API_KEY",), "https://api.openai.com/v1", "OPENAI_BASE_URL"),
    "perplexity": _Provider(
        ("PERPLEXITY_API_KEY", "PPLX_API_KEY"), "https://api.perplexity.ai", "PERPLEXITY_BASE_URL"
    ),
    "x_ai": _Provider(("XAI_API_KEY",), "https://api.x.ai"),
}


def llm_check(
    provider: str, *, reachable: bool = False, key: str | None = None, url: str | None = None
) -> Callable[[], Result]:
    """A check that a provider of language models is configured: its API key is set.

    Args:
        provider: As on spans: ``"openai"``, ``"anthropic"``, ``"gcp.gemini"``, …
        reachable: Also that its address answers, with any status below 500. No key is sent, and
            nothing is charged.
        key: Variable that holds the key, where it is not the provider's own.
        url: Address, where it is not the provider's own.

    Raises:
        ConfigError: The provider is not known, and no ``key`` (with ``reachable`` no ``url``) is
            given.
    """
    known = _PROVIDERS.get(provider, _Provider(()))
    keys = (key,) if key else known.keys
    if not keys:
        raise ConfigError(
            f"llm_check({provider!r}): give key=, the variable that holds its API key, or one of "
            f"{', '.join(_PROVIDERS)}"
        )
    if reachable and not (url or known.url or known.url_variable):
        raise ConfigError(f"llm_check({provider!r}, reachable=True): give url=, its address")

    def check() -> Result:
        if not any(os.environ.get(name, "").strip() for name in keys):
            return Result("unhealthy", f"not set: {' or '.join(keys)}")
        if not reachable:
            return Result("healthy", metadata={"provider": provider})
        address = url or os.environ.get(known.url_variable, "").strip() or known.url
        if not address:
            return Result("unhealthy", f"not set: {known.url_variable}")
        return _reach(provider, address)

    return check


def _reach(provider: str, address: str) -> Result:
    status = ask(_parse.url(address))
    answer = {"provider": provider, "status_code": status}
    if status < 500:
        return Result("healthy", metadata=answer)
    return Result("unhealthy", f"answered {status}", answer)
