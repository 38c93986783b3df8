"""What one setup() promises: never raises for the environment, once in a process, quiet, undone."""

from __future__ import annotations

import json
import re
from pathlib import Path
from textwrap import dedent

import pytest

import otelkit
from tests.lifecycle.peers import Receiver, refusing
from tests.processes import python

NOWHERE = {
    "OTEL_TRACES_EXPORTER": "none",
    "OTEL_METRICS_EXPORTER": "none",
    "OTEL_LOGS_EXPORTER": "none",
}

# A value that cannot be used of every variable that the SDK, the exporters or we would trip over.
BAD = {
    "OTEL_BSP_SCHEDULE_DELAY": "0",
    "OTEL_BSP_MAX_QUEUE_SIZE": "100",
    "OTEL_BLRP_SCHEDULE_DELAY": "soon",
    "OTEL_METRIC_EXPORT_INTERVAL": "0",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "-3",
    "OTEL_SPAN_EVENT_COUNT_LIMIT": "1.5",
    "OTEL_SPAN_LINK_COUNT_LIMIT": "x",
    "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT": "x",
    "OTEL_TRACES_EXPORTER": "zipkin",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json",
    "OTEL_EXPORTER_OTLP_TIMEOUT": "10",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "localhost:4317",
    "OTEL_EXPORTER_OTLP_HEADERS": "no pair",
    "OTEL_EXPORTER_OTLP_COMPRESSION": "brotli",
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "none",
    "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": "none",
    "OTEL_METRICS_EXEMPLAR_FILTER": "none",
    "OTEL_TRACES_SAMPLER": "sometimes",
    "OTEL_TRACES_SAMPLER_ARG": "often",
    "OTEL_PROPAGATORS": "b3",
    "OTEL_SDK_DISABLED": "1",
    "OTEL_RESOURCE_ATTRIBUTES": "a=b,no pair",
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "no_such_detector",
    "OTEL_PYTHON_TRACER_PROVIDER": "no_such_provider",
    "OTEL_PYTHON_METER_PROVIDER": "no_such_provider",
    "OTEL_PYTHON_LOGGER_PROVIDER": "no_such_provider",
    "OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED": "maybe",
    "OTELKIT_CAPTURE": "everything",
    "OTELKIT_CAPTUR": "full",
    "OTELKIT_PRICES": "/no/such/file.json",
    "OTELKIT_SHUTDOWN_TIMEOUT": "0",
}
# One signal's exporter is spoiled above; the others must not wait for a receiver.
QUIET = {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}

STARTS = """
    import logging
    logging.basicConfig(format="%(levelname)s %(name)s %(message)s")
    import otelkit
    telemetry = otelkit.setup(service_name="api", log_format="off", instrument="none")
    with otelkit.traced(name="work"):
        otelkit.counter("c").add(1)
    print(telemetry.status()["traces"]["state"])
    telemetry.shutdown(0)
"""


def warnings_of(stderr: str) -> list[str]:
    return [line for line in stderr.splitlines() if re.match(r"(WARNING|ERROR|CRITICAL) ", line)]


def test_all_bad_values_at_once_are_one_warning_each() -> None:
    done = python(STARTS, environ={**BAD, **QUIET})
    assert done.stdout.strip() == "created"
    said = warnings_of(done.stderr)
    for variable in BAD:
        about = [line for line in said if re.search(rf"otelkit: {variable}[=:]", line)]
        assert len(about) == 1, variable
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "variable",
    [
        "OTEL_BSP_SCHEDULE_DELAY",
        "OTEL_METRIC_EXPORT_INTERVAL",
        "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
        "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS",
        "OTEL_PROPAGATORS",
        "OTEL_PYTHON_TRACER_PROVIDER",
        "OTEL_METRICS_EXEMPLAR_FILTER",
    ],
)
def test_what_makes_the_sdk_raise_alone_is_one_warning(variable: str) -> None:
    done = python(STARTS, environ={**NOWHERE, variable: BAD[variable]})
    assert done.stdout.strip() == "created"
    (said,) = warnings_of(done.stderr)
    assert variable in said
    assert BAD[variable] in said
    assert "using" in said or "left out" in said


