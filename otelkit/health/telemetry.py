"""Telemetry itself: what waits, what was lost, when something last arrived."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

from otelkit.health import service
from otelkit.health.results import Result

LATE = 60.0  # seconds without a success while something waits


def telemetry_check() -> Callable[[], Awaitable[Result]]:
    """A check of otelkit's own exports: degraded while telemetry is late or being lost.

    Never unhealthy: an application that nobody can see is ready all the same.
    """
    lost: dict[str, int] = {}  # by queue, when it was last looked at

    # Asynchronous, though it waits for nothing: in a thread it might be late on a busy machine.
    async def check() -> Result:
        try:
            return _judge(service.current.telemetry(), lost)
        except Exception as error:
            return Result("degraded", f"telemetry does not tell: {type(error).__name__}")

    return check


def _judge(status: Mapping[str, Any], lost: dict[str, int]) -> Result:
    troubles, metadata = [], {}
    for name, queue in _queues(status):
        now_lost = queue["failed"] + queue["dropped"]
        newly_lost = now_lost - lost.get(name, now_lost)
        lost[name] = now_lost
        waiting = queue["queued"] + queue["spooled"]
        late = time.time() - (queue["last_success"] or 0.0) > LATE
        if newly_lost > 0:
            troubles.append(f"{name}: {newly_lost} lost")
        elif waiting and late and queue["last_error"]:
            troubles.append(f"{name}: {waiting} waiting, {queue['last_error']}")
        metadata[name] = {
            "waiting": waiting,
            "sent": queue["sent"],
            "lost": now_lost,
            "last_success": queue["last_success"],
            "last_error": queue["last_error"],
        }
    if troubles:
        return Result("degraded", "; ".join(troubles), metadata)
    return Result("healthy", "" if metadata else "nothing is exported", metadata)


def _queues(status: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for signal in ("traces", "metrics", "logs"):
        destinations = status.get(signal, {}).get("destinations", {})
        for name, queue in destinations.items():
            yield f"{signal} to {name}", queue
