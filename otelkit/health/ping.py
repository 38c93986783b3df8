"""Whatever has a ping: Redis, and clients like its."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Any

from otelkit.errors import ConfigError
from otelkit.health.results import Result


def ping_check(ping: Callable[[], Any]) -> Callable[[], Any]:
    """A check that a ping is answered: ``ping_check(redis.ping)``, synchronous or asynchronous.

    Args:
        ping: Called without arguments; raises, or answers something false, when nobody is there.

    Raises:
        ConfigError: ``ping`` cannot be called.
    """
    if not callable(ping):
        raise ConfigError(
            f"ping_check() takes a function, not {type(ping).__name__}: "
            "ping_check(redis.ping), without parentheses after ping"
        )

    def check() -> Result | Awaitable[Result]:
        answer = ping()
        return _awaited(answer) if isawaitable(answer) else _judge(answer)

    return check


async def _awaited(answer: Awaitable[Any]) -> Result:
    return _judge(await answer)


def _judge(answer: object) -> Result:
    if answer is None or answer:
        return Result("healthy")
    return Result("unhealthy", f"the ping was answered with {answer!r:.80}")
