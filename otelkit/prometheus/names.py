"""Names of OpenTelemetry as Prometheus has them.

The rules are those of the specification ("Prometheus and OpenMetrics compatibility") in the reading
of the collector's ``prometheus`` exporter, so that a query works on both ways to Prometheus.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from otelkit.prometheus.families import Kind, Labels

_UNITS = {
    "d": "days", "h": "hours", "min": "minutes", "s": "seconds", "ms": "milliseconds",
    "us": "microseconds", "ns": "nanoseconds",
    "By": "bytes", "KiBy": "kibibytes", "MiBy": "mebibytes", "GiBy": "gibibytes",
    "TiBy": "tibibytes", "KBy": "kilobytes", "MBy": "megabytes", "GBy": "gigabytes",
    "TBy": "terabytes",
    "m": "meters", "V": "volts", "A": "amperes", "J": "joules", "W": "watts", "g": "grams",
    "Cel": "celsius", "Hz": "hertz", "1": "", "%": "percent",
}  # fmt: skip
_PER = {
    "s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week", "mo": "month", "y": "year",
}  # fmt: skip
_RESERVED = frozenset(("le", "quantile"))  # labels that mean something to Prometheus


def family(name: str, kind: Kind, unit: str) -> tuple[str, str]:
    """The name of a family (without ``_total`` and the like), and the unit it ends with.

    Args:
        name: Of the instrument, such as ``http.server.request.duration``.
        kind: Counters lose a ``total`` of their own, gauges of unit 1 are ratios.
        unit: UCUM, such as ``s``; ``{annotations}`` are no part of names.
    """
    words = [word for word in re.split(r"[^A-Za-z0-9:]+", name) if word]
    measured = [word for word in _unit_words(unit) if word not in words]
    words += measured
    if kind == "counter":
        words = [word for word in words if word != "total"]
    if kind == "gauge" and unit == "1":
        words = [word for word in words if word != "ratio"] + ["ratio"]
    joined = "_".join(words)
    if not joined or joined[0].isdigit():
        joined = f"_{joined}"
    of = "_".join(_unit_words(unit))
    return joined, of if of and joined.endswith(f"_{of}") else ""


def _unit_words(unit: str) -> list[str]:
    main, _, per = unit.partition("/")
    words = []
    main = main.strip()
    if main and "{" not in main and "}" not in main:
        words += _words(_UNITS.get(main, main))
    per = per.strip()
    if per and "{" not in per and "}" not in per:
        words += ["per", *_words(_PER.get(per, per))]
    return words


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[^A-Za-z0-9]+", text) if word]


@lru_cache(maxsize=4096)
def label(name: str) -> str:
    """The name of a label for the attribute ``name``."""
    clean = re.sub(r"[^A-Za-z0-9]+", "_", name)
    if clean in _RESERVED:
        return f"exported_{clean}"
    if clean[:1].isdigit():
        return f"key_{clean}"
    return f"key{clean}" if clean.startswith("_") or not clean else clean


@lru_cache(maxsize=1024)
def _order(attributes: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """``attributes`` in the order of their labels, and the labels; None if two have the same."""
    named = sorted((label(attribute), attribute) for attribute in attributes)
    in_order = tuple(name for name, _ in named)
    distinct = len(set(in_order)) == len(in_order)
    return (tuple(attribute for _, attribute in named), in_order) if distinct else None


def labels(attributes: Mapping[str, Any] | None) -> Labels:
    """The labels for ``attributes``, sorted; values are joined by ``;`` where names become one."""
    if not attributes:
        return ()
    order = _order(tuple(attributes))
    if order is not None:
        keys, in_order = order
        values = [attributes[key] for key in keys]
        return tuple(zip(in_order, [v if type(v) is str else text(v) for v in values], strict=True))
    joined: dict[str, str] = {}
    for attribute in sorted(attributes):
        name, value = label(attribute), text(attributes[attribute])
        joined[name] = f"{joined[name]};{value}" if name in joined else value
    return tuple(sorted(joined.items()))


def text(value: Any) -> str:
    """An attribute's value as a label has it: strings as they are, the rest as JSON."""
    if isinstance(value, str):
        return value
    return str(value) if type(value) is int else json.dumps(value, default=str)
