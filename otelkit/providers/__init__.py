"""``Settings`` made into the three providers; providers that somebody else installed are joined.

OpenTelemetry's global providers can be set once in a process. So the ones made here stay for its
whole life, and a later ``setup()`` gives them new destinations: the processors in them hold queues
that can be replaced. Sampler, limits and exemplar filter remain those of the first ``setup()``.
"""

from __future__ import annotations

import functools
import threading
from dataclasses import dataclass, field
from typing import Any

from opentelemetry import _logs, metrics, trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from otelkit.export.queue import Queue
from otelkit.langsmith.connect import connect
from otelkit.providers import (
    destinations,
    metric_options,
    own_metrics,
    processors,
    resource,
    sampling,
)
from otelkit.providers.locks import free_locks
from otelkit.providers.processors import LogQueues, MetricQueue, PushReader, SpanQueues
from otelkit.settings import Settings

FIXED = (
    "sampler", "sampler_arg", "exemplar_filter", "attribute_count_limit", "attribute_length_limit",
    "event_count_limit", "link_count_limit", "event_attribute_count_limit",
    "link_attribute_count_limit", "log_attribute_count_limit", "log_attribute_length_limit",
)  # fmt: skip

LONGEST_COLLECTION = 1.0  # seconds that a fork waits for one

_spans = SpanQueues()
_records = LogQueues()
_made: dict[str, tuple[Any, Settings]] = {}  # our own providers by signal, and what made them
_foreign: dict[str, Any] = {}  # somebody's providers that have our processors


@dataclass
class Providers:
    """The providers in use, who made them, and the queues behind them."""

    attributes: dict[str, Any]  # of the resource
    queues: list[Queue]
    problems: list[str]
    scraped: PushReader | None = None  # where the metrics endpoint collects
    note: str = ""  # what a user of LangSmith should know
    state: dict[str, str] = field(default_factory=dict)  # by signal
    _held: bool = False

    @property
    def readers(self) -> list[PushReader]:
        """Where the queues of metrics and the metrics endpoint collect."""
        readers = [queue.reader for queue in self.queues if isinstance(queue, MetricQueue)]
        if self.scraped is not None and self.scraped not in readers:
            readers.append(self.scraped)
        return readers

    @property
    def samples_like_parents(self) -> bool:
        """Whether a child of an unsampled parent is never sampled."""
        made = _made.get("traces")
        return self.state["traces"] == "created" and (
            made is not None and made[1].sampler.startswith("parentbased_")
        )

    @property
    def logger_provider(self) -> Any:
        """Where log records go; ``None`` when nobody takes them."""
        return _logs.get_logger_provider() if self.state["logs"] != "off" else None

    def hold(self) -> None:
        """Lets no metrics be collected, which a fork would break, until :meth:`release`."""
        self._held = processors.collecting.acquire(timeout=LONGEST_COLLECTION)

    def release(self) -> None:
        """Ends :meth:`hold`."""
        if self._held:
            processors.collecting.release()

    def detach(self) -> None:
        """Ends the collection of metrics; closed queues of spans and records count what is lost."""
        _spans.bridge = None
        for reader in self.readers:
            reader.queue = None
            _remove(reader)

    def renew(self) -> None:
        """Starts everything from nothing in a forked child, under an identity of its own."""
        processors.collecting = threading.Lock()
        self.attributes = resource.renewed(self.attributes)
        for queue in self.queues:
            queue.reset()
            if self.state[queue.signal] == "created":
                queue.exporter.speak_as(resource.encoded(self.attributes))
        for provider in _providers():
            free_locks(provider)
        for reader in self.readers:
            # What the parent counted is the parent's: a fresh registration starts at zero.
            _remove(reader)
            _add(reader)
            if reader.queue is not None:
                reader.queue.start()


def build(settings: Settings) -> Providers:
    """Creates or joins the three providers, with a queue for each destination.

    Raises:
        MissingExtraError: gRPC is asked for and not installed.
    """
    attributes, problems = resource.describe(settings)
    queues = destinations.queues(settings)
    providers = Providers(attributes, queues, problems, _scraped(settings, queues))
    _say_what_is_fixed(settings, problems)
    _spans.queues = tuple(q for q in providers.queues if q.signal == "traces")
    _records.queues = tuple(q for q in providers.queues if q.signal == "logs")
    _connect_langsmith(settings, providers)
    described = Resource(attributes)
    providers.state = {
        "traces": _provide_traces(settings, described),
        "metrics": _provide_metrics(settings, described, providers.readers),
        "logs": _provide_logs(settings, described),
    }
    for queue in providers.queues:
        if providers.state[queue.signal] == "created":
            queue.exporter.speak_as(resource.encoded(attributes))
        queue.begin()
    own_metrics.observe(providers.queues)
    if providers.scraped and providers.state["metrics"] == "off":
        providers.scraped = None
        problems.append("there is no metrics endpoint: the meter provider in use takes no readers")
    return providers


