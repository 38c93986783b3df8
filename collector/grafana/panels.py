"""What Grafana's dashboards are made of: panels with a unit, a text and thresholds.

A panel is a plain dict, as Grafana reads it; `dashboard()` gives each its place and number.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from around import ALERTS, LOKI, OTHERS, PROMETHEUS, VARIABLES

Panel = dict[str, Any]

# What the variables of every dashboard choose.
CHOSEN = 'job=~"$job", deployment_environment_name=~"$environment"'
_WIDTH = 24


class Query(NamedTuple):
    """A PromQL expression; `chosen` in a selector stands for the variables of the dashboard.

    Attributes:
        expr: The expression.
        legend: The name of a line, labels in double braces.
        exemplars: Show measurements with their traces: for histograms.
    """

    expr: str
    legend: str = ""
    exemplars: bool = False


def graph(
    title: str,
    unit: str,
    *queries: Query,
    about: str,
    warn: float | None = None,
    bad: float | None = None,
    width: int = 8,
    stacked: bool = False,
) -> Panel:
    """Return a panel with lines over time.

    Args:
        title: Its title.
        unit: Of the values, as Grafana names it (`s`, `reqps`, `percentunit`).
        *queries: What is drawn.
        about: What it shows and what to make of it.
        warn: From here on yellow.
        bad: From here on red; the alert of the same thing fires there.
        width: Of 24 columns.
        stacked: Draw areas on top of each other.
    """
    custom: dict[str, Any] = {"fillOpacity": 30 if stacked else 8, "showPoints": "never"}
    custom["thresholdsStyle"] = {"mode": "dashed" if bad is not None else "off"}
    if stacked:
        custom["stacking"] = {"mode": "normal"}
    options = {
        "legend": {"displayMode": "list", "placement": "bottom"},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    panel = _panel("timeseries", title, about, width, 8, options, _thresholds(warn, bad), unit)
    panel["fieldConfig"]["defaults"] |= {"custom": custom, "min": 0}
    return panel | {"targets": _targets(queries)}


def stat(
    title: str,
    unit: str,
    query: Query,
    *,
    about: str,
    warn: float | None = None,
    bad: float | None = None,
    falling: bool = False,
    width: int = 6,
) -> Panel:
    """Return a panel with one number.

    With `falling`, values below `bad` are red and those below `warn` yellow; else as `graph`.
    """
    options = {
        "colorMode": "value",
        "graphMode": "area",
        "reduceOptions": {"calcs": ["lastNotNull"]},
    }
    thresholds = _thresholds(warn, bad, falling=falling)
    panel = _panel("stat", title, about, width, 4, options, thresholds, unit)
    return panel | {"targets": _targets([query])}


def table(title: str, unit: str, query: Query, *, about: str, width: int = 12) -> Panel:
    """Return a panel with a line for each series, its labels and its value now."""
    panel = _panel("table", title, about, width, 8, {"showHeader": True}, _thresholds(), unit)
    panel["targets"] = [
        target | {"format": "table", "instant": True} for target in _targets([query])
    ]
    panel["transformations"] = [
        {"id": "organize", "options": {"excludeByName": {"Time": True}}},
        {"id": "sortBy", "options": {"sort": [{"field": "Value", "desc": True}]}},
    ]
    return panel


def logs(title: str, query: str, *, about: str) -> Panel:
    """Return a panel with log lines out of Loki; each leads to its trace."""
    options = {"showTime": True, "wrapLogMessage": True, "enableLogDetails": True}
    panel = _panel("logs", title, about, _WIDTH, 10, options, _thresholds(), "short")
    return panel | {
        "datasource": LOKI,
        "targets": [{"refId": "A", "datasource": LOKI, "expr": query}],
    }


def row(title: str) -> Panel:
    """Return the heading of the panels that follow."""
    return {"type": "row", "title": title, "collapsed": False, "panels": []}


def dashboard(name: str, title: str, about: str, panels: Iterable[Panel]) -> dict[str, Any]:
    """Return a whole dashboard with the uid `otelkit-NAME`; the panels flow from left to right."""
    return {
        "uid": f"otelkit-{name}",
        "title": title,
        "description": about,
        "tags": ["otelkit"],
        "schemaVersion": 41,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "annotations": {"list": [ALERTS]},
        "links": [OTHERS],
        "templating": {"list": VARIABLES},
        "panels": _placed(panels),
    }


def _panel(
    kind: str,
    title: str,
    about: str,
    width: int,
    height: int,
    options: dict[str, Any],
    thresholds: dict[str, Any],
    unit: str,
) -> Panel:
    return {
        "type": kind,
        "title": title,
        "description": about,
        "datasource": PROMETHEUS,
        "gridPos": {"w": width, "h": height},
        "options": options,
        "fieldConfig": {"defaults": {"unit": unit, "thresholds": thresholds}, "overrides": []},
    }


def _thresholds(
    warn: float | None = None, bad: float | None = None, *, falling: bool = False
) -> dict[str, Any]:
    colours = ["red", "yellow", "green"] if falling else ["green", "yellow", "red"]
    values = [bad, warn] if falling else [warn, bad]
    steps: list[dict[str, Any]] = [{"color": colours[0] if falling else "green", "value": None}]
    steps += [
        {"color": colour, "value": value}
        for colour, value in zip(colours[1:], values, strict=True)
        if value is not None
    ]
    return {"mode": "absolute", "steps": steps}


def _targets(queries: Iterable[Query]) -> list[dict[str, Any]]:
    return [
        {
            "refId": chr(ord("A") + number),
            "datasource": PROMETHEUS,
            "expr": query.expr.replace("chosen", CHOSEN),
            "legendFormat": query.legend or "__auto",
            "exemplar": query.exemplars,
        }
        for number, query in enumerate(queries)
    ]


def _placed(panels: Iterable[Panel]) -> list[Panel]:
    placed, x, y, height = [], 0, 0, 0
    for number, panel in enumerate(panels, start=1):
        size = panel.get("gridPos", {"w": _WIDTH, "h": 1})
        if x + size["w"] > _WIDTH:
            x, y, height = 0, y + height, 0
        placed.append({"id": number, **panel, "gridPos": {**size, "x": x, "y": y}})
        x, height = x + size["w"], max(height, size["h"])
    return placed
