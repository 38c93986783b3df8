"""The bridge to loguru: a sink of ours beside the application's own, which stay as they are.

Our sink is called where a message is logged, so the trace is right though other sinks are enqueued,
and it takes what was bound as fields of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

from otelkit.logs import entry, foreign, stdlib
from otelkit.logs.console import Console
from otelkit.logs.outputs import Outputs

if TYPE_CHECKING:
    from loguru import Message

NAME = "loguru"


class Bridge:
    """Sends what is logged with loguru to the outputs; :meth:`remove` ends that.

    Args:
        loguru: The module.
        outputs: Get every record.
        console: Gets the records that no sink of the application writes there.
    """

    def __init__(self, loguru: ModuleType, outputs: Outputs, console: Console) -> None:
        self._logger = loguru.logger
        self._outputs = outputs
        self._console = console
        self._active = True
        self._sink_id = self._add()
        self._kept = self._keep_sink()

    def remove(self) -> None:
        """Take the sink away."""
        self._active = False
        kind, original, ours = self._kept
        if kind.remove is ours:
            kind.remove = original
        try:
            self._logger.remove(self._sink_id)
        except ValueError:
            pass  # the application was faster

    def forwarding(self) -> bool:
        """Whether a sink of loguru is being called by this thread.

        A sink of the application may log to the standard library what our sink has, too.
        """
        handlers = getattr(getattr(self._logger, "_core", None), "handlers", {})
        return any(
            getattr(getattr(handler, "_lock_acquired", None), "acquired", False)
            for handler in handlers.values()
        )

    def _add(self) -> int:
        sink_id: int = self._logger.add(
            _Sink(self), level=0, format=_nothing, backtrace=False, diagnose=False, catch=True
        )
        return sink_id

    def _keep_sink(self) -> tuple[Any, Callable[..., None], Callable[..., None]]:
        """Add the sink again when the application removes all, as it does to configure its own."""
        kind: Any = type(self._logger)
        original = kind.remove

        def remove(logger: Any, handler_id: int | None = None) -> None:
            original(logger, handler_id)
            if self._active and handler_id is None:
                self._sink_id = self._add()

        kind.remove = remove
        return kind, original, remove

    def write(self, message: Message) -> None:
        """Hand on what the sink is given."""
        given = message.record
        name = given["name"] or "root"
        level = given["level"]
        if not stdlib.enabled(name, level.no) or entry.handling(given["message"]):
            return
        record = foreign.record(
            name,
            level.no,
            given["message"],
            given["extra"],
            place=entry.Place(given["file"].path, given["line"], given["function"]),
            level_name=level.name,
            created=given["time"].timestamp(),
            exc_info=given["exception"],
        )
        handler = None if "sink=<std" in repr(self._logger) else self._console.handler
        self._outputs.write(record, handler)


class _Sink:
    """The sink: a copy of the logger goes on with it, in another process it is silent."""

    def __init__(self, bridge: Bridge) -> None:
        self.bridge = bridge

    def __call__(self, message: Message) -> None:
        self.bridge.write(message)

    def __deepcopy__(self, _memo: object) -> _Sink:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _silent, ()


def _silent() -> Callable[[Message], None]:
    return _ignore


def _ignore(_message: Message) -> None: ...


def _nothing(_record: object) -> str:
    return ""  # the sink takes the record, not the text