def _scraped(settings: Settings, queues: list[Queue]) -> PushReader | None:
    """Where the metrics endpoint collects: with a queue that wants the same totals, if one does.

    Every reader of the SDK keeps totals of its own, and makes each measurement half as dear again.
    What two share are the exemplars: whoever collects first has them.
    """
    if not settings.metrics:
        return None
    plain = settings.temporality == "cumulative" and (
        settings.histogram_aggregation == "explicit_bucket_histogram"
    )
    readers = [queue.reader for queue in queues if plain and isinstance(queue, MetricQueue)]
    return readers[0] if readers else PushReader({}, {})


def _connect_langsmith(settings: Settings, providers: Providers) -> None:
    queue = functools.partial(destinations.trace_queue, settings)
    _spans.bridge, problems, providers.note = connect(settings, queue)
    providers.problems += problems
    if _spans.bridge is not None and _spans.bridge.queue is not None:
        providers.queues.append(_spans.bridge.queue)


def _provide_traces(settings: Settings, described: Resource) -> str:
    provider: Any = trace.get_tracer_provider()
    if _is_proxy(provider):
        provider = TracerProvider(
            sampler=sampling.sampler(settings),
            resource=described,
            shutdown_on_exit=False,
            span_limits=sampling.span_limits(settings),
        )
        provider.add_span_processor(_spans)
        trace.set_tracer_provider(provider)
        return _remember("traces", provider, settings)
    return _joined("traces", provider, "add_span_processor", _spans)


def _provide_metrics(settings: Settings, described: Resource, readers: list[PushReader]) -> str:
    provider: Any = metrics.get_meter_provider()
    if _is_proxy(provider):
        provider = MeterProvider(
            metric_readers=readers,
            resource=described,
            exemplar_filter=metric_options.exemplar_filter(settings),
            shutdown_on_exit=False,
        )
        metrics.set_meter_provider(provider)
        return _remember("metrics", provider, settings)
    if not hasattr(provider, "add_metric_reader"):
        return "off"
    for reader in readers:
        provider.add_metric_reader(reader)
    return "created" if _is_made("metrics", provider) else "joined"


def _provide_logs(settings: Settings, described: Resource) -> str:
    provider: Any = _logs.get_logger_provider()
    if _is_proxy(provider):
        provider = LoggerProvider(
            resource=described,
            shutdown_on_exit=False,
            log_record_limits=sampling.log_limits(settings),
        )
        provider.add_log_record_processor(_records)
        _logs.set_logger_provider(provider)
        return _remember("logs", provider, settings)
    return _joined("logs", provider, "add_log_record_processor", _records)


def _is_proxy(provider: Any) -> bool:
    """Whether nobody has installed a provider yet: the API then hands out a stand-in."""
    return type(provider).__name__.lstrip("_").startswith("Proxy")


def _is_made(signal: str, provider: Any) -> bool:
    return signal in _made and _made[signal][0] is provider


def _remember(signal: str, provider: Any, settings: Settings) -> str:
    _made[signal] = (provider, settings)
    return "created"


def _joined(signal: str, provider: Any, adder: str, processor: Any) -> str:
    """Puts our processor into somebody's provider, once; what takes none is left alone."""
    if _is_made(signal, provider):
        return "created"
    if not hasattr(provider, adder):
        return "off"
    if _foreign.get(signal) is not provider:
        getattr(provider, adder)(processor)
        _foreign[signal] = provider
    return "joined"


def _say_what_is_fixed(settings: Settings, problems: list[str]) -> None:
    if "traces" in _made:
        first = _made["traces"][1]
        differing = [name for name in FIXED if getattr(settings, name) != getattr(first, name)]
        if differing:
            problems.append(
                f"{', '.join(differing)}: fixed by the first setup() of this process; not changed"
            )


def _providers() -> list[Any]:
    return [
        trace.get_tracer_provider(), metrics.get_meter_provider(), _logs.get_logger_provider()
    ]  # fmt: skip


def _remove(reader: PushReader) -> None:
    provider: Any = metrics.get_meter_provider()
    provider.remove_metric_reader(reader)


def _add(reader: PushReader) -> None:
    provider: Any = metrics.get_meter_provider()
    provider.add_metric_reader(reader)
