"""The bridge to :mod:`logging`: every record of every logger passes here once, whatever handles it.

Handlers on the root logger would miss loggers that do not propagate (uvicorn's, gunicorn's), would
be removed by ``dictConfig`` and ``basicConfig(force=True)``, and would silence Python's last resort
in an application without handlers. So the methods of ``logging.Logger`` themselves are wrapped.
"""

from __future__ import annotations

import logging
import logging.handlers
from collections.abc import Callable
from typing import Any

from otelkit.logs import entry, servers
from otelkit.logs.console import Console
from otelkit.logs.outputs import Outputs
from otelkit.settings import Settings

Method = Callable[..., Any]

_FREE = entry.RESERVED.isdisjoint


class Bridge:
    """Wraps methods of ``logging`` and sets levels; :meth:`remove` undoes both.

    Args:
        settings: ``log_level`` is set on the root logger once; ``log_levels`` stay, whatever the
            application's or its server's configuration says later.
        outputs: Get every record.
        console: Gets the handlers that are added later.
    """

    def __init__(self, settings: Settings, outputs: Outputs, console: Console) -> None:
        self._outputs = outputs
        self._console = console
        self._console_stays = settings.log_format == "off"  # as the application writes it
        # Whether this thread's record is another library's, which has been written already.
        self.forwarded: Callable[[], bool] | None = None
        self._active = True
        self._replaced: list[tuple[type, str, Method, Method]] = []
        self._levels: dict[str, tuple[int, int]] = {}  # before, and as we set it
        self._set_level(logging.root, settings.log_level)
        for name, level in settings.log_levels.items():
            self._set_level(logging.getLogger(name), level)
        self._fixed = frozenset(settings.log_levels)
        self._replace(logging.Logger, "callHandlers", self._call_handlers)
        self._replace(logging.Logger, "makeRecord", self._make_record)
        self._replace(logging.Logger, "addHandler", self._add_handler)
        self._replace(logging.Logger, "setLevel", self._keep_level)
        self._replace(logging.handlers.QueueHandler, "prepare", self._prepare)

    def remove(self) -> None:
        """Give ``logging.Logger`` its own methods back, and loggers their levels."""
        self._active = False
        for owner, name, original, ours in self._replaced:
            # Whoever wrapped ours in the meantime keeps it; inactive, it only calls the original.
            if getattr(owner, name) is ours:
                setattr(owner, name, original)
        for name, (before, ours_then) in self._levels.items():
            logger = logging.getLogger(name)
            if logger.level == ours_then:
                logger.setLevel(before)

    def _set_level(self, logger: logging.Logger, level: str) -> None:
        before = logger.level
        logger.setLevel(level)
        self._levels[logger.name] = (before, logger.level)

    def _replace(self, owner: type, name: str, wrapped: Callable[[Method], Method]) -> None:
        original = getattr(owner, name)
        ours = wrapped(original)
        self._replaced.append((owner, name, original, ours))
        setattr(owner, name, ours)

    def _call_handlers(self, original: Method) -> Method:
        outputs, console = self._outputs, self._console

        def callHandlers(logger: logging.Logger, record: logging.LogRecord) -> None:
            if console.handler is not None:
                console.keep()
            if self._active and logger.name in servers.ACCESS and servers.is_left_out(record):
                if self._console_stays:
                    original(logger, record)
                return
            forwarded = self.forwarded is not None and self.forwarded()
            last: logging.Logger | None = logger
            while last is not None and last.propagate:
                last = last.parent
            made = None
            if self._active and not forwarded and (last is None or not _silenced(logger, last)):
                made = entry.hold(record)
            if made is None:
                original(logger, record)
                return
            record.__dict__.pop(entry.FIELDS, None)  # has served, and is no business of others
            try:
                if outputs.take(record, made):
                    original(logger, record)
            finally:
                entry.release(record)

        return callHandlers

    def _make_record(self, original: Method) -> Method:
        def makeRecord(
            logger: logging.Logger,
            name: str,
            level: int,
            fn: str,
            lno: int,
            msg: object,
            args: Any,
            exc_info: Any,
            func: str | None = None,
            extra: Any = None,
            sinfo: str | None = None,
        ) -> logging.LogRecord:
            if extra is not None and type(extra) is not dict and self._active:
                extra = _mapping(extra)
            given = extra
            if extra is not None and not _FREE(extra) and self._active:
                # logging would raise KeyError into the application; nothing needs to be lost.
                given = {key: extra[key] for key in extra if key not in entry.RESERVED}
            record: logging.LogRecord = original(
                logger, name, level, fn, lno, msg, args, exc_info, func, given, sinfo
            )
            if extra and self._active:
                if entry.COLOURED in extra:
                    extra = {key: extra[key] for key in extra if key != entry.COLOURED}
                record.__dict__[entry.FIELDS] = extra
            return record

        return makeRecord

    def _add_handler(self, original: Method) -> Method:
        def addHandler(logger: logging.Logger, hdlr: logging.Handler) -> None:
            original(logger, hdlr)
            if self._active:
                self._console.added(logger, hdlr)

        return addHandler

    def _prepare(self, original: Method) -> Method:
        def prepare(handler: logging.handlers.QueueHandler, record: logging.LogRecord) -> Any:
            copy = original(handler, record)
            if self._active and isinstance(copy, logging.LogRecord):
                entry.stamp(copy, record)
            return copy

        return prepare

    def _keep_level(self, original: Method) -> Method:
        def setLevel(logger: logging.Logger, level: int | str) -> None:
            if not self._active or logger.name not in self._fixed:
                original(logger, level)

        return setLevel


def _mapping(extra: Any) -> dict[Any, Any]:
    """``extra`` as a dict, whatever it is: logging would raise into the application."""
    try:
        return dict(extra)
    except Exception:
        return {"extra": extra}


def disabled() -> list[str]:
    """The loggers that the application disabled, by ``dictConfig`` for example, in order."""
    loggers = logging.root.manager.loggerDict.copy()
    return sorted(
        name
        for name, logger in loggers.items()
        if isinstance(logger, logging.Logger) and logger.disabled
    )


def enabled(name: str, level: int) -> bool:
    """Whether a logger ``name`` would log at ``level``; no logger is made of the name."""
    manager = logging.root.manager
    if level <= manager.disable:
        return False
    while name:
        logger = manager.loggerDict.get(name)
        if isinstance(logger, logging.Logger) and logger.level:
            return level >= logger.level
        name = name.rpartition(".")[0]
    return level >= logging.root.level


def _silenced(logger: logging.Logger, last: logging.Logger) -> bool:
    """Whether no logger from ``logger`` up to ``last``, which does not propagate, writes."""
    while all(isinstance(handler, logging.NullHandler) for handler in logger.handlers):
        if logger is last or logger.parent is None:
            return True
        logger = logger.parent
    return False
