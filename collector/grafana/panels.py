"""What Grafana's dashboards are made of: panels with a unit, a text and thresholds.

A panel is a plain dict, as Grafana reads it; `dashboard()` gives each its place and number. Each
has `warn`, `bad` or both, from where on it is yellow and red, or says in `unlimited` why not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from around import ALERTS, LOKI, OTHERS, PROMETHEUS, VARIABLES

Panel = dict[str, Any]

# What the variables of every dashboard choose.
CHOSEN = 'job=~"$job", deployment_environment_name=~"$environment"'
# Why amounts of work have no threshold.
TRAFFIC = "how much is usual differs by application"
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
    falling: bool = False,
    unlimited: str = "",
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
        bad: From here on red; the alert of the same thing fires there (limits.py).
        falling: Low is bad: red below `bad`, yellow below `warn`.
        unlimited: Why there is no such value.
        width: Of 24 columns.
        stacked: Draw areas on top of each other.
    """
    custom: dict[str, Any] = {"fillOpacity": 30 if stacked else 8, "showPoints": "never"}
    custom["thresholdsStyle"] = {"mode": "off" if unlimited else "dashed"}
    if stacked:
        custom["stacking"] = {"mode": "normal"}
    options = {
        "legend": {"displayMode": "list", "placement": "bottom"},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    panel = _panel("timeseries", title, about, width, 8, options, unit)
    panel["fieldConfig"]["defaults"] |= {"custom": custom, "min": 0}
    return _limited(panel | {"targets": _targets(queries)}, warn, bad, falling, unlimited)


def stat(
    title: str,
    unit: str,
    query: Query,
    *,
    about: str,
    warn: float | None = None,
    bad: float | None = None,
    falling: bool = False,
    unlimited: str = "",
    width: int = 6,
) -> Panel:
    """Return a panel with one number; the arguments are those of `graph`."""
    options = {
        "colorMode": "value",
        "graphMode": "area",
        "reduceOptions": {"calcs": ["lastNotNull"]},
    }
    panel = _panel("stat", title, about, width, 4, options, unit)
    return _limited(panel | {"targets": _targets([query])}, warn, bad, falling, unlimited)


def table(
    title: str,
    unit: str,
    query: Query,
    *,
    about: str,
    warn: float | None = None,
    bad: float | None = None,
    falling: bool = False,
    unlimited: str = "",
    width: int = 12,
) -> Panel:
    """Return a panel with a line for each series, its labels and its value now; as `graph`."""
    panel = _panel("table", title, about, width, 8, {"showHeader": True}, unit)
    if not unlimited:
        panel["fieldConfig"]["defaults"]["custom"] = {"cellOptions": {"type": "color-text"}}
    panel["targets"] = [
        target | {"format": "table", "instant": True} for target in _targets([query])
    ]
    panel["transformations"] = [
        {"id": "organize", "options": {"excludeByName": {"Time": True}}},
        {"id": "sortBy", "options": {"sort": [{"field": "Value", "desc": not falling}]}},
    ]
    return _limited(panel, warn, bad, falling, unlimited)


def logs(title: str, query: str, *, about: str) -> Panel:
    """Return a panel with log lines out of Loki; each leads to its trace."""
    options = {"showTime": True, "wrapLogMessage": True, "enableLogDetails": True}
    panel = _panel("logs", title, about, _WIDTH, 10, options, "short")
    panel |= {"datasource": LOKI, "targets": [{"refId": "A", "datasource": LOKI, "expr": query}]}
    return _limited(panel, None, None, falling=False, unlimited="lines of text are no number")


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
    kind: str, title: str, about: str, width: int, height: int, options: dict[str, Any], unit: str
) -> Panel:
    return {
        "type": kind,
        "title": title,
        "description": about,
        "datasource": PROMETHEUS,
        "gridPos": {"w": width, "h": height},
        "options": options,
        "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
    }


def _limited(
    panel: Panel, warn: float | None, bad: float | None, falling: bool, unlimited: str
) -> Panel:
    values = [bad, warn] if falling else [warn, bad]
    if any(value is not None for value in values) is bool(unlimited):
        raise ValueError(f"{panel['title']}: either warn or bad, or unlimited")
    if unlimited:
        panel["description"] += f" No threshold: {unlimited}."
    colours = ["red", "yellow", "green"] if falling else ["green", "yellow", "red"]
    steps: list[dict[str, Any]] = [{"color": colours[0], "value": None}]
    steps += [
        {"color": colour, "value": round(value, 6)}
        for colour, value in zip(colours[1:], values, strict=True)
        if value is not None
    ]
    panel["fieldConfig"]["defaults"]["thresholds"] = {"mode": "absolute", "steps": steps}
    return panel


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
