"""The page, in a real browser."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from otelkit.viewer import Viewer

from .client import START, TRACE, attributes, log, logs, post, span, traces
from .conftest import CHROMIUM

FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
EVIL = "<img src=x onerror=alert(1)><script>alert(2)</script>\"'>javascript:alert(3)"
MESSAGES = json.dumps(
    [
        {"role": "user", "parts": [{"type": "text", "content": "What is in order 7?"}]},
        {
            "role": "assistant",
            "parts": [
                {"type": "text", "content": "Let me look."},
                {"type": "tool_call", "id": "1", "name": "find", "arguments": {"order": 7}},
            ],
        },
    ]
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser, viewer: Viewer) -> Iterator[Page]:
    """A page at the viewer; the test fails when any script or policy of it complains."""
    page = browser.new_page(base_url=viewer.url)
    page.set_default_timeout(10_000)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
    page.on("console", lambda message: complaints.append(message.text))
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    yield page
    page.close()
    assert complaints == []
    assert [url for url in requested if not url.startswith(viewer.url)] == []


def send_orders(viewer: Viewer) -> None:
    """One failing request with every kind of span, one short good one, and logs."""
    failure = {
        "name": "exception",
        "timeUnixNano": str(START + 90_000_000),
        "attributes": attributes(
            {
                "exception.type": "shop.OutOfStock",
                "exception.message": "no shirts left",
                "exception.stacktrace": 'Traceback\n  File "shop.py", line 7',
            }
        ),
    }

    def gen_ai(operation: str) -> dict[str, Any]:
        return {"gen_ai__operation__name": operation}

    post(
        viewer,
        "traces",
        traces(
            span(1, "POST /orders", ms=100, error="no shirts left", http__route="/orders"),
            span(2, "invoke_workflow sell", parent=1, at=5, ms=90, **gen_ai("invoke_workflow")),
            span(3, "stage plan", parent=2, at=10, ms=40, otelkit__stage__name="plan"),
            span(4, "invoke_agent clerk", parent=3, at=11, ms=38, **gen_ai("invoke_agent")),
            span(
                5,
                "chat small",
                parent=4,
                at=12,
                ms=30,
                gen_ai__input__messages=MESSAGES,
                gen_ai__usage__input_tokens=1200,
                gen_ai__usage__output_tokens=34,
                gen_ai__usage__cost__amount=0.0123,
                **gen_ai("chat"),
            ),
            span(
                6,
                "execute_tool find",
                parent=2,
                at=60,
                ms=35,
                error="no shirts left",
                events=[failure],
                **gen_ai("execute_tool"),
            ),
            span(7, "SELECT orders", parent=6, at=61, ms=3, db__query__text="SELECT 1"),
            service="shop",
        ),
    )
    post(viewer, "traces", traces(span(1, "GET /", trace="b" * 32, at=200), service="front"))
    post(
        viewer,
        "logs",
        logs(log("order taken", number=1, at=2), log("nothing left", number=6, at=91, severity=17)),
    )


def test_an_empty_viewer_says_how_to_fill_it(page: Page, viewer: Viewer) -> None:
    page.goto("/")
    expect(page.get_by_text("Waiting for the first trace")).to_be_visible()
    expect(page.get_by_text(f"OTEL_EXPORTER_OTLP_ENDPOINT={viewer.url}")).to_be_visible()


def test_the_list_shows_sums_and_is_filtered(page: Page, viewer: Viewer) -> None:
    send_orders(viewer)
    page.goto("/")
    expect(page.locator("a.row .what b")).to_have_text(["GET /", "POST /orders"])
    order = page.locator("a.row", has_text="POST /orders")
    for text in ("shop", "2 errors", "100 ms", "7", "1,200 → 34", "$0.0123"):
        expect(order).to_contain_text(text)

    page.get_by_role("button", name="Errors only").click()
    expect(page.locator("a.row .what b")).to_have_text(["POST /orders"])
    page.get_by_role("button", name="Errors only").click()
    page.get_by_label("Service").select_option("front")
    expect(page.locator("a.row .what b")).to_have_text(["GET /"])
    page.get_by_label("Service").select_option("")
    page.keyboard.press("/")
    page.keyboard.type("clerk")
    expect(page.locator("a.row .what b")).to_have_text(["POST /orders"])
    page.keyboard.type(" of nowhere")
    expect(page.get_by_text("No trace matches")).to_be_visible()


def test_a_click_opens_the_waterfall_in_order(page: Page, viewer: Viewer) -> None:
    send_orders(viewer)
    page.goto("/")
    page.get_by_text("POST /orders").click()
    tree = page.get_by_role("treeitem")
    expect(tree.locator(".label")).to_have_text(
        [
            "POST /orders",
            "invoke_workflow sell",
            "stage plan",
            "invoke_agent clerk",
            "chat small",
            "execute_tool find",
            "SELECT orders",
        ]
    )
    levels = [row.get_attribute("aria-level") for row in tree.all()]
    assert levels == ["1", "2", "3", "4", "5", "3", "4"]
    kinds = [str(row.get_attribute("class")).split("kind-")[1].split()[0] for row in tree.all()]
    assert kinds == ["http", "workflow", "stage", "agent", "llm", "tool", "db"]
    boxes = [row.locator(".bar").bounding_box() for row in tree.all()]
    lefts = [box["x"] for box in boxes if box]
    assert lefts == sorted(lefts)
    widths = [box["width"] for box in boxes if box]
    assert widths[0] == max(widths)


def test_where_it_failed_is_chosen_first_with_its_exception_and_logs(
    page: Page, viewer: Viewer
) -> None:
    send_orders(viewer)
    page.goto(f"/#/trace/{TRACE}")
    chosen = page.locator("[role=treeitem][aria-selected=true]")
    expect(chosen).to_contain_text("execute_tool find")
    detail = page.get_by_label("Span", exact=True)
    expect(detail.locator(".exception b")).to_have_text("shop.OutOfStock")
    expect(detail.locator(".exception")).to_contain_text("no shirts left")
    detail.get_by_text("Stack trace").click()
    expect(detail.get_by_text('File "shop.py", line 7')).to_be_visible()
    expect(detail.locator(".log .message")).to_have_text(["nothing left"])
    expect(page.locator(".trace-logs .log .message")).to_have_text(["order taken", "nothing left"])

    page.locator(".trace-logs .log", has_text="order taken").get_by_role("button").click()
    expect(chosen).to_contain_text("POST /orders")
    assert page.url.endswith(f"#/trace/{TRACE}/0000000000000001")


def test_an_llm_call_shows_its_messages_usage_and_attributes(page: Page, viewer: Viewer) -> None:
    send_orders(viewer)
    page.goto(f"/#/trace/{TRACE}/0000000000000005")
    detail = page.get_by_label("Span", exact=True)
    expect(detail.locator("h2")).to_have_text("chat small")
    expect(detail.locator(".message")).to_have_count(2)
    expect(detail.locator(".message.user p")).to_have_text("What is in order 7?")
    expect(detail.locator(".message.assistant")).to_contain_text("find()")
    expect(detail.locator(".message.assistant pre")).to_contain_text('"order": 7')
    expect(detail.locator(".facts", has_text="Input tokens")).to_contain_text("1,200")
    row = detail.locator(".attributes > div", has_text="gen_ai.usage.cost.amount")
    expect(row.locator("dd")).to_have_text("0.0123")


def test_the_keyboard_goes_everywhere(page: Page, viewer: Viewer) -> None:
    send_orders(viewer)
    page.goto("/")
    expect(page.locator("a.row")).to_have_count(2)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    chosen = page.locator("[role=treeitem][aria-selected=true]")
    expect(chosen).to_contain_text("execute_tool find")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    expect(chosen).to_contain_text("invoke_workflow sell")
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("treeitem")).to_have_count(2)
    expect(chosen).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("End")
    expect(chosen).to_contain_text("SELECT orders")
    page.keyboard.press("Escape")
    expect(page.locator("a.row")).to_have_count(2)


def test_what_arrives_appears_and_the_choice_stays(page: Page, viewer: Viewer) -> None:
    send_orders(viewer)
    page.goto(f"/#/trace/{TRACE}/0000000000000005")
    detail = page.get_by_label("Span", exact=True)
    detail.get_by_text("Resource").click()
    expect(detail.get_by_text("service.name")).to_be_visible()
    page.locator(".trace-logs .message", has_text="order taken").click()
    opened = page.locator(".trace-logs details[open]")
    expect(opened).to_contain_text("order taken")
    page.get_by_role("treeitem").first.locator(".twist").click()
    expect(page.get_by_role("treeitem")).to_have_count(1)
    page.get_by_role("treeitem").first.locator(".twist").click()

    post(viewer, "traces", traces(span(8, "late child", parent=1, at=98)))
    expect(page.get_by_role("treeitem", name="late child")).to_be_visible()
    expect(page.locator("[role=treeitem][aria-selected=true]")).to_contain_text("chat small")
    expect(detail.get_by_text("service.name")).to_be_visible()
    expect(opened).to_contain_text("order taken")


def test_a_trace_that_has_not_arrived_appears_when_it_does(
    browser: Browser, viewer: Viewer
) -> None:
    page = browser.new_page(base_url=viewer.url)  # a 404 is a line on the console
    page.goto(f"/#/trace/{TRACE}")
    expect(page.get_by_text("has not arrived")).to_be_visible()
    send_orders(viewer)
    expect(page.get_by_role("treeitem")).to_have_count(7)
    page.close()


def test_it_says_so_when_the_viewer_is_gone(browser: Browser) -> None:
    with Viewer(port=0) as viewer:
        page = browser.new_page(base_url=viewer.url)
        page.goto("/")
        expect(page.get_by_role("status")).to_have_text("Live")
    expect(page.get_by_role("status")).to_have_text("Viewer not running")
    page.close()


def test_logs_and_metrics_have_their_tabs(page: Page, viewer: Viewer) -> None:
    send_orders(viewer)
    post(viewer, "logs", logs(log("a line of no trace", at=500)))
    points: list[dict[str, Any]] = [
        {"asInt": "41", "attributes": attributes({"kind": "new"})},
        {"asDouble": 0.5, "attributes": attributes({"kind": "old"})},
    ]
    buckets = {"count": "3", "sum": 6.0, "explicitBounds": [1, 2], "bucketCounts": ["1", "2", "0"]}
    metrics = [
        {"name": "orders", "unit": "{order}", "sum": {"dataPoints": points}},
        {"name": "wait", "unit": "s", "histogram": {"dataPoints": [buckets]}},
    ]
    post(viewer, "metrics", {"resourceMetrics": [{"scopeMetrics": [{"metrics": metrics}]}]})

    page.goto("/")
    page.get_by_role("link", name="Logs").click()
    expect(page.locator(".log .message")).to_have_text(
        ["a line of no trace", "nothing left", "order taken"]
    )
    page.get_by_label("Filter").fill("left")
    expect(page.locator(".log .message")).to_have_text(["nothing left"])
    page.get_by_role("link", name="Metrics").click()
    orders = page.locator("article", has_text="orders")
    expect(orders.locator(".value")).to_have_text(["41", "0.5"])
    wait = page.locator("article", has_text="wait")
    expect(wait.locator(".value")).to_have_text("3 valuesmean 2 s")
    expect(wait.locator(".histogram i")).to_have_count(2)


def orders_of(instance: str, seconds_ago: float, number: int) -> dict[str, Any]:
    """The resource metrics of one instance of a service."""
    resource = attributes({"service.name": "shop", "service.instance.id": instance})
    time_ns = time.time_ns() - int(seconds_ago * 1e9)
    points = [{"asInt": str(number), "timeUnixNano": str(time_ns)}]
    metric = {"name": "orders", "sum": {"dataPoints": points}}
    return {"resource": {"attributes": resource}, "scopeMetrics": [{"metrics": [metric]}]}


def test_metrics_of_instances_that_have_ended_are_folded(page: Page, viewer: Viewer) -> None:
    ended = [orders_of("a", 900, 1), orders_of("b", 600, 2)]
    post(viewer, "metrics", {"resourceMetrics": [*ended, orders_of("c", 0, 3)]})
    page.goto("/#/metrics")
    values = page.locator("article .value")
    expect(page.locator("article > .series .value")).to_have_text(["3"])
    expect(values.last).not_to_be_visible()
    page.get_by_text("2 series of 2 ended instances").click()
    expect(values).to_have_text(["3", "1", "2"])
    post(viewer, "metrics", {"resourceMetrics": [orders_of("c", 0, 4)]})
    expect(values).to_have_text(["4", "1", "2"])
    expect(values.last).to_be_visible()  # what was opened stays open


def test_the_latest_instance_of_a_service_is_shown_though_it_has_ended(
    page: Page, viewer: Viewer
) -> None:
    metrics = [orders_of("a", 900, 1), orders_of("b", 600, 2)]
    post(viewer, "metrics", {"resourceMetrics": metrics})
    page.goto("/#/metrics")
    expect(page.locator("article > .series .value")).to_have_text(["2"])


def test_a_request_without_a_route_is_named_by_its_path_and_status(
    page: Page, viewer: Viewer
) -> None:
    lost = span(1, "GET", url__path="/nothing", http__response__status_code=404)
    post(viewer, "traces", traces(lost | {"kind": 2}, service="front"))
    page.goto("/")
    expect(page.locator("a.row .what")).to_contain_text("GET404 /nothing")


def test_a_narrow_window_shows_everything_without_scrolling_sideways(
    page: Page, viewer: Viewer
) -> None:
    send_orders(viewer)
    post(viewer, "metrics", {"resourceMetrics": [orders_of("a", 0, 1)]})
    page.set_viewport_size({"width": 400, "height": 800})
    views = {"/": "a.row", f"/#/trace/{TRACE}": "[role=treeitem]", "/#/logs": ".log"}
    for path, item in {**views, "/#/metrics": "article"}.items():
        page.goto(path)
        expect(page.locator(item).first).to_be_visible()
        overflow = "document.querySelector('main').scrollWidth - innerWidth"
        assert page.evaluate(overflow) <= 0, path
        if "trace" not in path:
            expect(page.get_by_placeholder("/ to")).to_be_visible()


def test_nothing_that_arrives_becomes_markup_or_runs(page: Page, viewer: Viewer) -> None:
    event = {
        "name": EVIL,
        "timeUnixNano": str(START),
        "attributes": attributes({EVIL: EVIL}),
    }
    exception = {
        "name": "exception",
        "attributes": attributes(
            {f"exception.{part}": EVIL for part in ("type", "message", "stacktrace")}
        ),
    }
    messages = json.dumps([{"role": EVIL, "parts": [{"type": EVIL, "x": EVIL}, EVIL]}, EVIL, None])
    evil = span(
        1,
        EVIL,
        error=EVIL,
        events=[event, exception],
        gen_ai__operation__name=EVIL,
        gen_ai__input__messages=messages,
        gen_ai__output__messages=EVIL,
        otelkit__input=EVIL,
        gen_ai__provider__name=EVIL,
    )
    evil["attributes"] += attributes({EVIL: EVIL, "__proto__": EVIL})
    evil["links"] = [{"traceId": TRACE, "spanId": "1" * 16, "attributes": attributes({EVIL: EVIL})}]
    post(viewer, "traces", traces(evil, service=EVIL))
    record = log(EVIL, number=1) | {"severityText": EVIL, "attributes": attributes({EVIL: EVIL})}
    post(viewer, "logs", logs(record, service=EVIL))
    point = {"asInt": "1", "attributes": attributes({EVIL: EVIL})}
    metric = {"name": EVIL, "unit": EVIL, "description": EVIL, "gauge": {"dataPoints": [point]}}
    post(viewer, "metrics", {"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]})

    page.goto("/")
    expect(page.locator("a.row .what b")).to_have_text([EVIL])
    page.locator("a.row").click()
    detail = page.get_by_label("Span", exact=True)
    expect(detail.locator("h2")).to_have_text(EVIL)
    expect(detail.locator(".exception b")).to_have_text(EVIL)
    for folded in page.locator("summary").all():
        folded.click()
    assert page.locator("main img, main script, main [onerror]").count() == 0
    page.get_by_role("link", name="Logs").click()
    expect(page.locator(".log .message")).to_have_text([EVIL])
    page.get_by_role("link", name="Metrics").click()
    expect(page.locator("article h2")).to_have_text(EVIL)
    assert page.locator("main img, main script, main [onerror]").count() == 0


def test_thousands_of_spans_with_cycles_and_lost_parents_are_shown(
    page: Page, viewer: Viewer
) -> None:
    many = [span(number, f"span {number}", parent=number - 1) for number in range(2, 3001)]
    circle = [span(9001, "circle a", parent=9002), span(9002, "circle b", parent=9001)]
    itself = [span(9003, "own parent", parent=9003)]
    post(viewer, "traces", traces(*many, *circle, *itself))
    page.goto(f"/#/trace/{TRACE}")
    expect(page.get_by_role("treeitem")).to_have_count(3002)
    expect(page.get_by_text("parent missing")).to_have_count(1)
    page.locator(".twist").first.click()
    expect(page.get_by_role("treeitem")).to_have_count(4)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_follows_the_colour_scheme_of_the_system(
    browser: Browser, viewer: Viewer, scheme: Literal["light", "dark"]
) -> None:
    page = browser.new_page(base_url=viewer.url, color_scheme=scheme)
    page.goto("/")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(int(part) for part in background.strip("rgb()").split(","))
    assert (brightness > 600) == (scheme == "light")
    page.close()
