"""Settings: one documented table of every variable that otelkit reads.

Each field of :class:`Settings` names its environment variables (the first is the name, the others
are aliases), its parser, its default and what it means. ``setup()`` takes any field as an argument.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from otelkit import _parse as parse
from otelkit._environment import read

SIGNALS = ("traces", "metrics", "logs")

DEFAULT_HTTP_ENDPOINT = "http://localhost:4318"
DEFAULT_GRPC_ENDPOINT = "http://localhost:4317"


class Otlp(NamedTuple):
    """Where and how one signal is sent: a full address, times in seconds, PEM files."""

    endpoint: str
    protocol: str
    headers: dict[str, str]
    timeout: float
    compression: str
    certificate: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None


def _read(
    *variables: str,
    by: Callable[[Any], Any],
    default: Any = None,
    says: str,
    secret: bool = False,
    empty: bool = False,
) -> Any:
    """A field of Settings that is read from the first of ``variables`` that is set.

    An empty variable counts as unset, unless ``empty`` says that it means something.
    """
    about = {"variables": variables, "parse": by, "says": says, "secret": secret, "empty": empty}
    about["milliseconds"] = by in (parse.milliseconds, parse.otlp_timeout)
    if isinstance(default, dict):
        return field(default_factory=dict, repr=not secret, metadata=about)
    return field(default=default, repr=not secret, metadata=about)


_EXPORTERS = parse.subset("otlp", "console", "none")
_PROTOCOL = parse.choice("http/protobuf", "grpc")
_COMPRESSION = parse.choice("none", "gzip", "deflate")
_QUEUE = parse.integer(1, 1_000_000)
_LIMIT = parse.integer(0)


@dataclass(frozen=True)
class Settings:
    """What ``setup()`` does, decided once and handed down to every room.

    Times are seconds (variables of the specification are milliseconds), sizes are bytes unless the
    name says otherwise. Make one with :meth:`from_env`; ``problems`` then lists what was wrong with
    the environment and which default was used instead.
    """

    # --- Who is speaking
    service_name: str | None = _read(
        "OTEL_SERVICE_NAME", by=parse.text, says="`service.name`; else the program's own name"
    )
    environment: str = _read(
        "OTELKIT_ENVIRONMENT",
        "APP_ENV",
        by=parse.text,
        default="development",
        says="`deployment.environment.name`",
    )
    resource_attributes: dict[str, str] = _read(
        "OTEL_RESOURCE_ATTRIBUTES",
        by=parse.attributes,
        default={},
        says="`key=value,key=value`: more about the service, such as `service.version=1.2`",
    )
    resource_detectors: tuple[str, ...] = _read(
        "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS",
        by=parse.names,
        default=(),
        says="detectors of other packages, run once; process, host and os are always described",
    )
    disabled: bool = _read(
        "OTEL_SDK_DISABLED",
        by=parse.specification_boolean,
        default=False,
        says="`true`: no provider is created and nothing is recorded",
    )
    config_file: str | None = _read(
        "OTEL_CONFIG_FILE",
        by=parse.text,
        says="declarative configuration: otelkit steps aside and adds only its decorators",
    )

    # --- Where telemetry goes (OTLP); per-signal variables override the common ones
    traces_exporter: tuple[str, ...] = _read(
        "OTEL_TRACES_EXPORTER", by=_EXPORTERS, default=("otlp",), says="`otlp`, `console`, `none`"
    )
    metrics_exporter: tuple[str, ...] = _read(
        "OTEL_METRICS_EXPORTER",
        by=parse.with_advice(_EXPORTERS, "prometheus", "for Prometheus set METRICS_PORT=9464"),
        default=("otlp",),
        says="`otlp`, `console`, `none`",
    )
    logs_exporter: tuple[str, ...] = _read(
        "OTEL_LOGS_EXPORTER", by=_EXPORTERS, default=("otlp",), says="`otlp`, `console`, `none`"
    )
    endpoint: str | None = _read(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        by=parse.base_url,
        says=f"base address; `{DEFAULT_HTTP_ENDPOINT}`, with gRPC `{DEFAULT_GRPC_ENDPOINT}`",
    )
    traces_endpoint: str | None = _read(
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", by=parse.url, says="full address for traces"
    )
    metrics_endpoint: str | None = _read(
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", by=parse.url, says="full address for metrics"
    )
    logs_endpoint: str | None = _read(
        "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", by=parse.url, says="full address for logs"
    )
    protocol: str = _read(
        "OTEL_EXPORTER_OTLP_PROTOCOL",
        by=_PROTOCOL,
        default="http/protobuf",
        says="`http/protobuf`, or `grpc` with the extra `grpc`",
    )
    traces_protocol: str | None = _read(
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", by=_PROTOCOL, says="for traces"
    )
    metrics_protocol: str | None = _read(
        "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", by=_PROTOCOL, says="for metrics"
    )
    logs_protocol: str | None = _read(
        "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", by=_PROTOCOL, says="for logs"
    )
    headers: dict[str, str] = _read(
        "OTEL_EXPORTER_OTLP_HEADERS",
        by=parse.headers,
        default={},
        secret=True,
        says="`key=value,key=value`, sent with every request",
    )
    traces_headers: dict[str, str] = _read(
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
        by=parse.headers,
        default={},
        secret=True,
        says="for traces, added to the common ones",
    )
    metrics_headers: dict[str, str] = _read(
        "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
        by=parse.headers,
        default={},
        secret=True,
        says="for metrics, added to the common ones",
    )
    logs_headers: dict[str, str] = _read(
        "OTEL_EXPORTER_OTLP_LOGS_HEADERS",
        by=parse.headers,
        default={},
        secret=True,
        says="for logs, added to the common ones",
    )
    timeout: float = _read(
        "OTEL_EXPORTER_OTLP_TIMEOUT",
        by=parse.otlp_timeout,
        default=10.0,
        says="of one request; the variable is in milliseconds",
    )
    traces_timeout: float | None = _read(
        "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", by=parse.otlp_timeout, says="for traces"
    )
    metrics_timeout: float | None = _read(
        "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", by=parse.otlp_timeout, says="for metrics"
    )
    logs_timeout: float | None = _read(
        "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", by=parse.otlp_timeout, says="for logs"
    )
    compression: str = _read(
        "OTEL_EXPORTER_OTLP_COMPRESSION",
        by=_COMPRESSION,
        default="none",
        says="`none`, `gzip`, `deflate`",
    )
    traces_compression: str | None = _read(
        "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", by=_COMPRESSION, says="for traces"
    )
    metrics_compression: str | None = _read(
        "OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", by=_COMPRESSION, says="for metrics"
    )
    logs_compression: str | None = _read(
        "OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", by=_COMPRESSION, says="for logs"
    )

    certificate: str | None = _read(
        "OTEL_EXPORTER_OTLP_CERTIFICATE", by=parse.text, says="PEM file of the authorities to trust"
    )
    traces_certificate: str | None = _read(
        "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", by=parse.text, says="for traces"
    )
    metrics_certificate: str | None = _read(
        "OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE", by=parse.text, says="for metrics"
    )
    logs_certificate: str | None = _read(
        "OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE", by=parse.text, says="for logs"
    )
    client_certificate: str | None = _read(
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
        by=parse.text,
        says="PEM file of the client's own certificate",
    )
    traces_client_certificate: str | None = _read(
        "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", by=parse.text, says="for traces"
    )
    metrics_client_certificate: str | None = _read(
        "OTEL_EXPORTER_OTLP_METRICS_CLIENT_CERTIFICATE", by=parse.text, says="for metrics"
    )
    logs_client_certificate: str | None = _read(
        "OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE", by=parse.text, says="for logs"
    )
    client_key: str | None = _read(
        "OTEL_EXPORTER_OTLP_CLIENT_KEY", by=parse.text, says="PEM file of the client's private key"
    )
    traces_client_key: str | None = _read(
        "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", by=parse.text, says="for traces"
    )
    metrics_client_key: str | None = _read(
        "OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY", by=parse.text, says="for metrics"
    )
    logs_client_key: str | None = _read(
        "OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY", by=parse.text, says="for logs"
    )

    # --- Queues and intervals
    span_queue_size: int = _read(
        "OTEL_BSP_MAX_QUEUE_SIZE", by=_QUEUE, default=2048, says="spans kept until they are sent"
    )
    span_batch_size: int = _read(
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", by=_QUEUE, default=512, says="spans in one request"
    )
    span_delay: float = _read(
        "OTEL_BSP_SCHEDULE_DELAY",
        by=parse.milliseconds,
        default=5.0,
        says="longest wait of a span; the variable is in milliseconds",
    )
    log_queue_size: int = _read(
        "OTEL_BLRP_MAX_QUEUE_SIZE", by=_QUEUE, default=2048, says="records kept until they are sent"
    )
    log_batch_size: int = _read(
        "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", by=_QUEUE, default=512, says="records in one request"
    )
    log_delay: float = _read(
        "OTEL_BLRP_SCHEDULE_DELAY",
        by=parse.milliseconds,
        default=1.0,
        says="longest wait of a record; the variable is in milliseconds",
    )
    metric_interval: float = _read(
        "OTEL_METRIC_EXPORT_INTERVAL",
        by=parse.milliseconds,
        default=60.0,
        says="between two exports of metrics; the variable is in milliseconds",
    )

    temporality: str = _read(
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
        by=parse.choice("cumulative", "delta", "lowmemory"),
        default="cumulative",
        says="`cumulative`, `delta` or `lowmemory`",
    )
    histogram_aggregation: str = _read(
        "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
        by=parse.choice("explicit_bucket_histogram", "base2_exponential_bucket_histogram"),
        default="explicit_bucket_histogram",
        says="`explicit_bucket_histogram` or `base2_exponential_bucket_histogram`",
    )
    exemplar_filter: str = _read(
        "OTEL_METRICS_EXEMPLAR_FILTER",
        by=parse.choice("trace_based", "always_on", "always_off"),
        default="trace_based",
        says="which measurements carry a trace id",
    )

    # --- Sampling, propagation, limits
    sampler: str = _read(
        "OTEL_TRACES_SAMPLER",
        by=parse.choice(
            "always_on",
            "always_off",
            "traceidratio",
            "parentbased_always_on",
            "parentbased_always_off",
            "parentbased_traceidratio",
        ),
        default="parentbased_always_on",
        says="which traces are recorded",
    )
    sampler_arg: float = _read(
        "OTEL_TRACES_SAMPLER_ARG",
        by=parse.number(0, 1),
        default=1.0,
        says="share of traces kept by the `traceidratio` samplers",
    )
    propagators: tuple[str, ...] = _read(
        "OTEL_PROPAGATORS",
        by=parse.names,
        default=("tracecontext", "baggage"),
        says="how trace context travels",
    )
    attribute_count_limit: int = _read(
        "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
        "OTEL_ATTRIBUTE_COUNT_LIMIT",
        by=_LIMIT,
        default=128,
        says="attributes of a span",
    )
    attribute_length_limit: int = _read(
        "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
        "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
        by=_LIMIT,
        default=16_384,
        says="characters of one attribute; longer text is cut",
    )
    event_count_limit: int = _read(
        "OTEL_SPAN_EVENT_COUNT_LIMIT", by=_LIMIT, default=128, says="events of a span"
    )
    link_count_limit: int = _read(
        "OTEL_SPAN_LINK_COUNT_LIMIT", by=_LIMIT, default=128, says="links of a span"
    )
    event_attribute_count_limit: int = _read(
        "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", by=_LIMIT, default=128, says="attributes of an event"
    )
    link_attribute_count_limit: int = _read(
        "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", by=_LIMIT, default=128, says="attributes of a link"
    )
    log_attribute_count_limit: int = _read(
        "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT",
        "OTEL_ATTRIBUTE_COUNT_LIMIT",
        by=_LIMIT,
        default=128,
        says="attributes of a log record",
    )
    log_attribute_length_limit: int = _read(
        "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT",
        "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
        by=_LIMIT,
        default=16_384,
        says="characters of one attribute of a log record",
    )

    # --- Content
    capture: str = _read(
        "OTELKIT_CAPTURE",
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT",
        by=parse.capture_mode,
        default="metadata",
        says="content on spans: `off`; `metadata` (types and lengths); `redacted`; `full`",
    )
    capture_max_bytes: int = _read(
        "OTELKIT_CAPTURE_MAX_BYTES",
        by=parse.integer(64, 1_048_576),
        default=8192,
        says="per value, cut while encoding",
    )
    redact_keys: tuple[str, ...] = _read(
        "OTELKIT_REDACT_KEYS", by=parse.names, default=(), says="added to the built-in key names"
    )
    redact_patterns: tuple[str, ...] = _read(
        "OTELKIT_REDACT_PATTERNS",
        by=parse.names,
        default=(),
        says="regular expressions added to the built-in ones; `email` turns on the e-mail pattern",
    )
    prices: str | None = _read(
        "OTELKIT_PRICES",
        by=parse.text,
        says="JSON or TOML file with prices that override the shipped table",
    )

    # --- Logs
    log_level: str = _read(
        "OTELKIT_LOG_LEVEL", "LOG_LEVEL", by=parse.log_level, default="INFO", says="root level"
    )
    log_format: str | None = _read(
        "OTELKIT_LOG_FORMAT",
        "LOG_FORMAT",
        by=parse.choice("json", "detailed", "off"),
        says="`json`, `detailed`, `off`; unset: `detailed` on a terminal, else `json`",
    )
    log_levels: dict[str, str] = _read(
        "OTELKIT_LOG_LEVELS",
        by=parse.log_levels,
        default={},
        says="per logger: `uvicorn.access=WARNING,app=DEBUG`",
    )
    log_file: str | None = _read(
        "OTELKIT_LOG_FILE",
        by=parse.text,
        says="also write JSON lines to this file, rotating at 50 MiB, five kept",
    )
    log_rate_limit: int | None = _read(
        "OTELKIT_LOG_RATE_LIMIT",
        by=parse.integer(1),
        says="identical lines a minute; further ones are only counted",
    )

    # --- Health
    health_prefix: str = _read(
        "OTELKIT_HEALTH_PREFIX",
        by=parse.path_prefix,
        default="/health",
        empty=True,
        says="where the health routes live; empty turns them off",
    )
    health_details: str = _read(
        "OTELKIT_HEALTH_DETAILS",
        by=parse.details,
        default="public",
        says="who sees the components: `public`; `token`: whoever has the token; `off`: nobody",
    )
    health_token: str | None = _read(
        "OTELKIT_HEALTH_TOKEN",
        by=parse.text,
        secret=True,
        says="shows the components, as `Authorization: Bearer …` or `X-Health-Token: …`",
    )

    # --- The metrics endpoint
    metrics: bool = _read(
        "OTELKIT_METRICS",
        "ENABLE_METRICS",
        by=parse.boolean,
        default=True,
        says="answer Prometheus with metrics, on the application and on `OTELKIT_METRICS_PORT`",
    )
    metrics_path: str = _read(
        "OTELKIT_METRICS_PATH",
        by=parse.path_prefix,
        default="/metrics",
        empty=True,
        says="path of the metrics; empty leaves the application alone",
    )
    metrics_port: int | None = _read(
        "OTELKIT_METRICS_PORT",
        "METRICS_PORT",
        by=parse.integer(1, 65_535),
        says="answer on a port of its own, too",
    )
    metrics_host: str = _read(
        "OTEL_EXPORTER_PROMETHEUS_HOST",
        by=parse.text,
        default="localhost",
        says="address of that port; `0.0.0.0`: whoever reaches this machine may ask",
    )
    metrics_namespace: str | None = _read(
        "OTELKIT_METRICS_NAMESPACE",
        by=parse.metric_namespace,
        says="also answer with alias families: `shop` gives `shop_http_requests_total`",
    )
    metrics_aliases: tuple[str, ...] = _read(
        "OTELKIT_METRICS_ALIASES",
        by=parse.subset("instrumentator"),
        default=(),
        says="`instrumentator`: also the names of prometheus-fastapi-instrumentator",
    )

    # --- What is instrumented, and how it behaves
    instrument: str | tuple[str, ...] = _read(
        "OTELKIT_INSTRUMENT",
        by=parse.selection,
        default="auto",
        says="`auto`: every installed instrumentor that fits; `none`; or a list",
    )
    baggage: bool = _read(
        "OTELKIT_BAGGAGE",
        by=parse.boolean,
        default=False,
        says="propagate what `bind()` holds as W3C baggage",
    )
    trust_inbound: bool = _read(
        "OTELKIT_TRUST_INBOUND",
        by=parse.boolean,
        default=True,
        says="continue the traces of callers; `false` links to them instead",
    )
    spool_dir: str | None = _read(
        "OTELKIT_SPOOL_DIR",
        by=parse.text,
        says="folder for telemetry that could not be sent; several processes may share it",
    )
    spool_max_mb: int = _read(
        "OTELKIT_SPOOL_MAX_MB",
        by=parse.integer(1, 1_000_000),
        default=256,
        says="megabytes that it may hold; the oldest is dropped first",
    )
    shutdown_timeout: float = _read(
        "OTELKIT_SHUTDOWN_TIMEOUT",
        by=parse.number(0, 600, above=True),
        default=3.0,
        says="seconds that exit may take, all signals together",
    )
    sigterm: bool = _read(
        "OTELKIT_SIGTERM",
        by=parse.boolean,
        default=True,
        says="flush on SIGTERM, then whatever was installed before",
    )

    # --- LangSmith; variables of its own have the meaning that its own packages give them
    langsmith: str = _read(
        "OTELKIT_LANGSMITH",
        by=parse.choice("auto", "stamp", "off"),
        default="auto",
        says="`auto`: on when tracing is true and a key is set; `stamp`: a collector sends; `off`",
    )
    langsmith_tracing: bool = _read(
        "LANGSMITH_TRACING",
        "LANGSMITH_TRACING_V2",
        "LANGCHAIN_TRACING_V2",
        by=parse.boolean,
        default=False,
        says="`true`: agent and LLM runs go to LangSmith",
    )
    langsmith_api_key: str | None = _read(
        "LANGSMITH_API_KEY", "LANGCHAIN_API_KEY", by=parse.unquoted, secret=True, says="its key"
    )
    langsmith_project: str | None = _read(
        "LANGSMITH_PROJECT", "LANGCHAIN_PROJECT", by=parse.text, says="the project that runs are in"
    )
    langsmith_workspace: str | None = _read(
        "LANGSMITH_WORKSPACE_ID",
        "LANGCHAIN_WORKSPACE_ID",
        by=parse.unquoted,
        says="the workspace, for a key that is valid in several",
    )
    langsmith_endpoint: str = _read(
        "LANGSMITH_ENDPOINT",
        "LANGCHAIN_ENDPOINT",
        by=parse.own_url,
        default="https://api.smith.langchain.com",
        says="its API; a self-hosted one ends in `/api/v1`",
    )
    langsmith_sampling_rate: float = _read(
        "LANGSMITH_TRACING_SAMPLING_RATE",
        "LANGCHAIN_TRACING_SAMPLING_RATE",
        by=parse.number(0, 1),
        default=1.0,
        says="share of the traces that go there, each as a whole or not at all",
    )

    problems: tuple[str, ...] = field(default=(), compare=False, repr=False)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
        """Settings out of the environment, and out of arguments, which win.

        Args:
            environ: The variables; ``os.environ`` by default. Empty ones count as unset.
            **overrides: Fields of Settings. ``None`` counts as not given.

        Returns:
            Settings whose ``problems`` say, a line each, what could not be used.

        Raises:
            ConfigError: An override is no field, or cannot be used. The environment never raises.
        """
        values, problems = read(cls, os.environ if environ is None else environ, overrides)
        return cls(**values, problems=tuple(dict.fromkeys(problems)))

    def otlp(self, signal: str) -> Otlp:
        """The OTLP destination of ``signal`` (``"traces"``, ``"metrics"``, ``"logs"``)."""

        def own(name: str) -> Any:
            return getattr(self, f"{signal}_{name}")

        protocol = own("protocol") or self.protocol
        grpc = protocol == "grpc"
        base = self.endpoint or (DEFAULT_GRPC_ENDPOINT if grpc else DEFAULT_HTTP_ENDPOINT)
        endpoint = own("endpoint") or (base if grpc else f"{base.rstrip('/')}/v1/{signal}")
        return Otlp(
            endpoint=endpoint,
            protocol=protocol,
            headers={**self.headers, **own("headers")},
            timeout=own("timeout") or self.timeout,
            compression=own("compression") or self.compression,
            certificate=own("certificate") or self.certificate,
            client_certificate=own("client_certificate") or self.client_certificate,
            client_key=own("client_key") or self.client_key,
        )