def test_a_limit_of_spans_and_records_alike_is_one_warning() -> None:
    done = python(STARTS, environ={**NOWHERE, "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "-1"})
    (said,) = warnings_of(done.stderr)
    assert "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT" in said


def test_a_certificate_that_is_not_there_is_a_warning() -> None:
    environ = {**NOWHERE, "OTEL_EXPORTER_OTLP_CERTIFICATE": "/no/such/file.pem"}
    (said,) = warnings_of(python(STARTS, environ=environ).stderr)
    assert "/no/such/file.pem" in said


@pytest.mark.parametrize("folder", ["/dev/null", "/dev/null/x", "/proc/x"])
def test_a_spool_that_cannot_be_used_is_one_warning_and_nothing_is_lost(folder: str) -> None:
    with Receiver() as receiver:
        environ = {
            **QUIET,
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
            "OTELKIT_SPOOL_DIR": folder,
        }
        done = python(STARTS.replace("shutdown(0)", "shutdown(30)"), environ=environ)
        assert done.returncode == 0, done.stderr
    assert receiver.spans() == {"work": 1}
    (warning,) = warnings_of(done.stderr)
    assert f"OTELKIT_SPOOL_DIR={folder!r}: cannot be written" in warning
    assert "using memory instead" in warning


def test_a_wrong_argument_raises_at_once() -> None:
    with pytest.raises(otelkit.ConfigError, match=r"no setting 'servce_name'.*service_name"):
        otelkit.setup(servce_name="api")
    with pytest.raises(otelkit.ConfigError, match="protocol"):
        otelkit.setup(protocol="http/json")
    with pytest.raises(otelkit.ConfigError, match="either settings or single fields"):
        otelkit.setup("api", settings=otelkit.Settings())
    with pytest.raises(otelkit.ConfigError, match="timeout=-1"):
        otelkit.Telemetry(otelkit.Settings(), None, print).flush(-1)


@pytest.mark.parametrize("given", ["app", "engine"])
def test_what_is_no_application_or_engine_raises_before_anything_starts(given: str) -> None:
    python(
        f"""
        import otelkit
        try:
            otelkit.setup({given}=3)
        except otelkit.ConfigError as error:
            assert "not int" in str(error)
        else:
            raise AssertionError("nothing was raised")
        from opentelemetry import trace
        assert type(trace.get_tracer_provider()).__name__ == "ProxyTracerProvider"
        assert otelkit.status()["traces"]["state"] == "off"
        """
    )


def test_a_telemetry_says_of_itself_what_it_does() -> None:
    code = """
        import otelkit
        with otelkit.setup("api", instrument="none", log_format="off") as telemetry:
            print(telemetry)
        print(telemetry)
        print(otelkit.setup(disabled=True))
    """
    done = python(code, environ={**NOWHERE, "OTEL_TRACES_EXPORTER": "console"})
    assert done.stdout.splitlines() == [
        "<Telemetry on, service=api; traces to console: 0 sent, 0 waiting, 0 lost>",
        "<Telemetry shut down, service=api; traces to console: 0 sent, 0 waiting, 0 lost>",
        "<Telemetry off>",
    ]


def test_before_setup_there_is_nothing_to_flush_and_everything_is_off() -> None:
    assert otelkit.flush()
    assert otelkit.shutdown()
    assert otelkit.status()["traces"] == {"state": "off", "destinations": {}}


def test_a_second_setup_returns_the_first_and_warns_only_of_what_differs() -> None:
    code = """
        import logging, otelkit
        logging.basicConfig()
        first = otelkit.setup("api", instrument="none")
        assert otelkit.setup() is first
        assert otelkit.setup("api") is first
        assert otelkit.setup("other", capture="full") is first
    """
    said = warnings_of(re.sub("WARNING:", "WARNING ", python(code, environ=NOWHERE).stderr))
    assert len(said) == 1
    assert "service_name, capture" in said[0] or "capture, service_name" in said[0]


def test_after_a_shutdown_a_new_setup_works_with_its_own_name_and_destination() -> None:
    with Receiver() as first, Receiver() as second:
        code = f"""
            import otelkit
            from opentelemetry import trace
            tracer = trace.get_tracer("made before setup")
            for name, url in (("one", {first.url!r}), ("two", {second.url!r})):
                with otelkit.setup(name, endpoint=url, instrument="none", log_format="off"):
                    with tracer.start_as_current_span(name):
                        otelkit.counter("c").add(1)
                with tracer.start_as_current_span("nobody listens"):
                    pass
        """
        python(code)
        for receiver, name in ((first, "one"), (second, "two")):
            assert receiver.spans() == {name: 1}
            assert receiver.totals("c")
            for signal in ("traces", "metrics"):
                said = {resource["service.name"] for resource in receiver.resources(signal)}
                assert said == {name}


def test_a_later_setup_says_what_stays_as_it_was() -> None:
    code = """
        import logging, otelkit
        logging.basicConfig()
        otelkit.setup(instrument="none", sampler="always_on").shutdown()
        otelkit.setup(instrument="none", sampler="always_off")
    """
    assert "sampler: fixed by the first setup()" in python(code, environ=NOWHERE).stderr


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("OTEL_SDK_DISABLED", "true", "OTEL_SDK_DISABLED"),
        ("OTEL_CONFIG_FILE", "x", "OTEL_CONFIG_FILE"),
    ],
)
def test_it_steps_aside_and_says_so(variable: str, value: str, words: str) -> None:
    code = """
        import logging, otelkit
        logging.basicConfig(level="INFO")
        from opentelemetry import trace
        telemetry = otelkit.setup()
        assert type(trace.get_tracer_provider()).__name__ == "ProxyTracerProvider"
        assert {telemetry.status()[s]["state"] for s in ("traces", "metrics", "logs")} == {"off"}
        assert telemetry.flush() and telemetry.shutdown()
    """
    assert words in python(code, environ={variable: value}).stderr


