from __future__ import annotations

import pytest
from opentelemetry.sdk import environment_variables

from otelkit._environment import variables
from otelkit.errors import ConfigError
from otelkit.settings import Settings

# What SDK-constructors refuse, or take for something else: (environment, field, value used, words
# of the warning).
BAD = [
    ({"OTEL_BSP_SCHEDULE_DELAY": "0"}, "span_delay", 5.0, "above 0"),
    ({"OTEL_BSP_MAX_QUEUE_SIZE": "100"}, "span_batch_size", 100, "batches of 100"),
    ({"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "-1"}, "span_batch_size", 512, "whole number"),
    ({"OTEL_BLRP_MAX_QUEUE_SIZE": "many"}, "log_queue_size", 2048, "whole number"),
    ({"OTEL_METRIC_EXPORT_INTERVAL": "0"}, "metric_interval", 60.0, "above 0"),
    ({"OTEL_METRIC_EXPORT_INTERVAL": "nan"}, "metric_interval", 60.0, "above 0"),
    ({"OTEL_TRACES_EXPORTER": "jaeger"}, "traces_exporter", ("otlp",), "otlp, console, none"),
    (
        {"OTEL_METRICS_EXPORTER": "prometheus"}, "metrics_exporter", ("otlp",),
        "none; for Prometheus set METRICS_PORT=9464; using otlp",
    ),
    (
        {"OTELKIT_METRICS_ALIASES": "foo"}, "metrics_aliases", (),
        "expected instrumentator; using none instead",
    ),
    ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, "protocol", "http/protobuf", "grpc"),
    ({"OTEL_EXPORTER_OTLP_TIMEOUT": "10"}, "timeout", 10.0, "write 10000"),
    ({"OTEL_EXPORTER_OTLP_ENDPOINT": "a:4317"}, "endpoint", "http://a:4317", "no scheme"),
    (
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://h:1/base/v1/traces"}, "endpoint", "http://h:1/base",
        "write http://h:1/base, or use OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    ),
    ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://h:99999"}, "endpoint", None, "an address such as"),
    ({"OTEL_SDK_DISABLED": "1"}, "disabled", False, "only true or false"),
    ({"OTEL_SDK_DISABLED": "yes"}, "disabled", False, "true or false; using false instead"),
    ({"OTEL_TRACES_SAMPLER": "sometimes"}, "sampler", "parentbased_always_on", "always_off"),
    ({"OTEL_TRACES_SAMPLER_ARG": "1.5"}, "sampler_arg", 1.0, "from 0 to 1"),
    ({"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "-3"}, "attribute_count_limit", 128, "whole number"),
    ({"OTELKIT_LOG_LEVEL": "LOUD"}, "log_level", "INFO", "DEBUG"),
    (
        {"OTELKIT_LOG_LEVELS": "a=LOUD,b,c=debug"}, "log_levels", {"c": "DEBUG"},
        "'a=LOUD': expected one of DEBUG, INFO, WARNING, ERROR, CRITICAL; "
        "'b': expected key=value pairs, separated by commas; using c=DEBUG instead",
    ),
    ({"OTELKIT_SHUTDOWN_TIMEOUT": "soon"}, "shutdown_timeout", 3.0, "a number above 0"),
    ({"OTELKIT_CAPTURE": "everything"}, "capture", "metadata", "redacted"),
]  # fmt: skip


def test_the_port_of_metrics_is_for_this_machine_unless_it_is_opened() -> None:
    assert Settings.from_env({}).metrics_host == "localhost"
    opened = Settings.from_env({"OTEL_EXPORTER_PROMETHEUS_HOST": "0.0.0.0"})
    assert opened.metrics_host == "0.0.0.0"
    assert opened.problems == ()


@pytest.mark.parametrize(("environ", "field", "used", "words"), BAD, ids=lambda v: str(v)[:50])
def test_a_bad_variable_gets_one_warning_and_a_working_default(environ, field, used, words):
    settings = Settings.from_env(environ)
    assert getattr(settings, field) == used
    (problem,) = settings.problems
    (name,) = environ
    assert name in problem
    assert environ[name] in problem
    assert words in problem
    assert "using" in problem


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        (
            "OTEL_BSP_SCHEDULE_DELAY",
            "0",
            "expected a number of milliseconds above 0 to 86400000; using 5000 ms instead",
        ),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10", "write 10000; using 10000 ms instead"),
        ("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "soon", "using the default instead"),
    ],
)
def test_a_warning_is_in_the_unit_of_its_variable(variable, value, said):
    (problem,) = Settings.from_env({variable: value}).problems
    assert problem.endswith(said)


def test_no_variables_are_no_problem():
    settings = Settings.from_env({})
    assert settings.problems == ()
    assert settings == Settings()


def test_empty_variables_count_as_unset():
    assert Settings.from_env({"OTEL_BSP_SCHEDULE_DELAY": " "}) == Settings()


@pytest.mark.parametrize("variable", ["OTELKIT_ENVIRONMENT", "APP_ENV"])
def test_an_alias_is_read_like_the_name(variable):
    assert Settings.from_env({variable: "staging"}).environment == "staging"


def test_the_name_wins_over_its_alias():
    both = {"APP_ENV": "staging", "OTELKIT_ENVIRONMENT": "production"}
    assert Settings.from_env(both).environment == "production"


def test_an_unknown_variable_is_named_with_the_nearest_known_one():
    (problem,) = Settings.from_env({"OTELKIT_CAPTUR": "full"}).problems
    assert problem.startswith("OTELKIT_CAPTUR:")
    assert "did you mean OTELKIT_CAPTURE?" in problem


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("OTEL_SERIVCE_NAME", "OTEL_SERVICE_NAME"),
        ("OTEL_TRACE_EXPORTER", "OTEL_TRACES_EXPORTER"),
        ("OTEL_METRIC_EXPORTER", "OTEL_METRICS_EXPORTER"),
        ("OTEL_METRICS_EXPORT_INTERVAL", "OTEL_METRIC_EXPORT_INTERVAL"),
        ("OTEL_EXPORTER_OLTP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ("OTEL_EXPORTER_OTLP_HEADER", "OTEL_EXPORTER_OTLP_HEADERS"),
        ("OTEL_PROPAGATOR", "OTEL_PROPAGATORS"),
        ("OTEL_SDK_DISABLE", "OTEL_SDK_DISABLED"),
    ],
)
def test_a_misspelt_variable_of_the_specification_is_named_with_what_was_meant(variable, meant):
    told = f"{variable}: otelkit knows no such variable (did you mean {meant}?); it is ignored"
    assert Settings.from_env({variable: "x"}).problems == (told,)


def test_variables_that_others_read_are_no_mistakes():
    of_the_sdk = [name for name in dir(environment_variables) if name.startswith("OTEL_")]
    assert len(of_the_sdk) > 70
    read = {name for row in variables(Settings) for name in row.metadata["variables"]}
    others = {*of_the_sdk, *OTHERS.split()} - read
    assert Settings.from_env(dict.fromkeys(others, "x")).problems == ()


# Of the specification, of SDKs and agents of other languages, of instrumentations and operators.
OTHERS = """
OTEL_LOG_LEVEL OTEL_BSP_EXPORT_TIMEOUT OTEL_BLRP_EXPORT_TIMEOUT OTEL_METRIC_EXPORT_TIMEOUT
OTEL_EXPORTER_PROMETHEUS_PORT OTEL_EXPORTER_ZIPKIN_ENDPOINT OTEL_EXPORTER_ZIPKIN_TIMEOUT
OTEL_EXPORTER_JAEGER_ENDPOINT OTEL_EXPORTER_JAEGER_TIMEOUT OTEL_EXPORTER_JAEGER_PROTOCOL
OTEL_EXPORTER_JAEGER_CERTIFICATE OTEL_EXPORTER_JAEGER_AGENT_HOST OTEL_EXPORTER_JAEGER_AGENT_PORT
OTEL_EXPORTER_OTLP_INSECURE OTEL_EXPORTER_OTLP_SPAN_INSECURE OTEL_EXPORTER_OTLP_METRIC_INSECURE
OTEL_EXPORTER_OTLP_PROFILES_ENDPOINT OTEL_EXPORTER_OTLP_PROFILES_HEADERS OTEL_PROFILES_EXPORTER
OTEL_EXPERIMENTAL_CONFIG_FILE OTEL_EXPERIMENTAL_SDK_ENABLED OTEL_SEMCONV_STABILITY_OPT_IN
OTEL_PYTHON_TRACER_PROVIDER OTEL_PYTHON_LOG_LEVEL OTEL_PYTHON_LOG_FORMAT OTEL_PYTHON_ID_GENERATOR
OTEL_PYTHON_EXCLUDED_URLS OTEL_PYTHON_FASTAPI_EXCLUDED_URLS OTEL_PYTHON_CONFIGURATOR
OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED OTEL_PYTHON_DISABLED_INSTRUMENTATIONS
OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK
OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS OTEL_INSTRUMENTATION_COMMON_DEFAULT_ENABLED
OTEL_JAVAAGENT_ENABLED OTEL_JAVA_DISABLED_RESOURCE_PROVIDERS OTEL_RESOURCE_DISABLED_KEYS
OTEL_JAVA_EXPORTER_OTLP_RETRY_DISABLED OTEL_EXPORTER_OTLP_MEMORY_MODE
OTEL_DOTNET_AUTO_HOME OTEL_DOTNET_AUTO_TRACES_ENABLED OTEL_DOTNET_AUTO_EXCLUDE_PROCESSES
OTEL_NODE_RESOURCE_DETECTORS OTEL_NODE_ENABLED_INSTRUMENTATIONS OTEL_PHP_AUTOLOAD_ENABLED
OTEL_PHP_DETECTORS OTEL_RUBY_INSTRUMENTATION_RACK_ENABLED OTEL_GO_AUTO_TARGET_EXE
OTEL_GO_X_EXEMPLAR OTEL_GO_X_RESOURCE OTEL_CPP_TRACE_SAMPLER OTEL_IMR_EXPORT_INTERVAL
OTEL_RESOURCE_ATTRIBUTES_POD_NAME OTEL_RESOURCE_ATTRIBUTES_NODE_NAME OTEL_POD_IP OTEL_NODE_IP
OTEL_COLLECTOR_SERVICE_HOST OTEL_COLLECTOR_PORT OTEL_SERVICE_HOST OTEL_SERVICE_PORT OTEL_PORT
OTEL_SERVICE_VERSION OTEL_SERVICE_NAMESPACE OTEL_TRACES_SAMPLER_CONFIG OTEL_ENTITIES
"""


@pytest.mark.parametrize("variable", ["OTELKIT_BIND", "OTELKIT_OTELCOL"])
def test_variables_of_the_stack_are_known(variable):
    assert Settings.from_env({variable: "x"}).problems == ()


@pytest.mark.parametrize(
    ("said", "mode"),
    [("true", "redacted"), ("SPAN_ONLY", "redacted"), ("false", "metadata"), ("FULL", "full")],
)
def test_the_content_variable_of_genai_counts_when_ours_is_unset(said, mode):
    genai = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
    assert Settings.from_env({genai: said}).capture == mode
    assert Settings.from_env({genai: said, "OTELKIT_CAPTURE": "off"}).capture == "off"


def test_secrets_appear_in_no_warning_and_no_repr():
    variable = "OTEL_EXPORTER_OTLP_HEADERS"
    (problem,) = Settings.from_env({variable: "s3cret"}).problems
    assert variable in problem
    assert "s3cret" not in problem
    assert "s3cret" not in repr(Settings.from_env({variable: "authorization=s3cret"}))


def test_milliseconds_in_variables_are_seconds_in_fields():
    environ = {"OTEL_METRIC_EXPORT_INTERVAL": "1500", "OTEL_EXPORTER_OTLP_TIMEOUT": "2500"}
    settings = Settings.from_env(environ)
    assert (settings.metric_interval, settings.timeout) == (1.5, 2.5)


@pytest.mark.parametrize(
    ("environ", "endpoint"),
    [
        ({}, "http://localhost:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:1/"}, "http://c:1/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:1/base"}, "http://c:1/base/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:1/x"}, "http://c:1/x"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http://localhost:4317"),
    ],
)
def test_the_address_of_a_signal_is_built_as_the_specification_says(environ, endpoint):
    assert Settings.from_env(environ).otlp("traces").endpoint == endpoint


