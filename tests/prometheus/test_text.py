"""What is written is read back by the parsers of the official client."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from otelkit.prometheus import text
from otelkit.prometheus.families import Buckets, Exemplar, Family

LABELS = (("method", "GET"), ("path", 'a"b\\c\nd'))


def everything() -> list[Family]:
    counter = Family("jobs", "counter", 'Jobs\n"done".\\', points={LABELS: 3, (): 0.25})
    counter.exemplars[LABELS] = [Exemplar(1, 1700000000.5, "ab" * 16, "cd" * 8)]
    seconds = Family("wait_seconds", "histogram", "Wait.", "seconds", (0.5, 1.0))
    seconds.points = {LABELS: Buckets([1, 0, 2], 7.5), (): Buckets([0, 0, 0], 0.0)}
    seconds.exemplars[LABELS] = [Exemplar(0.25, 1700000000, "12" * 16, "34" * 8)]
    return [
        counter,
        seconds,
        Family("heat", "gauge", "Heat.", points={(): -1.5}),
        Family("running", "updown", "Running.", points={(): 4}),
        Family("thread_count", "updown", "Threads.", points={(): 4}),
        Family("target", "info", "Target.", points={(("version", "1.0"),): 1}),
        Family("nothing", "counter", "Without series."),
    ]


def read(openmetrics: bool) -> dict[str, Any]:
    page = text.write(everything(), openmetrics=openmetrics)
    return {
        family.name: family for family in (read_openmetrics if openmetrics else read_text)(page)
    }


def samples(family: Any) -> dict[tuple[str, Any], float]:
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for s in family.samples}


def test_both_formats_say_the_same() -> None:
    plain, openmetrics = read(False), read(True)
    for name in ("jobs", "wait_seconds", "heat", "running", "thread_count"):
        assert samples(plain[name]) == samples(openmetrics[name])
    assert samples(plain["jobs"]) == {("jobs_total", LABELS): 3, ("jobs_total", ()): 0.25}


def test_buckets_are_cumulative() -> None:
    found = samples(read(True)["wait_seconds"])
    buckets = {dict(labels)["le"]: value for (name, labels), value in found.items()
               if name == "wait_seconds_bucket" and len(labels) == 3}  # fmt: skip
    assert buckets == {"0.5": 1, "1.0": 1, "+Inf": 3}
    assert found["wait_seconds_count", LABELS] == 3
    assert found["wait_seconds_sum", LABELS] == 7.5


def test_types_units_and_help() -> None:
    plain, openmetrics = read(False), read(True)
    kinds = {name: (plain_.type, openmetrics[name].type) for name, plain_ in plain.items()
             if name in openmetrics}  # fmt: skip
    assert kinds == {
        "jobs": ("counter", "counter"),
        "wait_seconds": ("histogram", "histogram"),
        "heat": ("gauge", "gauge"),
        "running": ("gauge", "gauge"),
        "thread_count": ("unknown", "unknown"),  # a gauge with the name of a part of a histogram
    }
    assert plain["target_info"].type == "gauge"
    assert openmetrics["target"].type == "info"
    assert openmetrics["wait_seconds"].unit == "seconds"
    assert openmetrics["jobs"].documentation == plain["jobs"].documentation == 'Jobs\n"done".\\'
    assert "nothing" not in plain


def test_exemplars_stand_at_their_bucket_in_openmetrics_only() -> None:
    found = [s for family in read(True).values() for s in family.samples if s.exemplar]
    assert [(s.name, s.labels.get("le"), s.exemplar.labels["trace_id"]) for s in found] == [
        ("jobs_total", None, "ab" * 16),
        ("wait_seconds_bucket", "0.5", "12" * 16),
    ]
    assert found[0].exemplar.value == 1
    assert float(found[0].exemplar.timestamp) == 1700000000.5
    assert "#" not in text.write(everything(), openmetrics=False).replace("# HELP", "").replace(
        "# TYPE", ""
    )


def test_numbers_at_the_edges() -> None:
    values = {
        (("n", str(v)),): v for v in (float("inf"), -float("inf"), float("nan"), 1e300, 2**60)
    }
    page = text.write([Family("g", "gauge", "G.", points=values)], openmetrics=True)
    (family,) = read_openmetrics(page)
    assert {s.labels["n"]: repr(s.value) for s in family.samples} == {
        "inf": "inf", "-inf": "-inf", "nan": "nan", "1e+300": "1e+300",
        str(2**60): repr(2**60),
    }  # fmt: skip


@given(st.dictionaries(st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True), st.text()))
def test_any_label_value_comes_back_as_it_was(labels: dict[str, str]) -> None:
    key = tuple(sorted(labels.items()))
    page = text.write([Family("g", "gauge", "G.", points={key: 1})], openmetrics=True)
    encoded = page.encode(errors="replace").decode()
    (sample,) = [s for family in read_openmetrics(encoded) for s in family.samples]
    assert sample.labels == {n: v.encode(errors="replace").decode() for n, v in labels.items()}
