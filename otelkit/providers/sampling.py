"""Which traces are recorded and how large spans and records may get, out of ``Settings``.

Every value is passed explicitly: where one is left out, the SDK reads the environment itself and
raises on what it cannot use.
"""

from __future__ import annotations

from opentelemetry.sdk._logs import LogRecordLimits
from opentelemetry.sdk.trace import SpanLimits
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    ParentBased,
    Sampler,
    TraceIdRatioBased,
)

from otelkit.settings import Settings


def sampler(settings: Settings) -> Sampler:
    """The sampler that ``OTEL_TRACES_SAMPLER`` names."""
    name = settings.sampler.removeprefix("parentbased_")
    root = {
        "always_on": ALWAYS_ON,
        "always_off": ALWAYS_OFF,
        "traceidratio": TraceIdRatioBased(settings.sampler_arg),
    }[name]
    return ParentBased(root) if settings.sampler.startswith("parentbased_") else root


def span_limits(settings: Settings) -> SpanLimits:
    """The limits of spans, events and links."""
    return SpanLimits(
        max_attributes=settings.attribute_count_limit,
        max_events=settings.event_count_limit,
        max_links=settings.link_count_limit,
        max_span_attributes=settings.attribute_count_limit,
        max_event_attributes=settings.event_attribute_count_limit,
        max_link_attributes=settings.link_attribute_count_limit,
        max_attribute_length=settings.attribute_length_limit,
        max_span_attribute_length=settings.attribute_length_limit,
    )


def log_limits(settings: Settings) -> LogRecordLimits:
    """The limits of log records."""
    return LogRecordLimits(
        max_attributes=settings.log_attribute_count_limit,
        max_attribute_length=settings.log_attribute_length_limit,
        max_log_record_attributes=settings.log_attribute_count_limit,
        max_log_record_attribute_length=settings.log_attribute_length_limit,
    )
