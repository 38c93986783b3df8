from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from otelkit import ConfigError, health
from otelkit.health import registry
from tests.health.conftest import only, report
from tests.processes import python


def raises(error: BaseException) -> Callable[[], Any]:
    def check() -> None:
        raise error

    return check


async def true() -> bool:
    return True


def coroutine() -> Any:
    return true()


async def fails() -> None:
    raise ConnectionError("no route to host")


class Callables:
    def method(self) -> bool:
        return False

    async def __call__(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("check", "status", "message"),
    [
        (lambda: None, "healthy", ""),
        (lambda: True, "healthy", ""),
        (lambda: "PONG", "healthy", ""),
        (lambda: False, "unhealthy", "the check returned False"),
        (lambda: 0, "unhealthy", "the check returned 0"),
        (true, "healthy", ""),
        (coroutine, "healthy", ""),
        (functools.partial(true), "healthy", ""),
        (Callables(), "healthy", ""),
        (Callables().method, "unhealthy", "the check returned False"),
        (fails, "unhealthy", "ConnectionError: no route to host"),
        (raises(ValueError("wrong")), "unhealthy", "ValueError: wrong"),
        (raises(StopIteration()), "unhealthy", "StopIteration"),
        (raises(SystemExit(3)), "unhealthy", "SystemExit: 3"),
        (raises(KeyboardInterrupt()), "unhealthy", "KeyboardInterrupt"),
        (lambda: health.Result("degraded", "slow"), "degraded", "slow"),
    ],
)
def test_what_a_check_returns_or_raises_is_its_status(
    check: Callable[[], Any], status: str, message: str
) -> None:
    health.register("database", check)
    found = only()
    assert (found.name, found.status, found.message) == ("database", status, message)


def test_there_are_three_statuses() -> None:
    health.register("database", lambda: health.Result("sick"))  # type: ignore[arg-type]
    assert only().message == (
        "ConfigError: status 'sick': expected one of healthy, degraded, unhealthy"
    )


async def exits() -> None:
    sys.exit(3)


async def cancels() -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize(
    ("check", "message"), [(exits, "SystemExit: 3"), (cancels, "the check was cancelled")]
)
def test_asynchronous_code_cannot_end_the_event_loop(
    check: Callable[[], Any], message: str
) -> None:
    health.register("database", check)
    assert (only().status, only().message) == ("unhealthy", message)


@pytest.mark.parametrize(
    ("critical", "other", "whole"),
    [
        ("healthy", "healthy", "healthy"),
        ("healthy", "degraded", "degraded"),
        ("healthy", "unhealthy", "degraded"),
        ("degraded", "healthy", "degraded"),
        ("degraded", "unhealthy", "degraded"),
        ("unhealthy", "healthy", "unhealthy"),
        ("unhealthy", "unhealthy", "unhealthy"),
    ],
)
def test_only_a_critical_component_makes_the_whole_unhealthy(
    critical: Any, other: Any, whole: str
) -> None:
    health.register("other", lambda: health.Result(other), critical=False)
    health.register("critical", lambda: health.Result(critical))
    assert report().status == whole


def test_without_checks_a_service_is_healthy() -> None:
    assert report().status == "healthy"
    assert report().components == {}


def test_the_decorator_registers_and_leaves_the_function_as_it_is() -> None:
    @health.check("llm", timeout=1.0, critical=False)
    async def llm() -> bool:
        return False

    assert asyncio.run(llm()) is False
    assert report().status == "degraded"


