"""``Telemetry``: what ``setup()`` returns, to look into, to flush and to end."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Mapping
from math import inf
from types import TracebackType
from typing import TYPE_CHECKING, Any

from otelkit import prometheus
from otelkit.errors import ConfigError
from otelkit.export.account import Counts, said
from otelkit.settings import SIGNALS, Settings

if TYPE_CHECKING:
    from otelkit.export.queue import Queue
    from otelkit.providers import Providers

logger = logging.getLogger("otelkit")


@dataclasses.dataclass(frozen=True)
class Result:
    """What a flush or shutdown achieved; true only when everything was delivered.

    Attributes:
        delivered: Nothing is left, and nothing was lost since the last flush (of a shutdown: ever).
        counts: The account of every signal and destination since ``setup()``, such as
            ``counts["traces"]["otlp"].sent``.
    """

    delivered: bool
    counts: Mapping[str, Mapping[str, Counts]]

    def __bool__(self) -> bool:
        return self.delivered


class Telemetry:
    """The running telemetry of this process. Made by ``setup()``; also a context manager.

    Args:
        settings: What was decided.
        providers: The providers in use; ``None`` when telemetry is off.
        on_shutdown: Called once, when :meth:`shutdown` begins.
    """

    def __init__(
        self,
        settings: Settings,
        providers: Providers | None,
        on_shutdown: Callable[[Telemetry], None],
    ) -> None:
        self.settings = settings
        self._on_shutdown = on_shutdown
        self.problems = list(settings.problems)
        self._providers = providers
        self._open = True

    def __repr__(self) -> str:
        if self._providers is None:
            return "<Telemetry off>"
        state = "on" if self._open else "shut down"
        service = self._providers.attributes["service.name"]
        counts = self._counts()
        flows = [
            f"{signal} to {name}: {each.sent} sent, {each.queued} waiting, {each.lost} lost"
            for signal, by_name in counts.items()
            for name, each in by_name.items()
        ]
        return f"<Telemetry {state}, service={service}; {'; '.join(flows) or 'nothing is sent'}>"

    @property
    def is_on(self) -> bool:
        """Whether there are providers."""
        return self._providers is not None

    # --- For applications

    def status(self) -> dict[str, Any]:
        """What is on, where it goes and what became of it, in plain values."""
        providers = self._providers
        found: dict[str, Any] = {
            signal: {
                "state": providers.state[signal] if providers else "off",
                "destinations": {
                    queue.destination: queue.status()
                    for queue in self._queues
                    if queue.signal == signal
                },
            }
            for signal in SIGNALS
        }
        found["service"] = providers.attributes["service.name"] if providers else None
        from otelkit import integrations, logs  # not needed before, and slow to import

        found["logs"]["destinations"].update(logs.destinations())
        found["logs"]["disabled_loggers"] = logs.disabled_loggers()
        found["instrumented"] = integrations.active() if providers else []
        found["problems"] = list(self.problems)
        return found

    def flush(self, timeout: float | None = None) -> Result:
        """Sends what waits, all signals and destinations at once.

        Args:
            timeout: Seconds it may take; ``OTELKIT_SHUTDOWN_TIMEOUT`` by default.

        Raises:
            ConfigError: ``timeout`` is no number of seconds.
        """
        self._send(_seconds(timeout, self.settings), closing=False)
        lost = sum([queue.account.newly_lost() for queue in self._queues])
        counts = self._counts()
        left = sum(each.queued + each.spooled for each in _every(counts))
        return Result(lost + left == 0, counts)

    def shutdown(self, timeout: float | None = None) -> Result:
        """Sends what waits and ends: nothing is recorded afterwards, ``setup()`` may start anew.

        Args:
            timeout: Seconds it may take; ``OTELKIT_SHUTDOWN_TIMEOUT`` by default.

        Raises:
            ConfigError: ``timeout`` is no number of seconds.
        """
        seconds = _seconds(timeout, self.settings)
        if self._open:
            self._on_shutdown(self)
        if self._providers is None:
            return self._end(seconds)
        from otelkit import logs

        with logs.last_words(self.settings, str(self._providers.attributes["service.name"])):
            result = self._end(seconds)
        self._providers.detach()
        return result

    def __enter__(self) -> Telemetry:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.shutdown()

    # --- For the ends and forks of the process (see lifecycle)

    def close(self) -> Result:
        """Sends what waits and ends, as the process does."""
        from otelkit import logs

        logs.say_kept_back()
        return self._end(self.settings.shutdown_timeout)

    def before_fork(self) -> None:
        """No metrics are being collected while the process forks."""
        if self._providers:
            self._providers.hold()

    def after_fork_in_parent(self) -> None:
        """Goes on."""
        if self._providers:
            self._providers.release()

    def after_fork_in_child(self) -> None:
        """Starts from nothing."""
        if self._providers:
            self._providers.renew()
            prometheus.renew()

    # --- Within

    @property
    def _queues(self) -> list[Queue]:
        return self._providers.queues if self._providers else []

    def _end(self, seconds: float) -> Result:
        if self._open:
            self._send(seconds, closing=True)
            self._open = False
            for queue in self._queues:
                queue.finish()
            _say_what_was_lost(self._counts())
        counts = self._counts()
        return Result(all(each.delivered for each in _every(counts)), counts)

    def _send(self, seconds: float, *, closing: bool) -> None:
        deadline = time.monotonic() + seconds
        for wait in [queue.request(deadline, closing=closing) for queue in self._queues]:
            wait()

    def _counts(self) -> dict[str, dict[str, Counts]]:
        counts: dict[str, dict[str, Counts]] = {signal: {} for signal in SIGNALS}
        for queue in self._queues:
            counts[queue.signal][queue.destination] = queue.counts()
        return counts


def _seconds(timeout: float | None, settings: Settings) -> float:
    if timeout is None:
        return settings.shutdown_timeout
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not 0 <= timeout < inf:
        raise ConfigError(f"timeout={timeout!r}: expected a number of seconds, 0 or more")
    return float(timeout)


def _every(counts: Mapping[str, Mapping[str, Counts]]) -> list[Counts]:
    return [each for by_name in counts.values() for each in by_name.values()]


def _say_what_was_lost(counts: Mapping[str, Mapping[str, Counts]]) -> None:
    told = [
        f"{said(each.lost, signal)} to {name}"
        for signal, by_name in counts.items()
        for name, each in by_name.items()
        if each.lost
    ]
    if told:
        logger.warning("otelkit: not delivered: %s", ", ".join(told))
