"""No span, log or count is lost, however a process ends; it ends as it would without otelkit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.lifecycle.matrix import ROWS, Outcome, Row, run

AT_ONCE = 3  # rows that run at the same time; most of their time they wait


@pytest.fixture(scope="module")
def outcomes(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[Outcome]]]:
    """The outcomes of the selected rows, which run in the background."""
    selected = {
        item.callspec.params["row"].name: item.callspec.params["row"]
        for item in request.session.items
        if item.path == request.path and hasattr(item, "callspec")
    }
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {name: pool.submit(run, row) for name, row in selected.items()}


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_everything_arrives_and_the_process_ends_as_ever(
    row: Row, outcomes: dict[str, Future[Outcome]]
) -> None:
    outcome = outcomes[row.name].result()
    assert (outcome.status, outcome.spans, outcome.logs, outcome.counted) == (
        row.status,
        Counter(row.work),
        Counter(row.work),
        sum(row.work.values()),
    ), outcome.output