def test_a_declarative_configuration_that_nobody_uses_is_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "otel.yaml"
    code = """
        import otelkit
        otelkit.setup()
    """
    missing = python(code, environ={"OTEL_CONFIG_FILE": str(file)}).stderr
    assert missing == f"otelkit: OTEL_CONFIG_FILE='{file}': cannot be read; nothing is recorded\n"
    file.touch()
    assert "start with opentelemetry-instrument, or unset it; nothing is recorded" in (
        python(code, environ={"OTEL_CONFIG_FILE": str(file)}).stderr
    )
    providers = """
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        trace.set_tracer_provider(TracerProvider())
    """
    done = python(dedent(providers) + dedent(code), environ={"OTEL_CONFIG_FILE": str(file)})
    assert done.stderr == ""


def test_nothing_is_printed_and_one_line_sums_it_up() -> None:
    with refusing() as url:
        code = """
            import logging, otelkit
            logging.basicConfig(level="INFO")
            otelkit.setup("api", log_format="off", instrument="none")
        """
        done = python(code, environ={"OTEL_EXPORTER_OTLP_ENDPOINT": url, **QUIET})
    assert done.stdout == ""
    assert done.stderr.splitlines() == [f"INFO:otelkit:otelkit: traces -> {url} (service=api)"]


def test_setup_sends_nothing_and_starts_no_more_than_the_thread_of_metrics() -> None:
    code = """
        import socket, threading, otelkit
        def refuse(*args):
            raise AssertionError("setup() used the network")
        socket.socket.connect = socket.getaddrinfo = refuse
        otelkit.setup("api", log_format="off", instrument="none", logs_exporter=("none",))
        print([thread.name for thread in threading.enumerate()])
    """
    with refusing() as url:
        done = python(code, environ={"OTEL_EXPORTER_OTLP_ENDPOINT": url})
    assert done.stdout.strip() == "['MainThread', 'otelkit-metrics-otlp']"


def test_credentials_of_an_address_are_used_and_never_shown() -> None:
    with Receiver(401) as receiver:
        address = receiver.url.replace("http://", "http://user:p%40ss@")
        code = """
            import logging, otelkit
            logging.basicConfig(level="DEBUG")
            with otelkit.setup("api", instrument="none", log_format="off") as telemetry:
                with otelkit.traced(name="work"):
                    pass
            print(telemetry.status())
        """
        done = python(code, environ={"OTEL_EXPORTER_OTLP_ENDPOINT": address})
    assert receiver.seen[0]["authorization"] == "Basic dXNlcjpwQHNz"
    assert "answered 401" in done.stdout
    assert "p%40ss" not in done.stdout + done.stderr
    assert "p@ss" not in done.stdout + done.stderr