def test_a_check_of_the_same_name_is_replaced() -> None:
    health.register("database", lambda: False)
    assert only().status == "unhealthy"
    health.register("database", lambda: True)
    assert only().status == "healthy"


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        (("", print), {}, "the name is a text"),
        ((3, print), {}, "the name is a text"),
        (("a", None), {}, "expected a function, got NoneType"),
        (("a", True), {}, "give the function itself, without calling it"),
        (("a", print), {"timeout": 0}, "timeout 0 is no number of seconds"),
        (("a", print), {"timeout": float("nan")}, "is no number of seconds"),
        (("a", print), {"timeout": "2"}, "timeout '2' is no number of seconds"),
        (("a", print), {"timeout": True}, "is no number of seconds"),
    ],
)
def test_wrong_arguments_are_told_at_once(arguments: Any, options: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        health.register(*arguments, **options)


def test_checks_run_at_the_same_time() -> None:
    together = threading.Barrier(3)

    async def other() -> None:
        await asyncio.to_thread(together.wait, 10)

    health.register("one", lambda: together.wait(10) >= 0, timeout=10)
    health.register("two", lambda: together.wait(10) >= 0, timeout=10)
    health.register("three", other, timeout=10)
    assert report().status == "healthy"


def test_a_storm_of_reports_costs_one_run() -> None:
    runs = []
    health.register("thread", lambda: (time.sleep(0.05), runs.append("thread")))
    health.register("loop", _slowly(lambda: runs.append("loop")))

    async def storm() -> None:
        found = await asyncio.gather(*(health.report() for _ in range(200)))
        assert {each.status for each in found} == {"healthy"}
        await health.report()

    asyncio.run(storm())
    assert sorted(runs) == ["loop", "thread"]


def test_a_storm_from_many_threads_costs_one_run() -> None:
    runs = []
    health.register("database", lambda: (time.sleep(0.2), runs.append("thread")))
    threads = [threading.Thread(target=report) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert runs == ["thread"]


def _slowly(function: Callable[[], Any]) -> Callable[[], Any]:
    async def check() -> None:
        await asyncio.sleep(0.05)
        function()

    return check


def test_a_result_is_kept_for_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([True, False])
    health.register("database", lambda: next(answers))
    assert only().status == only().status == "healthy"
    (check,) = registry.checks()
    monkeypatch.setattr(registry, "FRESH", check.age)
    assert only().status == "unhealthy"


def test_an_asynchronous_check_is_cancelled_in_time_and_begun_again() -> None:
    ended = []

    async def hangs() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    health.register("database", hangs, timeout=0.05)

    async def probe_twice() -> None:
        for count in (1, 2):
            (found,) = (await health.report()).components.values()
            assert found.status == "unhealthy"
            assert found.message.startswith("no answer for ")
            assert found.response_time_ms >= 50
            while len(ended) < count:
                await asyncio.sleep(0)
            _forget_last()

    asyncio.run(probe_twice())


def test_a_check_that_ignores_its_cancellation_is_not_begun_again() -> None:
    begun = []
    release = asyncio.Event()

    async def stubborn() -> None:
        begun.append(True)
        while not release.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await release.wait()

    health.register("database", stubborn, timeout=0.05)

    async def probe() -> None:
        for _ in range(5):
            (found,) = (await health.report()).components.values()
            assert found.message.startswith("no answer for ")
            _forget_last()
        release.set()

    asyncio.run(probe())
    assert begun == [True]


def test_a_thread_that_hangs_is_alone_and_is_forgotten_when_it_returns() -> None:
    release = threading.Event()
    before = threading.active_count()
    health.register("database", lambda: release.wait(30), timeout=0.05)
    for _ in range(5):
        assert only().message.startswith("no answer for ")
        _forget_last()
    assert threading.active_count() == before + 1
    release.set()
    deadline = time.monotonic() + 10
    while only().status != "healthy":
        assert time.monotonic() < deadline
        _forget_last()


def _forget_last() -> None:
    for check in registry.checks():
        check.last = None


def test_a_process_with_a_check_that_never_returns_ends() -> None:
    done = python(
        """
        import asyncio, threading
        from otelkit import health

        health.register("hangs", threading.Event().wait, timeout=0.1)
        print(asyncio.run(health.report()).status, threading.active_count())
        """,
        timeout=30,
    )
    assert done.stdout == "unhealthy 2\n"


def test_a_prober_that_goes_away_takes_no_run_with_it() -> None:
    async def check() -> None:
        await asyncio.sleep(0.1)

    health.register("database", check)

    async def probe() -> str:
        gone = asyncio.create_task(health.report())
        stays = asyncio.create_task(health.report())
        await asyncio.sleep(0)
        gone.cancel()
        return (await stays).status

    assert asyncio.run(probe()) == "healthy"


def test_an_event_loop_that_ends_during_a_run_is_no_result() -> None:
    begun = threading.Event()

    async def hangs() -> None:
        begun.set()
        await asyncio.Event().wait()

    health.register("database", hangs)

    async def leave() -> None:
        probe = asyncio.create_task(health.report())
        while not begun.is_set():
            await asyncio.sleep(0)
        probe.cancel()

    asyncio.run(leave())
    (check,) = registry.checks()
    assert check.last is None
    health.register("database", lambda: True)
    assert only().status == "healthy"


def test_a_forked_child_finds_out_for_itself() -> None:
    done = python(
        """
        import asyncio, os
        from otelkit import health

        health.register("process", lambda: health.Result("healthy", str(os.getpid())))
        look = lambda: asyncio.run(health.report()).components["process"].message
        look()
        child = os.fork()
        if child == 0:
            print(look() == str(os.getpid()), flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        """
    )
    assert done.stdout == "True\n"


def test_messages_and_metadata_are_bounded_and_carry_no_credentials() -> None:
    class Hostile:
        def __repr__(self) -> str:
            raise RuntimeError

    def check() -> health.Result:
        return health.Result(
            "unhealthy",
            "cannot reach postgresql://clerk:pg-secret@db/shop\nwith password=hunter2 " + "x" * 999,
            {"api_key": "sk-1", "url": "redis://:pw@cache", "n": float("nan"), "o": Hostile()},
        )

    health.register("database", check)
    health.register("raises", raises(RuntimeError("token=abc123 " + "x" * 9999)), critical=False)
    found = report().components
    message = found["database"].message
    assert message.startswith("cannot reach postgresql://clerk:[redacted]@db/shop with password=[")
    assert len(message) == 300
    assert "abc123" not in found["raises"].message
    assert len(found["raises"].message) == 300
    metadata = found["database"].metadata
    assert metadata["api_key"] == "[redacted]"
    assert metadata["url"] == "redis://:[redacted]@cache"
    assert {type(value) for value in metadata.values()} == {str}


@pytest.mark.parametrize(
    "result",
    [
        lambda: health.Result("healthy", 5),  # type: ignore[arg-type]
        lambda: health.Result("healthy", metadata=[1, 2]),  # type: ignore[arg-type]
        lambda: health.Result("healthy", metadata=None),  # type: ignore[arg-type]
        lambda: health.Result("healthy", metadata={1: b"x" * 99_999, None: {"a": object()}}),
    ],
)
def test_a_result_of_the_wrong_types_is_shown_all_the_same(
    result: Callable[[], health.Result],
) -> None:
    health.register("database", result)
    found = only()
    assert found.status == "healthy"
    assert isinstance(found.message, str)
    assert isinstance(found.metadata, dict)


def test_changes_are_logged_once_each(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "otelkit.health")
    answers: Any = iter([True, False, False, health.Result("degraded", "slow"), True, True])
    health.register("database", lambda: next(answers), critical=False)
    for _ in range(6):
        only()
        registry.checks()[0]._last_at = -registry.FRESH
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "database is unhealthy (was healthy): the check returned False"),
        ("WARNING", "database is degraded (was unhealthy): slow"),
        ("INFO", "database is healthy (was degraded)"),
    ]
    assert {vars(record)["otelkit.component"] for record in caplog.records} == {"database"}


def test_a_first_result_that_is_bad_is_a_change(caplog: pytest.LogCaptureFixture) -> None:
    health.register("database", lambda: False)
    only()
    assert caplog.messages == ["database is unhealthy: the check returned False"]


def test_a_logging_filter_that_raises_breaks_no_report() -> None:
    def broken(_record: logging.LogRecord) -> bool:
        raise RuntimeError

    logger = logging.getLogger("otelkit.health")
    logger.addFilter(broken)
    try:
        health.register("database", lambda: False)
        assert only().status == "unhealthy"
    finally:
        logger.removeFilter(broken)
