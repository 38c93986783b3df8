"""The context that the body of a traced generator runs in.

The body has a ``contextvars`` context of its own: its span is current there and nowhere else, and
it does not matter who closes the generator, or where. What a plain generator does to the variables
of whoever iterates it is done all the same, up to its first value and at its end, which is what
context managers and dependencies made of generators are about. In between, sharing would cost more
than the rest of a step.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import Any

from opentelemetry.context import Context

from otelkit.context import attach

_MISSING = object()


class Body:
    """Where a body runs: ``run(step, argument)``.

    Args:
        context: Its OpenTelemetry context.
    """

    __slots__ = ("_given", "_inside", "_own", "_shared", "run")

    def __init__(self, context: Context) -> None:
        self._shared = contextvars.copy_context()
        self._inside = self._shared.copy()
        self.run = self._inside.run
        self._own = getattr(self.run(attach, context), "var", None)
        self._given: dict[ContextVar[Any], Token[Any]] = {}  # what the caller's were set to

    def share(self, *, closing: bool = False) -> None:
        """Do to the caller's variables what the body did to its own; not to OpenTelemetry's.

        What the caller has set meanwhile stays.

        Args:
            closing: The caller closes or collects the generator and may be anybody, so it gets
                back what it was given at the first value, and nothing else.
        """
        before, self._shared = self._shared, self._inside.copy()
        for variable, value in self._shared.items():
            was = before.get(variable, _MISSING)
            if variable is self._own or was is value or (closing and variable not in self._given):
                continue
            if variable.get(_MISSING) is was:
                self._given[variable] = variable.set(value)
        for variable in [one for one in self._given if one not in self._shared]:
            if variable.get(_MISSING) is before[variable]:
                try:
                    variable.reset(self._given.pop(variable))
                except ValueError:
                    pass  # it was set in another task or thread, and stays there


class Unshared:
    """Stands in for :class:`Body` where nothing is traced: everything is the caller's."""

    def run(self, step: Callable[[Any], Any], argument: Any) -> Any:
        """As ``Body.run``, in no context but the caller's."""
        return step(argument)

    def share(self, *, closing: bool = False) -> None:
        """As :meth:`Body.share`: nothing to do."""


UNSHARED = Unshared()
