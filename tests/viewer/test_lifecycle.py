"""Starting, waiting and ending."""

from __future__ import annotations

import threading

import pytest

from otelkit.errors import ConfigError
from otelkit.viewer import Viewer

from .client import ask, post, span, traces


def test_wait_for_gives_what_the_predicate_found(viewer: Viewer) -> None:
    assert viewer.wait_for(lambda _: "at once") == "at once"
    sender = threading.Thread(target=lambda: post(viewer, "traces", traces(span(1, "late"))))
    sender.start()
    spans = viewer.wait_for(lambda store: store.spans())
    sender.join()
    assert [record["name"] for record in spans] == ["late"]


def test_wait_for_says_what_arrived_when_time_is_over(viewer: Viewer) -> None:
    post(viewer, "traces", traces(span(1)))
    with pytest.raises(TimeoutError, match="received so far: 1 spans, 0 logs, 0 metrics"):
        viewer.wait_for(lambda store: len(store.spans()) == 2, timeout=0.01)


def test_a_port_in_use_is_a_clear_error(viewer: Viewer) -> None:
    with pytest.raises(ConfigError, match=rf"127\.0\.0\.1:{viewer.port}: .*another port"):
        Viewer(port=viewer.port)


def test_closing_twice_and_closing_what_never_started_are_fine() -> None:
    viewer = Viewer(port=0)
    viewer.close()
    viewer.close()
    with Viewer(port=0) as viewer:
        pass
    viewer.close()


def test_the_port_is_free_again_afterwards() -> None:
    with Viewer(port=0) as viewer:
        ask(viewer, "/health")
    with Viewer(port=viewer.port) as again:
        assert ask(again, "/health").status == 200


def test_no_thread_outlives_it() -> None:
    before = set(threading.enumerate())
    with Viewer(port=0) as viewer:
        ask(viewer, "/health")
        started = set(threading.enumerate()) - before
    for thread in started:
        thread.join(10)
        assert not thread.is_alive()


@pytest.mark.parametrize(
    ("host", "url"), [("127.0.0.1", "http://127.0.0.1:"), ("0.0.0.0", "http://127.0.0.1:")]
)
def test_the_url_is_one_that_a_browser_opens(host: str, url: str) -> None:
    viewer = Viewer(host, port=0)
    assert viewer.url == f"{url}{viewer.port}"
    viewer.close()


def test_listens_on_ipv6() -> None:
    with Viewer("::1", port=0) as viewer:
        assert viewer.url == f"http://[::1]:{viewer.port}"
        assert ask(viewer, "/health").status == 200
