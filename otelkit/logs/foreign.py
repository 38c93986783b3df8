"""Records of other logging libraries, as records of :mod:`logging`, which the outputs take."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from types import FrameType
from typing import Any

from otelkit.logs import entry
from otelkit.logs.entry import Place


def record(
    name: str,
    level: int,
    message: str,
    fields: Mapping[Any, Any],
    *,
    place: Place,
    level_name: str | None = None,
    created: float | None = None,
    exc_info: Any = None,
) -> logging.LogRecord:
    """A record whose ``fields`` may have any names, those of a record's attributes included.

    Args:
        name: Of the logger.
        level: As a number of :mod:`logging`.
        message: As it is to be read; never formatted again.
        fields: All that was bound or given with the call.
        place: Of the call.
        level_name: Where the library has levels of its own.
        created: Seconds since the epoch; now by default.
        exc_info: As :mod:`logging` has it: type, exception, traceback.
    """
    made = logging.LogRecord(
        name, level, place.path, place.line, message, None, exc_info, place.function
    )
    if level_name is not None:
        made.levelname = level_name
    if created is not None:
        made.created = created
    made.__dict__[entry.FIELDS] = fields
    return made


def caller(package: str, innermost: FrameType | None = None) -> tuple[str, Place]:
    """The module and the place of the innermost call that is neither in ``package`` nor here.

    Args:
        package: Of the logging library.
        innermost: Where to begin, if not here: in another thread.
    """
    frame = innermost or sys._getframe(1)
    while frame.f_back is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] != package and not module.startswith("otelkit.logs"):
            break
        frame = frame.f_back
    code = frame.f_code
    module = str(frame.f_globals.get("__name__", "root"))
    return module, Place(code.co_filename, frame.f_lineno, code.co_name)
