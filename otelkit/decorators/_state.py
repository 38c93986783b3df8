"""What is set up in this process: every traced call looks at it, and nothing in it raises."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from opentelemetry import metrics, trace
from opentelemetry.trace import Tracer

from otelkit import instruments, pricing
from otelkit.decorators import _content

if TYPE_CHECKING:
    from otelkit.settings import Settings

_logger = logging.getLogger("otelkit")

# Where the API keeps its providers; see _nothing_new().
_TRACE_GLOBALS = trace.get_tracer_provider.__globals__
_METRICS_GLOBALS = metrics.get_meter_provider.__globals__


class State:
    """What is set up in this process; every call looks again until something is."""

    live = False
    looked = False
    tracer: Tracer
    instruments: instruments.Instruments | None = None
    # Only who made the provider knows that its sampler follows the parent: then a call under an
    # unsampled span has nothing to do, unless it is measured.
    sampler_follows_parent = False
    skip_unsampled = False
    has_llm = False  # somebody decorates LLM calls, whose prices take their time to load
    warned = False


state = State()


def configure(settings: Settings, *, sampler_follows_parent: bool = False) -> None:
    """Look for providers anew at the next call, and take over the content settings.

    Args:
        settings: What ``setup()`` decided.
        sampler_follows_parent: The tracer provider never samples a child of an unsampled parent.
    """
    state.live = False
    state.sampler_follows_parent = sampler_follows_parent
    _content.configure(settings)


def prepare() -> None:
    """Make the instruments, for which the first call would have to wait during a collection.

    The SDK takes no observable instrument while it calls those that it has: a callback of the
    application's that hangs would make whoever comes with the next one hang, too.
    """
    wake()


def wake() -> bool:
    """Whether somebody installed a provider by now; the API's own do nothing."""
    if state.looked and _nothing_new():
        return False
    state.looked = True
    meters = metrics.get_meter_provider()
    measuring = not type(meters).__module__.startswith("opentelemetry.metrics")
    tracers = trace.get_tracer_provider()
    if not measuring and type(tracers).__module__.startswith("opentelemetry.trace"):
        return False
    state.tracer = tracers.get_tracer("otelkit")
    state.instruments = instruments.Instruments(meters.get_meter("otelkit")) if measuring else None
    state.skip_unsampled = state.sampler_follows_parent and not measuring
    state.live = True
    if state.has_llm:
        pricing.preload()
    return True


def _nothing_new() -> bool:
    """Whether no provider was set, without the environment look-ups of the API's getters.

    They cost four times as much as the rest of an untraced call. Where the API's globals have other
    names, the getters answer.
    """
    return (
        _TRACE_GLOBALS.get("_TRACER_PROVIDER", False) is None
        and _METRICS_GLOBALS.get("_METER_PROVIDER", False) is None
    )


def note_failure() -> None:
    """Say once that telemetry itself failed; the application's call goes on."""
    if not state.warned:
        state.warned = True
        try:
            text = "otelkit could not trace a call; the call itself goes on"
            _logger.warning(text, exc_info=True)
        except Exception:
            pass  # a traceback that cannot be formatted must not take the call's place
