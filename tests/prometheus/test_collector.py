"""The same queries where metrics take the other way: by OTLP to the real collector, with the rules.

Needs `make otelcol` (see ``make test-stack``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.examples.service import running
from tests.integrations.conftest import wait_until
from tests.prometheus import server
from tests.prometheus.server import Prometheus
from tests.prometheus.test_queries import NAMES, QUERIES, Work, answered, rules, sample  # noqa: F401
from tests.stack.conftest import otelcol  # noqa: F401
from tests.stack.programs import Collector, Sample, samples

pytestmark = pytest.mark.stack


class Way:
    """The service's own page, the collector's page, and Prometheus behind it."""

    def __init__(self, own: dict[str, list[Sample]], collector: Collector, of: Prometheus) -> None:
        self.own, self.collector, self.prometheus = own, collector, of


@pytest.fixture(scope="module")
def way(
    tmp_path_factory: pytest.TempPathFactory,
    sample: dict[str, Any],  # noqa: F811
    otelcol: str,  # noqa: F811
) -> Iterator[Way]:
    folder = tmp_path_factory.mktemp("collector")
    with ExitStack() as stack:
        enter = stack.enter_context
        collector = enter(Collector(otelcol, folder / "otelcol"))
        service = enter(running(folder, OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=(
            f"{collector.http}/v1/metrics"
        )))  # fmt: skip
        target = f"127.0.0.1:{collector.ports['page']}"
        prometheus = enter(server.running(folder / "prometheus", target, rules()))
        work = Work(service, sample)
        stack.callback(work.stop)
        for query in QUERIES:
            wait_until(lambda: answered(prometheus, query), 180)  # noqa: B023
        work.stop()
        yield Way(samples(service.ask("/metrics").text), collector, prometheus)


@pytest.mark.parametrize("query", QUERIES)
def test_every_query_returns_data(way: Way, query: str) -> None:
    assert answered(way.prometheus, query)


@pytest.mark.parametrize("name", NAMES)
def test_every_alias_exists(way: Way, name: str) -> None:
    assert way.prometheus.query(name)


def test_the_names_and_labels_of_our_page_are_those_of_the_collector(way: Way) -> None:
    theirs = way.collector.page()
    added = {"job", "instance", "deployment_environment_name"}

    def labels(found: list[Sample]) -> set[str]:
        return {label for labels, _ in found for label in labels} - added

    assert {name for name in way.own if name not in theirs} == set()
    differing = {
        name: (labels(found), labels(theirs[name]))
        for name, found in way.own.items()
        if name != "target_info" and labels(found) != labels(theirs[name])
    }
    assert differing == {}
