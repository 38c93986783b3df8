"""Names are those that the collector's prometheus exporter gives."""

from __future__ import annotations

from typing import Any

import pytest

from otelkit.prometheus import names
from otelkit.prometheus.families import Kind

FAMILIES: list[tuple[str, Kind, str, str, str]] = [
    ("http.server.request.duration", "histogram", "s", "http_server_request_duration_seconds", "s"),
    ("http.server.request.body.size", "histogram", "By", "http_server_request_body_size_bytes", ""),
    ("http.server.active_requests", "updown", "{request}", "http_server_active_requests", ""),
    ("gen_ai.client.token.usage", "histogram", "{token}", "gen_ai_client_token_usage", ""),
    ("otelkit.llm.cost", "counter", "USD", "otelkit_llm_cost_USD", ""),
    ("otelkit.health.status", "gauge", "1", "otelkit_health_status_ratio", ""),
    ("otelkit.active", "updown", "{call}", "otelkit_active", ""),
    ("jobs", "updown", "1", "jobs", ""),
    ("jobs.total", "counter", "", "jobs", ""),
    ("total.jobs_total", "counter", "{job}", "jobs", ""),
    ("wait.seconds", "histogram", "s", "wait_seconds", ""),
    ("speed", "gauge", "m/s", "speed_meters_per_second", ""),
    ("rate", "gauge", "{request}/s", "rate_per_second", ""),
    ("share", "gauge", "%", "share_percent", ""),
    ("3d-renders", "counter", "", "_3d_renders", ""),
    ("a//b--c", "counter", "", "a_b_c", ""),
    ("odd", "gauge", "o-d/d", "odd_o_d_per_day", ""),
]


@pytest.mark.parametrize(("name", "kind", "unit", "expected", "_"), FAMILIES)
def test_families(name: str, kind: Kind, unit: str, expected: str, _: str) -> None:
    assert names.family(name, kind, unit)[0] == expected


@pytest.mark.parametrize(("name", "kind", "unit", "expected", "_"), FAMILIES)
def test_a_unit_is_what_the_name_ends_with(
    name: str, kind: Kind, unit: str, expected: str, _: str
) -> None:
    shown = names.family(name, kind, unit)[1]
    assert not shown or expected.endswith(f"_{shown}")
    assert bool(shown) == (unit in ("s", "By", "USD", "m/s", "{request}/s", "%", "o-d/d"))


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        ("http.route", "http_route"),
        ("otel.metric.overflow", "otel_metric_overflow"),
        ("1st", "key_1st"),
        ("_private", "key_private"),
        ("__name__", "key_name_"),
        ("le", "exported_le"),
        ("ümlaut", "key_mlaut"),
        ("", "key"),
    ],
)
def test_labels(attribute: str, expected: str) -> None:
    assert names.label(attribute) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", "text"),
        (True, "true"),
        (200, "200"),
        (1.5, "1.5"),
        (["a", "b"], '["a", "b"]'),
        (None, "null"),
    ],
)
def test_values(value: Any, expected: str) -> None:
    assert names.labels({"a": value}) == (("a", expected),)


def test_labels_are_sorted_whatever_their_order() -> None:
    assert names.labels({"b": 1, "a": 2}) == names.labels({"a": 2, "b": 1})


def test_values_of_attributes_with_one_label_are_joined() -> None:
    assert names.labels({"a.b": "x", "c": "z", "a_b": "y"}) == (("a_b", "x;y"), ("c", "z"))
