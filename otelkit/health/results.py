"""What a check answers, and what a report says of all of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from otelkit import _exceptions, redaction
from otelkit.capture import encode
from otelkit.errors import ConfigError

Status = Literal["healthy", "degraded", "unhealthy"]

# As the gauge otelkit.health.status has them.
VALUES: dict[Status, float] = {"healthy": 1.0, "degraded": 0.5, "unhealthy": 0.0}

_LONGEST_MESSAGE = 300  # characters
_LARGEST_METADATA = 4096  # bytes of JSON


@dataclass(frozen=True)
class Result:
    """What a check may return where true or false says too little.

    Attributes:
        status: ``"healthy"``, ``"degraded"`` (works, but somebody should look) or ``"unhealthy"``.
        message: A sentence for people; credentials in it are taken out.
        metadata: More about it, such as numbers; what is not JSON is shown by its type.

    Raises:
        ConfigError: ``status`` is none of the three.
    """

    status: Status
    message: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.status not in tuple(VALUES):
            raise ConfigError(f"status {self.status!r}: expected one of {', '.join(VALUES)}")


@dataclass(frozen=True)
class Component:
    """The last result of one check, fit to be shown.

    Attributes:
        name: As it was registered.
        status: ``"healthy"``, ``"degraded"`` or ``"unhealthy"``.
        message: Empty where there is nothing to say.
        response_time_ms: How long the check took.
        metadata: Plain JSON values.
    """

    name: str
    status: Status
    message: str
    response_time_ms: float
    metadata: dict[str, Any]


@dataclass(frozen=True)
class Report:
    """How the service is.

    Attributes:
        status: ``"unhealthy"`` when a critical check is; ``"degraded"`` when another check is
            unhealthy or any is degraded; else ``"healthy"``.
        timestamp: Unix time in seconds.
        components: By name, in the order of their registration.
    """

    status: Status
    timestamp: float
    components: dict[str, Component]


def judge(answer: object) -> Result:
    """The result that a check's return value stands for."""
    if isinstance(answer, Result):
        return answer
    if answer is None or answer:
        return Result("healthy")
    return Result("unhealthy", f"the check returned {answer!r:.80}")


def failure(error: BaseException) -> Result:
    """The result of a check that raised ``error``."""
    kind, text = type(error).__name__, _exceptions.message(error)
    return Result("unhealthy", f"{kind}: {text}" if text else kind)


def component(name: str, result: Result, seconds: float) -> Component:
    """``result`` with everything in it bounded and scrubbed; never raises."""
    return Component(
        name=name,
        status=result.status,
        message=_one_line(result.message),
        response_time_ms=round(seconds * 1000, 3),
        metadata=_plain(result.metadata),
    )


def _one_line(message: object) -> str:
    if not isinstance(message, str):
        message = f"the message is a {type(message).__name__}, not a text"
    return redaction.clip(" ".join(message[: 4 * _LONGEST_MESSAGE].split()), _LONGEST_MESSAGE)


def _plain(metadata: object) -> dict[str, Any]:
    if not metadata:
        return {}
    found = json.loads(encode(metadata, max_bytes=_LARGEST_METADATA).text)
    return found if isinstance(found, dict) else {"metadata": found}
