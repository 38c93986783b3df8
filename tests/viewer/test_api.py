"""What the JSON API answers."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from otelkit.viewer import Viewer

from .client import START, TRACE, ask, log, logs, post, span, traces

OTHER = "1" * 32
LLM: dict[str, Any] = {
    "gen_ai__operation__name": "chat",
    "gen_ai__usage__input_tokens": 100,
    "gen_ai__usage__output_tokens": 20,
    "gen_ai__usage__cost__amount": 0.25,
}


def listed(viewer: Viewer, query: str = "") -> list[str]:
    answer = ask(viewer, f"/api/traces{query}")
    assert answer.status == 200
    return [trace["name"] for trace in answer.json["traces"]]


def test_lists_traces_newest_first_with_their_sums(viewer: Viewer) -> None:
    post(viewer, "traces", traces(span(1, "old", trace=OTHER, at=-5000)))
    post(
        viewer,
        "traces",
        traces(
            span(2, "chat a", parent=1, at=2, ms=30, **LLM),
            span(3, "chat b", parent=1, at=40, ms=50, error="rate limit", **LLM),
            span(1, "POST /orders", at=0, ms=80),
        ),
    )
    post(viewer, "traces", traces(span(4, "charge", parent=3, at=50), service="payments"))

    answer = ask(viewer, "/api/traces").json
    newest, oldest = answer["traces"]
    assert newest == {
        "trace_id": TRACE,
        "name": "POST /orders",
        "detail": None,
        "service": "shop",
        "services": ["payments", "shop"],
        "start_unix_nano": START,
        "end_unix_nano": START + 90_000_000,
        "duration_ms": 90.0,
        "span_count": 4,
        "error_count": 1,
        "input_tokens": 200,
        "output_tokens": 40,
        "cost": 0.5,
    }
    assert (oldest["name"], oldest["cost"], oldest["input_tokens"]) == ("old", None, 0)
    assert answer["services"] == ["payments", "shop"]


def test_counts_usage_once_where_agents_and_nested_calls_repeat_it(viewer: Viewer) -> None:
    agent = LLM | {"gen_ai__operation__name": "invoke_agent"}
    tokens_only: dict[str, Any] = {k: v for k, v in LLM.items() if "cost" not in k}
    post(
        viewer,
        "traces",
        traces(
            span(1, "invoke_agent", **agent),
            span(2, "chat of a framework", parent=1, **tokens_only),
            span(3, "chat of the client", parent=2, **LLM),
        ),
    )
    (trace,) = ask(viewer, "/api/traces").json["traces"]
    assert (trace["input_tokens"], trace["output_tokens"], trace["cost"]) == (100, 20, 0.25)


def test_a_trace_without_its_root_is_named_by_its_first_span(viewer: Viewer) -> None:
    post(viewer, "traces", traces(span(3, "later", parent=1, at=9), span(2, "first", parent=1)))
    assert listed(viewer) == ["first"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?q=refund", ["refund"]),
        ("?q=REFUND", ["refund"]),
        ("?q=blue%20shirt", ["order"]),
        ("?q=sku", ["order"]),
        ("?q=card%20declined", ["refund"]),
        ("?q=%22quoted%22%20text", ["order"]),
        ("?q=100%25", ["order"]),
        ("?q=50%25", []),
        ("?q=_", []),
        ("?q=größe", ["order"]),
        ("?q=came+by+event", ["order"]),
        ("?q=" + OTHER[:8], ["refund"]),
        ("?q=events", []),
        ("?q=time_unix_nano", []),
        ("?q=attributes", []),
        ("?q=nothing+like+it", []),
        ("?service=payments", ["refund"]),
        ("?service=payments&q=blue", []),
        ("?service=nobody", []),
        ("?errors=1", ["refund"]),
        ("?errors=0", ["refund", "order"]),
        ("?limit=1", ["refund"]),
        ("?q=" + "x" * 60_000, []),
    ],
)
def test_finds_traces(viewer: Viewer, query: str, names: list[str]) -> None:
    note = 'a "quoted" text, 100% Größe größe'
    event = {"name": "came by event", "timeUnixNano": str(START)}
    post(viewer, "traces", traces(span(1, "order", sku="blue shirt", note=note, events=[event])))
    post(
        viewer,
        "traces",
        traces(span(1, "refund", trace=OTHER, at=10, error="card declined"), service="payments"),
    )
    encoded = query.replace("ö", "%C3%B6").replace("ß", "%C3%9F")
    assert listed(viewer, encoded) == names


@pytest.mark.parametrize("limit", ["0", "-1", "x", "1e3", "٣", "", "9" * 30])
def test_a_limit_that_is_no_number_is_400(viewer: Viewer, limit: str) -> None:
    answer = ask(viewer, f"/api/traces?limit={quote(limit)}")
    expected = 200 if limit == "" else 400  # an empty parameter is no parameter
    assert answer.status == expected


def test_gives_one_trace_with_spans_by_time_and_logs(viewer: Viewer) -> None:
    post(viewer, "traces", traces(span(2, "second", parent=1, at=5), span(1, "first", ms=9)))
    post(viewer, "logs", logs(log("later", number=2, at=6), log("early", number=1, at=1)))
    post(viewer, "logs", logs(log("of no trace")))

    trace = ask(viewer, f"/api/traces/{TRACE.upper()}").json
    assert [item["name"] for item in trace["spans"]] == ["first", "second"]
    assert [item["body"] for item in trace["logs"]] == ["early", "later"]
    assert (trace["name"], trace["duration_ms"], trace["span_count"]) == ("first", 9.0, 2)
    assert trace["spans"][1]["parent_id"] == trace["spans"][0]["span_id"]


def test_an_unknown_trace_is_404(viewer: Viewer) -> None:
    answer = ask(viewer, f"/api/traces/{TRACE}")
    assert answer.status == 404
    assert TRACE in answer.json["message"]


def test_gives_logs_of_a_trace_or_the_latest(viewer: Viewer) -> None:
    for number in range(5):
        post(viewer, "logs", logs(log(f"line {number}", number=1 if number < 2 else None)))
    latest = ask(viewer, "/api/logs?limit=3").json["logs"]
    assert [item["body"] for item in latest] == ["line 2", "line 3", "line 4"]
    of_trace = ask(viewer, f"/api/logs?trace_id={TRACE}").json["logs"]
    assert [item["body"] for item in of_trace] == ["line 0", "line 1"]


def test_an_unchanged_answer_is_not_sent_again(viewer: Viewer) -> None:
    tag = ask(viewer, "/api/traces").headers["ETag"]
    again = ask(viewer, "/api/traces", If_None_Match=tag)
    assert (again.status, again.body) == (304, b"")
    post(viewer, "traces", traces(span(1)))
    assert ask(viewer, "/api/traces", If_None_Match=tag).status == 200


def test_serves_the_page_with_a_strict_policy(viewer: Viewer) -> None:
    page = ask(viewer, "/")
    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = page.headers["Content-Security-Policy"]
    for part in ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"):
        assert part in policy
    assert "unsafe" not in policy
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert b"<script>" not in page.body
    head = ask(viewer, "/", method="HEAD")
    assert (head.headers["Content-Length"], head.body) == (str(len(page.body)), b"")


def test_health(viewer: Viewer) -> None:
    assert ask(viewer, "/health").json == {"status": "healthy"}
