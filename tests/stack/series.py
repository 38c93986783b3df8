"""Series in a form in which those of a service and those of Prometheus can be compared."""

from __future__ import annotations

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

Series = tuple[str, frozenset[tuple[str, Any]]]


def counts(page: str) -> dict[Series, float]:
    """The series that only ever grow, and their values."""
    return {
        of(sample.name, sample.labels): sample.value
        for family in text_string_to_metric_families(page)
        if family.type in ("counter", "histogram")
        for sample in family.samples
    }


def of(name: str, labels: dict[str, str]) -> Series:
    """A name and its labels, without those that say whose it is."""
    others = ("__name__", "job", "instance", "deployment_environment_name")
    kept = {key: value for key, value in labels.items() if key not in others}
    if "le" in kept:
        return name, frozenset({**kept, "le": float(kept["le"])}.items())
    return name, frozenset(kept.items())
