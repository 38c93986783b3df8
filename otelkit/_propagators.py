"""``OTEL_PROPAGATORS`` set right before anything reads it.

``opentelemetry.propagate`` reads it at import and raises on a name that is not installed: then no
FastAPI application starts. So importing otelkit checks it, and ``setup()`` tells what was wrong.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points

VARIABLE = "OTEL_PROPAGATORS"
DEFAULT = ("tracecontext", "baggage")

_PACKAGES = {  # of OpenTelemetry's own, what brings them
    "b3": "b3", "b3multi": "b3", "jaeger": "jaeger", "ottrace": "ot-trace", "xray": "aws-xray",
    "xray-lambda": "aws-xray",
}  # fmt: skip

problems: list[str] = []  # one text for each name that cannot be used


def choose(names: Sequence[str]) -> None:
    """Makes ``names`` the propagators of this process, without those that are not installed."""
    if set(names) <= {*DEFAULT, "none"}:
        known: dict[str, EntryPoint] = {}
        usable = list(names)
    else:
        known = {point.name: point for point in entry_points(group="opentelemetry_propagator")}
        usable = [name for name in names if name in known or name == "none"] or list(DEFAULT)
    chosen = ",".join(usable)
    problems.extend(
        f"{VARIABLE}={name!r}: not installed{_remedy(name)}; using {chosen} instead"
        for name in names
        if name not in usable
    )
    if chosen != os.environ.get(VARIABLE, ",".join(DEFAULT)):
        os.environ[VARIABLE] = chosen
        _reload()


def _remedy(name: str) -> str:
    package = _PACKAGES.get(name)
    return f" (pip install opentelemetry-propagator-{package})" if package else ""


def _reload() -> None:
    """Where the variable has been read already, what it would have meant is set by hand."""
    propagate = sys.modules.get("opentelemetry.propagate")
    if propagate is not None:
        propagate.set_global_textmap(propagate._load_propagators())


_given = [name.strip() for name in os.environ.get(VARIABLE, "").split(",") if name.strip()]
if _given:
    choose(_given)
