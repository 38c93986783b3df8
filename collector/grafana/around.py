"""What every dashboard has around its panels: data sources, variables, links, marks for alerts."""

from __future__ import annotations

from typing import Any

PROMETHEUS = {"type": "prometheus", "uid": "${prometheus}"}
LOKI = {"type": "loki", "uid": "${loki}"}


def _source(name: str) -> dict[str, Any]:
    text = name.capitalize()
    return {
        "name": name,
        "label": text,
        "type": "datasource",
        "query": name,
        "current": {"text": text, "value": name},
        "hide": 2,
    }


def _choice(
    name: str, label: str, query: str, source: dict[str, str] = PROMETHEUS
) -> dict[str, Any]:
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": source,
        "definition": query,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*" if source is PROMETHEUS else ".+",  # Loki wants a label that is there
        "current": {"text": ["All"], "value": ["$__all"]},
    }


VARIABLES = [
    _source("prometheus"),
    _source("loki"),
    _choice("environment", "Environment", "label_values(target_info, deployment_environment_name)"),
    _choice(
        "job",
        "Service",
        'label_values(target_info{job!="host", deployment_environment_name=~"$environment"}, job)',
    ),
    _choice("service", "Service in the logs", "label_values(service_name)", LOKI),
]
OTHERS = {
    "title": "otelkit",
    "type": "dashboards",
    "tags": ["otelkit"],
    "asDropdown": False,
    "keepTime": True,
    "includeVars": True,
}
ALERTS = {
    "name": "Alerts",
    "datasource": PROMETHEUS,
    "enable": True,
    "iconColor": "red",
    "expr": 'ALERTS{alertstate="firing"}',
    "titleFormat": "{{alertname}}",
    "textFormat": "{{job}}",
    "step": "60s",
}
