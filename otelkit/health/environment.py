"""The environment variables that a service cannot do without."""

from __future__ import annotations

import os
from collections.abc import Callable

from otelkit.errors import ConfigError
from otelkit.health.results import Result


def environment_check(*names: str) -> Callable[[], Result]:
    """A check that environment variables are set, and not empty. Their values are never shown.

    Args:
        *names: Of the variables.

    Raises:
        ConfigError: No name is given, or one is no text.
    """
    if not names or not all(isinstance(name, str) and name for name in names):
        raise ConfigError(f"environment_check() takes names of variables, got {names!r}")

    def check() -> Result:
        missing = [name for name in names if not os.environ.get(name, "").strip()]
        if missing:
            return Result("unhealthy", f"not set: {', '.join(missing)}")
        return Result("healthy")

    return check
