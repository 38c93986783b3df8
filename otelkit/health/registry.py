"""The checks of this process: registered, run at the same time, their results kept for a second."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from otelkit import semconv
from otelkit.errors import ConfigError
from otelkit.health.results import Component, Report, Result, Status, component
from otelkit.health.run import Run

F = TypeVar("F", bound=Callable[..., Any])

FRESH = 1.0  # seconds that a result is kept: a storm of probes costs one run

_log = logging.getLogger("otelkit.health")
_checks: dict[str, Check] = {}


class Check:
    """A registered check, its run in flight and its last result."""

    def __init__(
        self,
        name: str,
        function: Callable[[], Any],
        *,
        critical: bool,
        timeout: float,
        liveness: bool,
    ) -> None:
        self.name = name
        self.critical = critical
        self.liveness = liveness
        self._function = function
        self._timeout = timeout
        self.forget()

    def forget(self) -> None:
        """Start without a result and with a new lock (a fork may have copied a held one)."""
        self._lock = threading.Lock()
        self._run: Run | None = None
        self.last: Component | None = None
        self._last_at = 0.0

    @property
    def age(self) -> float:
        """Seconds since the last result."""
        return time.monotonic() - self._last_at if self.last else math.inf

    async def component(self) -> Component:
        """The result of at most a second ago, else of a run; within the timeout."""
        with self._lock:
            if self.last is not None and self.age < FRESH:
                return self.last
            # One that has not returned yet is never begun again beside it.
            if self._run is None or not self._run.running:
                self._run = Run(self.name, self._function, self._keep)
            run = self._run
        left = self._timeout - run.seconds
        if left > 0:
            # Unlike wait_for() it leaves the run alone when the prober goes away.
            await asyncio.wait([asyncio.wrap_future(run.over)], timeout=left)
        return self.last if self.last is not None and run.answered else self._give_up(run)

    def _give_up(self, run: Run) -> Component:
        if run.running:
            run.give_up()
            why = f"no answer for {run.seconds:.1f} s"
        else:
            why = "the check was cancelled"
        return self._keep(Result("unhealthy", why), run.seconds)

    def _keep(self, result: Result, seconds: float) -> Component:
        found = component(self.name, result, seconds)
        with self._lock:
            before, self.last, self._last_at = self.last, found, time.monotonic()
        if found.status != (before.status if before else "healthy"):
            _tell(found, before)
        return found


def _tell(now: Component, before: Component | None) -> None:
    was = f" (was {before.status})" if before else ""
    why = f": {now.message}" if now.message else ""
    level = logging.INFO if now.status == "healthy" else logging.WARNING
    told = {semconv.COMPONENT: now.name}
    try:
        _log.log(level, "%s is %s%s%s", now.name, now.status, was, why, extra=told)
    except Exception:
        pass  # a logging filter of the application's raised


def register(
    name: str,
    check: Callable[[], Any],
    *,
    critical: bool = True,
    timeout: float = 2.0,
    liveness: bool = False,
) -> None:
    """Add a check to every report from now on; one of the same name is replaced.

    Args:
        name: Of the component that is checked, such as ``"database"``.
        check: A function without arguments. Asynchronous ones run in the event loop, others in a
            thread. ``None`` or anything true is healthy, anything false and raising is unhealthy;
            a :class:`Result` says it itself.
        critical: The service cannot work without it: unhealthy, it makes the whole unhealthy, else
            degraded.
        timeout: Seconds until the component is unhealthy for want of an answer.
        liveness: Also part of liveness: failing means that only a restart can help.

    Raises:
        ConfigError: An argument cannot be used.
    """
    if not isinstance(name, str) or not name.strip():
        raise ConfigError(f"health check {name!r}: the name is a text")
    if not callable(check):
        raise ConfigError(
            f"health check {name!r}: expected a function, got {type(check).__name__}; "
            "give the function itself, without calling it"
        )
    number = isinstance(timeout, (int, float)) and not isinstance(timeout, bool)
    if not number or not 0 < timeout < math.inf:
        raise ConfigError(f"health check {name!r}: timeout {timeout!r} is no number of seconds")
    _checks[name] = Check(name, check, critical=critical, timeout=timeout, liveness=liveness)


def check(
    name: str, *, critical: bool = True, timeout: float = 2.0, liveness: bool = False
) -> Callable[[F], F]:
    """:func:`register` as a decorator: ``@health.check("llm", critical=False)``."""

    def decorate(function: F) -> F:
        register(name, function, critical=critical, timeout=timeout, liveness=liveness)
        return function

    return decorate


async def report(*, liveness: bool = False) -> Report:
    """How the service is now; takes no longer than the longest timeout, and never raises.

    Args:
        liveness: Only by the checks that were registered with ``liveness=True``.
    """
    wanted = [check for check in checks() if check.liveness or not liveness]
    components = await asyncio.gather(*(check.component() for check in wanted))
    status: Status = "healthy"
    for each, found in zip(wanted, components, strict=True):
        if found.status == "unhealthy" and each.critical:
            status = "unhealthy"
        elif found.status != "healthy" and status == "healthy":
            status = "degraded"
    return Report(status, time.time(), {found.name: found for found in components})


def checks() -> list[Check]:
    """Every registered check."""
    return list(_checks.values())


def clear() -> None:
    """Forget every check."""
    _checks.clear()


def _forget_results() -> None:
    # What the parent of a fork found out is the parent's, and its threads are not in the child.
    for each in checks():
        each.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_results)
