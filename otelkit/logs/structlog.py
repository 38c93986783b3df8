"""The bridge to structlog: its events with their keys as fields, natively or on top of logging.

The last processor, the renderer, is where an event is complete and still has its keys. Ours takes
its place in the chain and calls it.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from otelkit.logs import entry, foreign, stdlib, values
from otelkit.logs.console import Console
from otelkit.logs.outputs import Outputs

NAME = "structlog"

_LEVELS = {
    "debug": logging.DEBUG,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "err": logging.ERROR,
    "failure": logging.ERROR,
    "exception": logging.ERROR,
    "critical": logging.CRITICAL,
    "fatal": logging.CRITICAL,
}
# What processors of structlog add, and every output says in its own way.
_OWN_KEYS = frozenset(
    (
        "event", "level", "level_number", "logger", "logger_name", "timestamp", "exc_info",
        "exception", "_record", "_from_structlog",
    )
)  # fmt: skip

Processor = Callable[[Any, str, Any], Any]


class Bridge:
    """Sends what is logged with structlog to the outputs; :meth:`remove` ends that.

    Args:
        structlog: The module.
        outputs: Get every event.
        console: Says whether its format applies to what structlog prints.
    """

    def __init__(self, structlog: ModuleType, outputs: Outputs, console: Console) -> None:
        self.active = True
        self.dropped: type[BaseException] = structlog.DropEvent
        self._outputs = outputs
        self._console = console
        self._config = structlog.get_config
        self._is_configured = structlog.is_configured
        # Asynchronous methods (`ainfo`) work in another thread and leave here who has called.
        self._waiting = getattr(structlog.contextvars, "_ASYNC_CALLING_STACK", None)
        self._base: Any = structlog.BoundLoggerBase
        self._original = self._base._process_event
        self._ours = self._wrapped(self._original)
        self._base._process_event = self._ours

    def remove(self) -> None:
        """Give the configured chain its renderer back; other chains just call theirs then."""
        self.active = False
        if self._base._process_event is self._ours:
            self._base._process_event = self._original
        processors = self._config()["processors"]
        if processors and isinstance(processors, list) and isinstance(processors[-1], _Last):
            processors[-1] = processors[-1].renderer

    def _wrapped(self, original: Callable[..., Any]) -> Callable[..., Any]:
        # Every bound logger comes through here, whatever chain it was made with, and when.
        def process_event(logger: Any, *args: Any, **kwargs: Any) -> Any:
            if self.active:
                self._join(logger)
            return original(logger, *args, **kwargs)

        return process_event

    def _join(self, logger: Any) -> None:
        processors = logger._processors
        if not processors or not isinstance(processors, (list, tuple)):
            return
        last = processors[-1]
        if isinstance(last, _Last):
            if last.bridge is self:
                return
            last = last.renderer
        if isinstance(processors, list):
            # In place: loggers that are cached share the list, and structlog's testing changes it.
            processors[-1] = _Last(last, self)
        else:
            logger._processors = [*processors[:-1], _Last(last, self)]

    def chosen(self, last: _Last) -> bool:
        """Whether the application has chosen ``last``'s renderer; else it is structlog's default.

        Args:
            last: Of a chain.
        """
        return self._is_configured() or self._config()["processors"][-1] is not last

    def event(
        self, logger: Any, method: str, event: Mapping[str, Any], rendered: Any, *, chosen: bool
    ) -> Any:
        """Hand on an event.

        Args:
            logger: What structlog wraps, and gives the result of the chain.
            method: The name of its method, hence of the level.
            event: As it came to the application's renderer.
            rendered: What that made of it.
            chosen: That renderer is the application's choice.

        Returns:
            What the logger is to be given.
        """
        message, exc_info = values.shown(event.get("event")), _exc_info(event)
        fields = {key: value for key, value in event.items() if key not in _OWN_KEYS}
        if not exc_info and "exception" in event:
            fields["exception"] = event["exception"]
        level = _LEVELS.get(method, logging.INFO)
        module, place = foreign.caller(NAME, self._waiting and self._waiting.get(None))
        if isinstance(logger, logging.Logger):
            if logger.isEnabledFor(level):
                entry.expect(_logged(rendered), message, fields, exc_info, place)
            return rendered
        name = str(event.get("logger") or module)
        record = foreign.record(name, level, message, fields, place=place, exc_info=exc_info)
        if stdlib.enabled(name, level) and not self._outputs.write(record):
            raise self.dropped
        stream = getattr(logger, "_file", None)
        return self._console.instead_of(rendered, stream, record, chosen=chosen)


class _Last:
    """The last processor of a chain: the application's renderer, then ours."""

    def __init__(self, renderer: Processor, bridge: Bridge) -> None:
        self.renderer = renderer
        self.bridge = bridge

    def __call__(self, logger: Any, method: str, event: Any) -> Any:
        if not self.bridge.active:
            return self.renderer(logger, method, event)
        seen = dict(event) if isinstance(event, Mapping) else {"event": event}
        rendered = self.renderer(logger, method, event)
        try:
            chosen = self.bridge.chosen(self)
            return self.bridge.event(logger, method, seen, rendered, chosen=chosen)
        except self.bridge.dropped:
            raise
        except Exception:  # of the event's own objects
            return rendered


def _exc_info(event: Mapping[str, Any]) -> Any:
    given = event.get("exc_info", "exception" in event)
    if given is True:  # or formatted by a processor before: it is still being handled then
        given = sys.exc_info()
    return None if given == (None, None, None) else given


def _logged(rendered: Any) -> Any:
    """What the standard library's logger is about to be given as message."""
    if isinstance(rendered, dict):
        return rendered.get("msg")
    if isinstance(rendered, tuple) and rendered[0] and isinstance(rendered[0][0], Mapping):
        return rendered[0][0]
    return rendered  # a text; of a tuple with arguments to format, logging knows best
