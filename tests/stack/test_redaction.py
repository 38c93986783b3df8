"""Secrets that applications without otelkit send: what the collector hides, and what it leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import otlp
from .destinations import Jaeger, Loki, attribute_map
from .programs import Collector, until

pytestmark = pytest.mark.stack

KEYS = [
    "password",
    "db.Password",
    "DB_PASSWD",
    "passphrase",
    "client_secret",
    "AWS_SECRET",
    "credentials",
    "http.request.header.authorization",
    "Proxy-Authorization",
    "http.request.header.cookie",
    "Set-Cookie",
    "api_key",
    "apiKey",
    "X-API-KEY",
    "private_key",
    "accessKey",
    "access.token",
    "refresh_token",
    "refreshToken",
    "authToken",
    "SESSION_TOKEN",
]
VALUES = [
    "postgresql://shop:hush@db/shop",
    "Bearer abcdefghijklmnop0123",
    "sk-proj-abcdefghijklmnop0123",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "ghp_abcdefghijklmnopqrst0123",
    "AKIAABCDEFGHIJKLMNOP",
]
OPEN = {
    "gen_ai.usage.input_tokens": "1200",
    "gen_ai.token.type": "input",
    "http.route": "/keys/{id}",
    "otelkit.request.id": "4bf92f3577b34da6a3ce929d0e0e4736",
    "gen_ai.input.messages": "Which password rules are usual?",
}


def test_secrets_are_hidden_in_spans_and_lines_and_nothing_else_is(
    otelcol: str, tmp_path: Path
) -> None:
    secret = dict.fromkeys(KEYS, "hush") | {f"value.{n}": v for n, v in enumerate(VALUES)}
    with Jaeger() as jaeger, Loki() as loki:
        env = {"JAEGER_ENDPOINT": f"127.0.0.1:{jaeger.port}", "LOKI_ENDPOINT": loki.url}
        with Collector(otelcol, tmp_path, env=env) as collector:
            spans = otlp.traces([otlp.span(**secret, **OPEN)])
            records = otlp.logs([otlp.record("line", **secret, **OPEN)])
            assert otlp.send(collector.http, "traces", spans) == 200
            assert otlp.send(collector.http, "logs", records) == 200
            until(lambda: jaeger.spans and loki.lines, 60, "both arrive")
        shown = attribute_map(jaeger.spans[0].attributes)
        _, _, line = loki.lines[0]

    assert {name for name in secret if "hush" in shown[name] or shown[name] in VALUES} == set()
    assert {name: shown[name] for name in OPEN} == OPEN
    assert not {value for value in line.values() if "hush" in value or value in VALUES}
    assert line["gen_ai_usage_input_tokens"] == "1200"


def test_secrets_are_hidden_in_labels_and_nothing_else_is(otelcol: str, tmp_path: Path) -> None:
    secret = dict.fromkeys(KEYS, "hush") | {f"value.{n}": v for n, v in enumerate(VALUES)}
    of_service = {**otlp.RESOURCE, "db.password": "hush", "db.url": VALUES[0], "team": "till"}
    with Collector(otelcol, tmp_path) as collector:
        body = otlp.metrics([otlp.gauge("depth", **secret, **OPEN)], of_service)
        assert otlp.send(collector.http, "metrics", body) == 200
        page = until(lambda: (p := collector.page()).get("depth") and p, 60, "it is on the page")
    [(labels, value)] = page["depth"]
    [(service, _)] = page["target_info"]

    assert value == 1.0
    shown = [*labels.values(), *service.values()]
    assert [one for one in shown if "hush" in one or one in VALUES] == []
    assert {name: labels[name.replace(".", "_")] for name in OPEN} == OPEN
    assert (service["job"], service["team"]) == ("shop", "till")
