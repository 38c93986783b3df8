"""Prices of one's own out of a file, and the check that they can be used."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from typing import Any

from otelkit.errors import ConfigError
from otelkit.pricing.rates import Rates

_REQUIRED = ("input", "output")
_KEYS = (*_REQUIRED, "cache_read", "cache_write")
_HIGHEST = 1e9  # beyond any price, and short of what a float cannot hold


def read(path: str) -> dict[tuple[str, str], Rates]:
    """The prices of a JSON or TOML file by provider and model.

    Raises:
        ConfigError: The file cannot be read or something in it cannot be used; the text says what.
    """
    parsed = _parse(path)
    prices: dict[tuple[str, str], Rates] = {}
    for provider, models in _table(parsed, f"{path}: the file").items():
        for model, given in _table(models, f"{path}: {provider!r}").items():
            where = f"{path}: {provider!r}, {model!r}"
            prices |= checked(provider, model, _table(given, where), where)
    return prices


def checked(
    provider: object, model: object, given: dict[str, Any], where: str
) -> dict[tuple[str, str], Rates]:
    """The rates of one model, per token, out of prices per million tokens.

    Raises:
        ConfigError: A name is empty, a price is missing, unknown or no finite number from 0 on.
    """
    if not isinstance(provider, str) or not provider or not isinstance(model, str) or not model:
        raise ConfigError(f"{where}: provider and model must be names, not {provider!r}, {model!r}")
    if unknown := sorted(given.keys() - set(_KEYS)):
        raise ConfigError(f"{where}: unknown price {unknown[0]!r}; there are {', '.join(_KEYS)}")
    for key in _REQUIRED:
        if key not in given:
            raise ConfigError(f"{where}: the price {key!r} is missing (USD per million tokens)")
    rates = {key: _rate(value, f"{where}: {key}") for key, value in given.items()}
    cache_write = rates.get("cache_write", rates["input"])
    return {
        (provider, model): Rates(
            input=rates["input"],
            output=rates["output"],
            cache_read=rates.get("cache_read", rates["input"]),
            cache_write=cache_write,
            cache_write_1h=cache_write,
            reasoning=rates["output"],
        )
    }


def _rate(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= _HIGHEST:
        raise ConfigError(
            f"{where} must be a number from 0 on (USD per million tokens), not {value!r:.80}"
        )
    return float(value) / 1_000_000


def _table(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(
            f"{where} must map names to values (provider to model to prices), not {value!r:.80}"
        )
    return value


def _parse(path: str) -> object:
    suffix = str(path).rpartition(".")[2].lower()
    if suffix not in {"json", "toml"}:
        raise ConfigError(f"{path}: prices are read from a .json or .toml file")
    try:
        with open(path, "rb") as source:
            content = source.read()
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: the prices cannot be read: {error}") from error
    parse = json.loads if suffix == "json" else _toml_parser(path)
    try:
        return parse(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not valid {suffix.upper()}: {error}") from error


def _toml_parser(path: str) -> Callable[[str], object]:
    try:
        module = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    except ImportError:
        raise ConfigError(
            f"{path}: TOML needs Python 3.11 or the package tomli; a .json file works as well"
        ) from None
    parse: Callable[[str], object] = module.loads
    return parse
