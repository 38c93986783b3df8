"""The prices of the package ``genai-prices``, compiled to rates once for each model.

Looking a model up there costs 100 to 170 µs, what was compiled a dictionary access. Only its
bundled data is used, or what the application itself had it fetch: its updater is never started.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime, timezone
from functools import cache
from typing import Any

from otelkit.pricing.rates import Bands, Rates

_log = logging.getLogger("otelkit")

_MAX_MODELS = 4096
_DAY, _MINUTE = 86_400, 60

# gen_ai.provider.name where genai-prices does not know it, or would take it for another.
_IDS = {
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "azure_ai": "azure",
    "azure_openai": "azure",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "mistral_ai": "mistral",
    "moonshot_ai": "moonshotai",
    "x_ai": "x-ai",
}

_UNITS = {  # the keys of genai-prices that count what a Usage counts, and how many they are for
    "input_mtok": 1_000_000,
    "output_mtok": 1_000_000,
    "cache_read_mtok": 1_000_000,
    "cache_write_mtok": 1_000_000,
    "cache_write_1h_mtok": 1_000_000,
    "output_reasoning_mtok": 1_000_000,
    "requests_kcount": 1_000,
}

_cache: dict[tuple[str | None, str, str | None], tuple[float, Bands | None]] = {}


def bands(provider: str | None, model: str | None, tier: str | None) -> Bands | None:
    """The rates of a model, None if the table has none. Never raises."""
    if not model:
        return None
    key = (provider, model, tier)
    found = _cache.get(key)
    now = time.time()
    if found is None or found[0] <= now:
        if len(_cache) >= _MAX_MODELS:
            _cache.clear()
        found = _cache[key] = _look_up(provider, model, tier, now)
    return found[1]


def canonical(provider: str | None) -> str | None:
    """The id of a provider in the table; names of one provider that prices as one are one."""
    return None if provider is None else _IDS.get(provider, provider.lower())


@cache
def snapshot() -> Any:
    """The module of genai-prices that holds its data, None if the package is not installed."""
    try:
        from genai_prices import data_snapshot

        data_snapshot.get_snapshot()
    except Exception as error:
        _log.debug("genai-prices cannot be used: %s: %s", type(error).__name__, error)
        return None
    return data_snapshot


def _look_up(
    provider: str | None, model: str, tier: str | None, now: float
) -> tuple[float, Bands | None]:
    """When to look again, and the bands."""
    data = snapshot()
    try:
        owner, info = _find(data, provider, model) if data is not None else (None, None)
        if owner is None or info is None:
            return now + _DAY, None
        context = None
        if tier and any(info is own for own in owner.models):  # variants are of one provider only
            context = {"processing": tier, "service_tier": tier, "speed": tier}
        prices = info.get_prices(datetime.fromtimestamp(now, timezone.utc), context)
        # Prices that change do so at a date or, off peak, at a minute of the day.
        changing = isinstance(info.prices, list) or info.price_variants
        expires = (now // _MINUTE + 1) * _MINUTE if changing else now + _DAY
        return expires, _compile(prices)
    except Exception as error:  # a release with another interface, or data that is not right
        _log.debug("No price of %r from genai-prices: %s", model, type(error).__name__)
        return now + _DAY, None


def _find(data: Any, provider: str | None, model: str) -> tuple[Any, Any]:
    """The provider and the model in the table, found without its caches, which know no bound."""
    providers = data.get_snapshot().providers
    name = canonical(provider)
    if name in {None, "litellm"}:  # LiteLLM and others write provider/model
        prefix, _, rest = model.partition("/")
        owner = data.find_provider_by_id(providers, prefix) if rest else None
        if owner is not None:
            model = rest
        else:
            owner = next(
                (p for p in providers if p.model_match and p.model_match.is_match(model)), None
            )
    else:
        owner = data.find_provider_by_id(providers, name)
    if owner is None:
        return None, None
    if owner.id == "google":  # models/gemini-…, publishers/google/models/gemini-…
        model = model.rpartition("/")[2]
    return owner, owner.find_model(model, all_providers=providers)


def _compile(prices: Any) -> Bands | None:
    given = {key: getattr(prices, key, None) for key in _UNITS}
    if all(price is None for price in given.values()) and any(vars(prices).values()):
        return None  # priced by the hour or the page, of which a Usage knows nothing
    starts = {tier.start for price in given.values() for tier in getattr(price, "tiers", ())}
    return tuple((start, _rates(given, start)) for start in (*sorted(starts, reverse=True), -1))


def _rates(given: dict[str, Any], start: int) -> Rates:
    """The rates of the band above ``start``. What has no price of its own has its total's."""

    def rate(key: str, otherwise: float) -> float:
        price = given[key]
        if price is None:
            return otherwise
        for tier in reversed(getattr(price, "tiers", ())):
            if start >= tier.start:
                return float(tier.price) / _UNITS[key]
        return float(getattr(price, "base", price)) / _UNITS[key]

    input_rate, output_rate = rate("input_mtok", 0.0), rate("output_mtok", 0.0)
    write_rate = rate("cache_write_mtok", input_rate)
    return Rates(
        input=input_rate,
        output=output_rate,
        cache_read=rate("cache_read_mtok", input_rate),
        cache_write=write_rate,
        cache_write_1h=rate("cache_write_1h_mtok", write_rate),
        reasoning=rate("output_reasoning_mtok", output_rate),
        request=rate("requests_kcount", 0.0),
    )
