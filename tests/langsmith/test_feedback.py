"""The thread that gives feedback: without it, and with handlers that come back to it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from otelkit.langsmith import _feedback, _lost


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The keys of what was given, in this order."""
    keys: list[str] = []
    monkeypatch.setattr(_feedback, "_give", lambda one: keys.append(one.key))
    monkeypatch.setattr(_lost, "_quiet_until", 0.0)
    monkeypatch.setattr(_lost, "_untold", 0)
    yield keys
    if (worker := _feedback._worker) is not None:
        worker.join(30)
    assert not _feedback._waiting


def give(key: str) -> None:
    nothing: Any = None
    _feedback.give(nothing, nothing, key, 1, None)


def test_it_is_given_again_once_threads_can_be_started_again(
    given: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        give("first")
    assert "'first' is lost: no thread can be started" in caplog.text
    give("second")
    if (worker := _feedback._worker) is not None:
        worker.join(30)
    assert given == ["second"]


def test_a_handler_of_the_warning_may_give_feedback(
    given: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Complaint(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            give("complaint")

    monkeypatch.setattr(_feedback, "_CAPACITY", 0)
    handler = Complaint()
    _lost.logger.addHandler(handler)
    try:
        giving = threading.Thread(target=give, args=("first",), daemon=True)
        giving.start()
        giving.join(30)
        assert not giving.is_alive()
    finally:
        _lost.logger.removeHandler(handler)
    assert given == []
