"""The exceptions otelkit raises.

    OtelkitError
    ├── ConfigError (also ValueError)         an argument or a file that cannot be used
    └── MissingExtraError (also ImportError)  a feature whose optional packages are absent

Only calls that configure otelkit raise. What runs inside an application's own calls (decorated
functions, log calls, spans) never does.
"""

from __future__ import annotations


class OtelkitError(Exception):
    """Base of everything that otelkit raises."""


class ConfigError(OtelkitError, ValueError):
    """An argument or a file given to otelkit cannot be used; the text says why and what to do."""


class MissingExtraError(OtelkitError, ImportError):
    """A feature needs packages that are not installed.

    Args:
        extra: The extra of otelkit that brings them, such as ``"fastapi"``.
        feature: What was asked for; it begins the message.
    """

    def __init__(self, extra: str, feature: str) -> None:
        super().__init__(f'{feature} needs more packages: pip install "otelkit[{extra}]"')
        self.extra = extra