def test_a_signals_own_variables_win_and_its_headers_add_up():
    environ = {
        "OTEL_EXPORTER_OTLP_HEADERS": "a=1,b=x%20y",
        "OTEL_EXPORTER_OTLP_LOGS_HEADERS": "b=2",
        "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT": "500",
        "OTEL_EXPORTER_OTLP_LOGS_COMPRESSION": "gzip",
    }
    settings = Settings.from_env(environ)
    logs, traces = settings.otlp("logs"), settings.otlp("traces")
    assert (logs.headers, logs.timeout, logs.compression) == ({"a": "1", "b": "2"}, 0.5, "gzip")
    assert (traces.headers, traces.compression) == ({"a": "1", "b": "x y"}, "none")


def test_arguments_win_over_the_environment():
    environ = {"OTEL_SERVICE_NAME": "env", "OTELKIT_CAPTURE": "off"}
    settings = Settings.from_env(environ, service_name="arg", capture=None)
    assert (settings.service_name, settings.capture) == ("arg", "off")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"captur": "full"}, "no setting 'captur' \\(did you mean capture\\?\\)"),
        ({"capture": "all"}, "capture='all': expected one of off, metadata, redacted, full"),
        ({"span_queue_size": 0}, "span_queue_size=0: expected a whole number"),
        ({"endpoint": "localhost:4318"}, "no scheme"),
        ({"endpoint": "http://localhost:4318/v1/logs"}, "write http://localhost:4318, or"),
        ({"span_delay": 0}, "span_delay=0: expected a number of seconds above 0 to 86400"),
        ({"headers": 5}, "headers: expected"),
    ],
)
def test_a_bad_argument_raises_at_once(given, words):
    with pytest.raises(ConfigError, match=words):
        Settings.from_env({}, **given)


def test_under_pytest_nothing_is_exported_unless_asked_for():
    running = {"PYTEST_VERSION": "9"}
    assert Settings.from_env(running).traces_exporter == ("none",)
    asked = Settings.from_env({**running, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:1"})
    assert asked.traces_exporter == ("otlp",)
    assert Settings.from_env(running, endpoint="http://localhost:1").logs_exporter == ("otlp",)


def test_every_variable_has_one_row_with_words():
    rows = [f for f in Settings.__dataclass_fields__.values() if "variables" in f.metadata]
    assert len(rows) > 50
    assert all(row.metadata["says"] for row in rows)
    first = [row.metadata["variables"][0] for row in rows]
    assert len(first) == len(set(first))
