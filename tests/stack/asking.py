"""What the dashboards ask, asked of what runs: does it answer with data?"""

from __future__ import annotations

import math

from . import logql
from .running import Running
from .test_dashboards import PANELS

VARIABLES = {
    "$job": ".+",
    "$environment": ".*",
    "$service": ".+",
    "$__rate_interval": "1m",
    "$__range": "10m",
}


def look(made: Running) -> set[str]:
    """Ask what the panels ask; the queries that have shown nothing so far."""
    asked = {
        target["expr"]: target["datasource"]["type"]
        for param in PANELS
        for target in param.values[0]["targets"]
    }
    made.shown |= {expr for expr in asked.keys() - made.shown if _answers(made, expr, asked[expr])}
    return asked.keys() - made.shown


def _answers(made: Running, expr: str, source: str) -> bool:
    if source == "loki":
        return bool(logql.select(filled(expr), made.loki.lines))
    return any(math.isfinite(value) for _, value in made.query(filled(expr)))


def filled(expr: str) -> str:
    for name, value in VARIABLES.items():
        expr = expr.replace(name, value)
    assert "$" not in expr
    return expr
