"""No span, log or count is lost, however a process ends; it ends as it would without otelkit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.lifecycle.matrix import ROWS, Outcome, Row, run

AT_ONCE = 4  # rows that run at the same time; most of their time they wait

each_row = pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])


@pytest.fixture(scope="module")
def outcomes(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[Outcome]]]:
    """The outcomes of the selected tests, which run in the background."""
    selected = [item for item in request.session.items if item.path == request.path]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            item.nodeid: pool.submit(
                run,
                item.callspec.params["row"],
                {"WITH": "nothing" if "without" in item.name else "otelkit"},
            )
            for item in reversed(selected)  # the last rows take longest
        }


@pytest.fixture
def outcome(request: pytest.FixtureRequest, outcomes: dict[str, Future[Outcome]]) -> Outcome:
    return outcomes[request.node.nodeid].result()


def expect_everything(row: Row, outcome: Outcome) -> None:
    assert (outcome.status, outcome.spans, outcome.logs, outcome.counted) == (
        row.status,
        Counter(row.work),
        Counter(row.work),
        sum(row.work.values()),
    ), outcome.output


@each_row
def test_everything_arrives_and_the_process_ends_as_ever(row: Row, outcome: Outcome) -> None:
    expect_everything(row, outcome)


@pytest.mark.soak
@each_row
@pytest.mark.parametrize("time", range(10))
def test_everything_arrives_every_time(row: Row, time: int, outcome: Outcome) -> None:
    expect_everything(row, outcome)


@pytest.mark.soak
@each_row
def test_it_ends_so_without_otelkit_too(row: Row, outcome: Outcome) -> None:
    assert outcome.status == row.status, outcome.output
