"""The overlay for Elasticsearch: what is sent, what is read from files, and an outage."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.processes import python

from .destinations import Elasticsearch
from .load import Load
from .programs import BASE, COLLECTOR, Collector, until

pytestmark = pytest.mark.stack

FILES = (*BASE, COLLECTOR / "overlays" / "elasticsearch.yaml")


def span_ids(elasticsearch: Elasticsearch) -> Counter[str]:
    return Counter(document["span_id"] for document in elasticsearch.of("traces"))


def texts(elasticsearch: Elasticsearch) -> Counter[str]:
    return Counter(document["body"]["text"] for document in elasticsearch.of("logs"))


def test_it_gets_everything_once_after_an_outage_that_the_collector_did_not_survive(
    otelcol: str, tmp_path: Path
) -> None:
    with Elasticsearch() as elasticsearch:
        env = {"ELASTICSEARCH_ENDPOINT": elasticsearch.url}
        with Collector(otelcol, tmp_path, FILES, env=env) as collector:
            elasticsearch.stop()
            with Load(collector.http) as load:
                until(lambda: len(load.spans) > 200 and len(load.lines) > 200, 60, "all is taken")
            collector.kill()
            collector.start()
            elasticsearch.start()
            until(lambda: len(span_ids(elasticsearch)) == len(load.spans), 120, "spans")
            until(lambda: len(texts(elasticsearch)) == len(load.lines), 120, "lines")

    assert span_ids(elasticsearch) == Counter(span_id.hex() for span_id in load.spans)
    assert texts(elasticsearch) == Counter(load.lines)
    assert elasticsearch.refused == []


def test_lines_of_a_file_come_with_their_fields(otelcol: str, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "other.log").write_text("a line of another program\n")
    code = """
        import logging
        import otelkit
        with otelkit.setup(), otelkit.traced("work"):
            logging.getLogger("shop").warning("few left", extra={"item": 7})
    """
    environ = {
        "OTEL_SERVICE_NAME": "shop",
        "OTELKIT_ENVIRONMENT": "test",
        "OTELKIT_LOG_FILE": str(logs / "shop.log"),
        **{f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")},
    }
    python(code, environ=environ)
    with Elasticsearch() as elasticsearch:
        env = {"ELASTICSEARCH_ENDPOINT": elasticsearch.url, "LOG_FILES": f"{logs}/*.log*"}
        with Collector(otelcol, tmp_path, FILES, env=env):
            until(lambda: len(texts(elasticsearch)) == 3, 60, "three lines arrive")

    assert {"few left", "a line of another program"} < set(texts(elasticsearch))
    (line,) = [one for one in elasticsearch.of("logs") if one["body"]["text"] == "few left"]
    assert line["severity_text"] == "WARNING"
    assert line["attributes"]["item"] == 7
    assert line["resource"]["attributes"]["service.name"] == "shop"
    assert line["resource"]["attributes"]["deployment.environment.name"] == "test"
    assert len(line["trace_id"]) == 32
    assert elasticsearch.refused == []
