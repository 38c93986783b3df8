"""The rate limit of identical lines, and the counter of records."""

from __future__ import annotations

import io
import logging
import multiprocessing
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from otelkit import logs
from otelkit.logs import counts
from otelkit.logs.limit import LINES_LIMIT, RateLimit
from tests.logs.conftest import Exported, Stderr


def record(created: float, name: str = "app") -> logging.LogRecord:
    made = logging.LogRecord(name, logging.INFO, __file__, 1, "x", None, None)
    made.created = created
    return made


def test_identical_lines_pass_so_often_a_minute() -> None:
    limit = RateLimit(2)
    assert [limit.passes(record(t), "x") for t in (0, 1, 2, 3)] == [0, 0, None, None]
    assert limit.passes(record(61), "x") == 2
    assert limit.passes(record(62), "x") == 0


def test_other_messages_and_loggers_are_other_lines() -> None:
    limit = RateLimit(1)
    assert limit.passes(record(0), "x") == 0
    assert limit.passes(record(0), "y") == 0
    assert limit.passes(record(0, "other"), "x") == 0
    assert limit.passes(record(0), "x") is None


def test_what_is_remembered_is_bounded() -> None:
    limit = RateLimit(1)
    for number in range(3 * LINES_LIMIT):
        limit.passes(record(0), str(number))
    assert len(limit._seen) == LINES_LIMIT


def test_suppressed_lines_are_in_no_output(exported: Exported, logger: logging.Logger) -> None:
    exported.install(log_format="off", log_rate_limit=2)
    own = io.StringIO()
    logger.addHandler(logging.StreamHandler(own))
    for _ in range(5):
        logger.error("again")
    logger.error("other")
    assert exported.bodies == ["again", "again", "other"]
    assert own.getvalue() == "again\nagain\nother\n"


def test_a_line_says_how_many_were_suppressed_before_it(
    exported: Exported, logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported.install(log_format="off", log_rate_limit=1)
    for _ in range(4):
        logger.error("again")
    monkeypatch.setattr("otelkit.logs.limit.WINDOW", 0)
    logger.error("again")
    last = exported.records[-1].log_record.attributes
    assert last is not None
    assert last["otelkit.suppressed"] == 3


def test_at_the_end_each_output_says_what_nothing_has_said(
    exported: Exported, logger: logging.Logger, stderr: Stderr, tmp_path: Path
) -> None:
    file = tmp_path / "app.log"
    exported.install(log_format="json", log_file=str(file), log_rate_limit=3)
    for _ in range(8):
        logger.warning("again, password=%s", "hunter2")
    logger.warning("other")
    logs.uninstall()
    said = "otelkit: 5 more of the same from services.processing: again, password=[redacted]"
    assert exported.bodies[-2:] == ["other", said]
    last = stderr.objects[-1]
    assert (last["level"], last["message"]) == ("WARNING", said)
    assert last["context"] == {"otelkit.suppressed": 5}
    assert file.read_text() == stderr.getvalue()


def test_what_was_kept_back_is_said_once(exported: Exported, logger: logging.Logger) -> None:
    exported.install(log_format="off", log_rate_limit=1)
    for _ in range(2):
        logger.warning("again")
    logs.say_kept_back()
    logs.say_kept_back()
    assert exported.bodies == [
        "again",
        "otelkit: 1 more of the same from services.processing: again",
    ]


def test_a_forked_child_does_not_say_what_its_parent_kept_back(
    exported: Exported, logger: logging.Logger, tmp_path: Path
) -> None:
    file = tmp_path / "app.log"
    exported.install(log_format="off", log_rate_limit=1)
    for _ in range(3):
        logger.warning("again")
    context = multiprocessing.get_context("fork")
    child = context.Process(target=_say_kept_back, args=(exported, file))
    child.start()
    child.join(60)
    assert file.read_text() == "1"
    logs.say_kept_back()
    assert len(exported.bodies) == 2


def _say_kept_back(exported: Exported, file: Path) -> None:
    logs.say_kept_back()
    file.write_text(str(len(exported.bodies)))


class Metrics:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reader = InMemoryMetricReader()
        provider = MeterProvider([self.reader], shutdown_on_exit=False)
        monkeypatch.setattr(metrics._internal, "_METER_PROVIDER", provider)
        counts.records.forget()
        counts.suppressed.forget()

    def points(self, name: str) -> dict[tuple[Any, ...], float]:
        data = self.reader.get_metrics_data()
        found = [
            metric
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
        ]
        assert len(found) <= 1
        return {
            tuple(sorted((point.attributes or {}).items())): point.value  # type: ignore[union-attr]
            for metric in found
            for point in metric.data.data_points
        }


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Metrics:
    return Metrics(monkeypatch)


def series(level: str, logger: str) -> tuple[tuple[str, str], ...]:
    return (("otelkit.level", level), ("otelkit.logger", logger))


def test_records_are_counted_by_level_and_the_root_of_their_logger(
    exported: Exported, counted: Metrics
) -> None:
    exported.install(log_format="off")
    for name in ("shop.orders", "shop.carts", "bank"):
        logging.getLogger(name).warning("x")
    logging.getLogger("shop").error("x")
    logging.getLogger("shop").debug("not logged")
    assert counted.points("otelkit.log.records") == {
        series("WARNING", "shop"): 2,
        series("WARNING", "bank"): 1,
        series("ERROR", "shop"): 1,
    }


def test_suppressed_records_are_counted(exported: Exported, counted: Metrics) -> None:
    exported.install(log_format="off", log_rate_limit=1)
    for _ in range(5):
        logging.getLogger("shop").warning("x")
    assert counted.points("otelkit.log.records") == {series("WARNING", "shop"): 5}
    assert counted.points("otelkit.log.suppressed") == {series("WARNING", "shop"): 4}


def test_any_number_of_logger_names_is_a_bounded_number_of_series(
    exported: Exported, counted: Metrics
) -> None:
    exported.install(log_format="off")
    for number in range(2 * counts.ROOTS_LIMIT):
        logging.getLogger(f"connection{number}").warning("x")
    found = counted.points("otelkit.log.records")
    assert len(found) == counts.ROOTS_LIMIT + 1
    assert found[series("WARNING", "other")] == counts.ROOTS_LIMIT


def test_any_number_of_levels_is_a_bounded_number_of_series(
    exported: Exported, counted: Metrics
) -> None:
    exported.install(log_format="off", log_level="DEBUG")
    for level in range(60, 160):
        logging.getLogger("shop").log(level, "x")
    found = counted.points("otelkit.log.records")
    assert len(found) < 30
    assert sum(found.values()) == 100


def test_a_signal_handler_may_log_while_its_thread_counts(counted: Metrics) -> None:
    with counts.records._lock:  # as where the signal interrupted it
        counts.records.add(record(0, "shop"))
    assert counts.records.observe(CallbackOptions())


def test_names_without_valid_unicode_do_not_break_the_metrics(
    exported: Exported, counted: Metrics
) -> None:
    exported.install(log_format="off")
    for _ in range(2):
        logging.getLogger("sh\ud800p").warning("x")
    assert counted.points("otelkit.log.records") == {series("WARNING", "sh\\ud800p"): 2}