def test_the_result_of_a_flush_and_of_a_shutdown_tell_what_was_delivered() -> None:
    with Receiver() as receiver:
        code = """
            import json, otelkit
            telemetry = otelkit.setup("api", instrument="none", log_format="off")
            with otelkit.traced(name="work"):
                pass
            flushed = telemetry.flush(5)
            counts = flushed.counts["traces"]["otlp"]
            status = telemetry.status()["traces"]["destinations"]["otlp"]
            ended = telemetry.shutdown(5)
            print(json.dumps([bool(flushed), counts.sent, status, bool(ended)]))
        """
        done = python(code, environ={"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url})
        flushed, sent, status, ended = json.loads(done.stdout)
        assert (flushed, sent, ended) == (True, 1, True)
        assert status.pop("last_success") > 0
        assert status == {
            "endpoint": f"{receiver.url}/v1/traces",
            "sent": 1, "failed": 0, "dropped": 0, "spooled": 0, "queued": 0,
            "last_error": None,
        }  # fmt: skip


def test_losses_make_the_next_flush_false_and_the_one_after_true_again() -> None:
    with Receiver() as receiver:
        code = """
            import otelkit
            telemetry = otelkit.setup(
                "api", instrument="none", log_format="off", span_queue_size=1, span_batch_size=1,
                span_delay=60.0, metrics_exporter=("none",), logs_exporter=("none",),
            )
            queue = telemetry._providers.queues[0]
            queue.account.turn_away()
            assert not telemetry.flush(5)
            assert telemetry.flush(5)
            assert not telemetry.shutdown(5)
        """
        python(code, environ={"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url})


def test_grpc_without_its_extra_is_http_and_a_warning_and_an_error_as_an_argument() -> None:
    code = """
        import logging, sys, otelkit
        logging.basicConfig()
        sys.modules["h2"] = None
        import importlib.util
        find = importlib.util.find_spec
        importlib.util.find_spec = lambda name, *rest: None if name == "h2" else find(name, *rest)
        try:
            otelkit.setup(protocol="grpc")
        except otelkit.MissingExtraError as error:
            print(error)
        print(otelkit.setup(instrument="none").status()["traces"]["state"])
    """
    environ = {**NOWHERE, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    done = python(code, environ=environ)
    assert done.stdout.splitlines() == [
        'OTLP over gRPC needs more packages: pip install "otelkit[grpc]"',
        "created",
    ]
    assert "OTEL_EXPORTER_OTLP_PROTOCOL='grpc': OTLP over gRPC needs more" in done.stderr
    assert "using http/protobuf instead" in done.stderr


def test_status_counts_the_lines_that_the_log_file_took_and_lost(tmp_path):
    # A file may be that large and no larger: then the disk is full.
    file = tmp_path / "app.log"
    done = python(
        """
        import logging, os, resource, otelkit
        telemetry = otelkit.setup(instrument="none")
        look = lambda: otelkit.status()["logs"]["destinations"]["file"]
        before = look()
        logging.getLogger("app").warning("taken")
        taken = look()
        assert taken["endpoint"] == os.environ["OTELKIT_LOG_FILE"]
        assert (taken["sent"] - before["sent"], taken["failed"]) == (1, 0), taken
        assert taken["last_success"] and taken["last_error"] is None, taken
        lines = os.path.getsize(taken["endpoint"])
        resource.setrlimit(resource.RLIMIT_FSIZE, (lines, resource.RLIM_INFINITY))
        for number in range(3):
            logging.getLogger("app").warning("lost %d", number)
        lost = look()
        assert lost["sent"] == taken["sent"], lost
        assert lost["failed"] == 4, lost  # with the line that tells of the first
        assert lost["last_error"] == "File too large", lost
        if os.fork() == 0:
            found = look()
            os._exit(found["sent"] + found["failed"])
        print(os.wait()[1])
        """,
        environ={**NOWHERE, "OTELKIT_LOG_FILE": str(file)},
    )
    assert done.stdout == "0\n"
    assert file.read_text().splitlines()[-1].startswith("{")


def test_status_names_the_loggers_that_the_application_disabled():
    python(
        """
        import logging, otelkit
        logging.getLogger("mine").disabled = True
        status = otelkit.setup(instrument="none").status()
        assert status["logs"]["disabled_loggers"] == ["mine"], status["logs"]
        """,
        environ=NOWHERE,
    )
