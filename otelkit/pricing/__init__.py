"""What an LLM call cost: by prices of your own, by the provider's report, or by ``genai-prices``.

Which price counts, in this order:

1. One set with :func:`set_price` or :func:`load`, for the response model or else for the requested
   one. It stands first because it can be meant in no other way: whoever sets the price of a model
   whose gateway reports costs wants it instead of those.
2. What the provider reports with the response (``Usage.cost``).
3. The table of ``genai-prices`` (the extra ``prices``), for the response model or else for the
   requested one. It comes with that package; nothing is ever fetched.

A model without a price has no cost, which is not the same as 0, and is named in one warning.
Tokens count as text: what audio, images or a provider's own tools cost beyond that is not known.
"""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING, Literal, NamedTuple

from otelkit.pricing import file, table
from otelkit.pricing.rates import Bands, Rates, in_band, usd

if TYPE_CHECKING:
    from otelkit.usage import Usage

__all__ = ["Cost", "cost", "load", "preload", "set_price"]

_log = logging.getLogger("otelkit")

_DECIMALS = 15  # of a USD: far less than a token costs, more than the noise of adding floats
_MAX_WARNINGS = 1000  # model names come out of responses; nobody vouches for how many there are

_overrides: dict[tuple[str | None, str], Bands] = {}
_warned: dict[object, object] = {}
_loading: threading.Thread | None = None


class Cost(NamedTuple):
    """What one call cost, in USD.

    Attributes:
        amount: The whole; it may hold a fee for the request beside input and output.
        source: ``"provider"`` if the provider reported it, ``"local"`` if it was computed here.
        input: What the input cost; None where only the whole was reported.
        output: What the output cost; None where only the whole was reported.
    """

    amount: float
    source: Literal["provider", "local"]
    input: float | None = None
    output: float | None = None


def cost(
    provider: str | None,
    model: str | None,
    usage: Usage,
    *,
    fallback_model: str | None = None,
    service_tier: str | None = None,
) -> Cost | None:
    """What a call cost. Never raises; about a microsecond once a model's prices are known.

    Args:
        provider: ``gen_ai.provider.name``; None finds the provider by the model's name.
        model: The response model, which may be a dated version of the requested one.
        usage: The tokens of the call.
        fallback_model: The requested model, priced when the response model is unknown.
        service_tier: How the call was processed and is billed (``Reply.service_tier``), such as
            ``"batch"``, ``"flex"`` or ``"priority"``; None is the standard price.

    Returns:
        None when no price is known, which is warned of once for each model.
    """
    try:
        return _cost(provider, model, usage, fallback_model, service_tier)
    except Exception as error:  # names or counts of another type than declared
        _log.debug("No cost of a call of %s: %s", type(model).__name__, type(error).__name__)
        return None


def _cost(
    provider: str | None,
    model: str | None,
    usage: Usage,
    fallback_model: str | None,
    service_tier: str | None,
) -> Cost | None:
    bands = None
    if _overrides:
        bands = _override(provider, model) or _override(provider, fallback_model)
    if bands is None:
        if usage.cost is not None:
            return Cost(usage.cost, "provider")
        bands = table.bands(provider, model, service_tier) or table.bands(
            provider, fallback_model, service_tier
        )
    if bands is None:
        _warn(provider, model or fallback_model)
        return None
    rates = in_band(bands, usage.input_tokens)
    input_cost, output_cost = usd(rates, usage)
    amount = round(input_cost + output_cost + rates.request, _DECIMALS)
    return Cost(amount, "local", input_cost, output_cost)


def set_price(
    provider: str,
    model: str,
    *,
    input: float,
    output: float,
    cache_read: float | None = None,
    cache_write: float | None = None,
) -> None:
    """Set the price of a model, before whatever the provider reports or the table has.

    Args:
        provider: ``gen_ai.provider.name``, such as ``"openai"``.
        model: The model as it is requested, or as responses name it. Case does not matter.
        input: USD per million input tokens.
        output: USD per million output tokens.
        cache_read: USD per million input tokens read from the cache; ``input`` if not given.
        cache_write: USD per million input tokens written to it; ``input`` if not given.

    Raises:
        ConfigError: A name is empty, or a price is not a finite number of at least 0.
    """
    prices = {
        "input": input,
        "output": output,
        "cache_read": cache_read,
        "cache_write": cache_write,
    }
    given = {key: value for key, value in prices.items() if value is not None}
    _set(file.checked(provider, model, given, "set_price"))


def load(path: str) -> None:
    """Set the prices of a file, JSON or TOML by its suffix: all of them, or none if one is wrong.

    The file maps provider to model to prices in USD per million tokens, named as the arguments of
    :func:`set_price`::

        {"openai": {"my-model": {"input": 0.5, "output": 1.5, "cache_read": 0.05}}}

        [openai.my-model]
        input = 0.5
        output = 1.5

    Args:
        path: The file; ``OTELKIT_PRICES`` names one to be loaded at start.

    Raises:
        ConfigError: The file cannot be read or something in it cannot be used; the text says what.
    """
    _set(file.read(path))


def preload() -> None:
    """Begin to load the price table in a thread, so that the first priced call need not.

    It takes some half a second of import. Called again it does nothing. Never raises.
    """
    global _loading
    if _loading is None:
        _loading = threading.Thread(target=table.snapshot, name="otelkit-prices", daemon=True)
        try:
            _loading.start()
        except RuntimeError:
            pass  # the interpreter ends: whoever needs a price loads the table


def _wait() -> None:
    # A child forked during the import would wait for the parent's import lock for ever.
    if _loading is not None and _loading.is_alive():
        _loading.join()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_wait)


def _set(prices: dict[tuple[str, str], Rates]) -> None:
    for (provider, model), rates in prices.items():
        _overrides[table.canonical(provider), model.lower()] = ((-1, rates),)


def _override(provider: str | None, model: str | None) -> Bands | None:
    if model is None:
        return None
    return _overrides.get((table.canonical(provider), model.lower()))


def _warn(provider: str | None, model: str | None) -> None:
    if model is None or len(_warned) > _MAX_WARNINGS:
        return
    if table.snapshot() is None:
        key: object = "no table"
        text = (
            'LLM calls have no cost: pip install "otelkit[prices]", or set prices with'
            " otelkit.set_price() or a file named by OTELKIT_PRICES"
        )
    else:
        key = (provider, model)
        text = (
            f"No price is known for model {model!r:.100} of provider {provider!r}: its calls have"
            " no cost; set one with otelkit.set_price() or a file named by OTELKIT_PRICES"
        )
    mine = object()
    if _warned.setdefault(key, mine) is mine:  # atomic, so that one thread of many warns
        _log.warning(text)
