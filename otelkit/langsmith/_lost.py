"""Words about feedback that is lost: one warning in a while, however much of it there is."""

from __future__ import annotations

import logging
import time

logger = logging.getLogger("otelkit")

_QUIET = 60.0  # seconds between two warnings

_quiet_until = 0.0
_untold = 0


def warn(key: str, why: str) -> None:
    """Says that feedback is lost, with how much was lost in silence since the last warning."""
    global _quiet_until, _untold
    now = time.monotonic()
    if now < _quiet_until:
        _untold += 1
        return
    before = f" (and {_untold} before)" if _untold else ""
    _quiet_until, _untold = now + _QUIET, 0
    logger.warning("otelkit: feedback %r%s is lost: %s", key, before, why)
