"""Which instrumentors are taken, and when: with distributions made up for the test."""

from __future__ import annotations

import importlib
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor

from otelkit import integrations
from tests.integrations.conftest import Telemetry

Install = Callable[..., None]

INSTRUMENTOR = """
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor
import {library}  # as most instrumentors do

class Instrumentor(BaseInstrumentor):
    def instrumentation_dependencies(self):
        return ["{library} == 99"]  # misread: what its distribution says counts

    def _instrument(self, **options):
        {library}.calls.append("instrument")

    def _uninstrument(self, **options):
        {library}.calls.append("uninstrument")
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Puts distributions on the path as pip leaves them; their modules are forgotten afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def place(
        name: str,
        modules: Mapping[str, str],
        *,
        version: str = "1.0",
        requires: tuple[str, ...] = (),
        entry_point: str = "",
    ) -> None:
        info = tmp_path / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        for path, source in modules.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(source)
        needs = "".join(f"Requires-Dist: {one}\n" for one in requires)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}"
        )
        (info / "RECORD").write_text("".join(f"{path},,\n" for path in modules))
        if entry_point:
            text = f"[opentelemetry_instrumentor]\n{entry_point}\n"
            (info / "entry_points.txt").write_text(text)

    yield place
    integrations.uninstrument()
    for module in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[module], "__file__", "")):
            del sys.modules[module]


def install_acme(install: Install, *, needs: str = "acme-db", library: str = "acme") -> None:
    """A library, distributed as acme-db and imported as acme, and its instrumentor."""
    install("acme-db", {"acme/__init__.py": "calls = []", "acme/deep/__init__.py": ""})
    install(
        "acme-instrumentation",
        {"acme_instrumentation.py": INSTRUMENTOR.format(library=library)},
        requires=(f"{needs}; extra == 'instruments'", "packaging"),
        entry_point="acme = acme_instrumentation:Instrumentor",
    )


def calls() -> list[str]:
    return list(importlib.import_module("acme").calls)


def test_an_instrumentor_waits_until_its_library_is_imported(install: Install) -> None:
    install_acme(install)
    assert not [text for text in integrations.instrument() if "acme" in text]
    assert "acme" not in integrations.active()
    assert not {"acme", "acme_instrumentation"} & set(sys.modules)
    assert calls() == ["instrument"]
    assert "acme" in integrations.active()


def test_a_library_that_is_there_is_instrumented_at_once(install: Install) -> None:
    install_acme(install)
    importlib.import_module("acme")
    integrations.instrument("acme")
    assert "acme" in integrations.active()
    assert calls() == ["instrument"]


def test_a_second_call_changes_nothing(install: Install) -> None:
    install_acme(install)
    for _ in range(2):
        assert integrations.instrument("acme") == []
    assert calls() == ["instrument"]
    assert integrations.instrument("acme") == []
    assert calls() == ["instrument"]


def test_undoing_undoes_and_no_longer_waits(install: Install) -> None:
    install_acme(install)
    integrations.instrument("acme")
    integrations.uninstrument()
    assert calls() == []
    integrations.instrument("acme")
    integrations.uninstrument()
    assert calls() == ["instrument", "uninstrument"]
    assert integrations.active() == []


def test_a_module_below_a_namespace_is_waited_for(install: Install) -> None:
    install("acme-cloud-genai", {"acme_cloud/genai/__init__.py": "calls = []"})
    install(
        "acme-instrumentation",
        {"acme_instrumentation.py": INSTRUMENTOR.format(library="acme_cloud.genai")},
        requires=("acme-cloud-genai; extra == 'instruments'",),
        entry_point="acme = acme_instrumentation:Instrumentor",
    )
    integrations.instrument("acme")
    importlib.import_module("acme_cloud")
    assert "acme" not in integrations.active()
    importlib.import_module("acme_cloud.genai")
    assert "acme" in integrations.active()


def test_one_of_several_libraries_is_enough(install: Install) -> None:
    install_acme(install)
    install(
        "either-instrumentation",
        {"either_instrumentation.py": INSTRUMENTOR.format(library="acme")},
        requires=(
            "not-installed; extra == 'instruments-any'",
            "acme-db; extra == 'instruments-any'",
        ),
        entry_point="either = either_instrumentation:Instrumentor",
    )
    assert integrations.instrument("either") == []
    assert calls() == ["instrument"]


def test_a_library_that_is_not_installed_is_no_news_unless_asked_for(install: Install) -> None:
    install_acme(install, needs="acme-missing >= 2")
    assert not [text for text in integrations.instrument() if "acme" in text]
    assert integrations.instrument("acme") == [
        "OTELKIT_INSTRUMENT: the instrumentor of acme needs acme-missing>=2, found none"
    ]


def test_a_library_of_another_version_is_said_in_any_case(install: Install) -> None:
    install_acme(install, needs="acme-db >= 2")
    problem = "the instrumentor of acme needs acme-db>=2, found acme-db 1.0"
    assert problem in integrations.instrument()
    assert integrations.instrument("acme") == [f"OTELKIT_INSTRUMENT: {problem}"]
    assert calls() == []


def test_what_an_instrumentor_needs_itself_is_not_waited_for(install: Install) -> None:
    install("acme-tool", {"acme.py": "calls = []"})
    install(
        "tool-instrumentation",
        {"tool_instrumentation.py": INSTRUMENTOR.format(library="acme")},
        requires=("acme-tool>=1", "acme-tool>=1; extra == 'instruments'"),
        entry_point="tool = tool_instrumentation:Instrumentor",
    )
    integrations.instrument("tool")
    assert "tool" in integrations.active()


def test_an_instrumentor_that_fails_does_not_break_the_import(
    install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    install_acme(install, library="acme.nowhere")
    assert integrations.instrument("acme") == []
    with caplog.at_level(logging.WARNING, "otelkit"):
        assert calls() == []
    (record,) = caplog.records
    assert record.getMessage().startswith("acme could not be instrumented: No module named")
    assert "acme" not in integrations.active()
    (problem,) = integrations.instrument("acme")  # again, now that it is there
    assert problem == record.getMessage()


def test_what_somebody_else_instrumented_stays_theirs(
    install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    install_acme(install)
    instrumentor = importlib.import_module("acme_instrumentation").Instrumentor()
    instrumentor.instrument(skip_dep_check=True)
    assert integrations.instrument("acme") == []
    integrations.uninstrument()
    assert calls() == ["instrument"]
    assert caplog.records == []
    instrumentor.uninstrument()


def test_disabled_instrumentations_are_taken_off(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_acme(install)
    monkeypatch.setenv("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "acme , fastapi")
    assert integrations.instrument("acme,fastapi") == []
    assert calls() == []
    assert integrations.active() == ["threading"]
    integrations.uninstrument()
    monkeypatch.setenv("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "*")
    assert integrations.instrument() == []
    assert integrations.active() == []


def test_none_instruments_nothing_and_a_list_just_that_and_threads() -> None:
    assert integrations.instrument("none") == []
    assert integrations.active() == []
    assert integrations.instrument(("sqlalchemy",)) == []
    assert integrations.active() == ["sqlalchemy", "threading"]
    integrations.uninstrument()


def test_an_unknown_name_is_answered_with_the_nearest(install: Install) -> None:
    install_acme(install)
    problems = integrations.instrument("sqlalhemy, acmee,zzz")
    assert all(problem.startswith("OTELKIT_INSTRUMENT: ") for problem in problems)
    assert [problem.partition(": ")[2] for problem in problems] == [
        "sqlalhemy is not known: did you mean sqlalchemy?",
        "acmee is not known: did you mean acme?",
        "zzz is not known: its instrumentor is not installed",
    ]


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(integrations._instrumentors, "installed", dict)
    monkeypatch.setattr(integrations, "find_spec", lambda name: None)
    problems = integrations.instrument("fastapi,openai,system-metrics")
    assert [problem.partition(": ")[2] for problem in problems] == [
        "threading is not known: its instrumentor is not installed",
        'fastapi is not installed: pip install "otelkit[fastapi]"',
        'the instrumentor of openai is not installed: pip install "otelkit[openai]"',
        'the instrumentor of system_metrics is not installed: pip install "otelkit[system]"',
    ]


@pytest.mark.parametrize(("name", "asked_for"), [("starlette", True), ("logging", False)])
def test_what_would_double_otelkits_own_work_is_not_taken_by_itself(
    install: Install, name: str, asked_for: bool
) -> None:
    install("acme-db", {"acme.py": "calls = []"})
    install(
        "other-instrumentation",
        {"other_instrumentation.py": INSTRUMENTOR.format(library="acme")},
        entry_point=f"{name} = other_instrumentation:Instrumentor",
    )
    integrations.instrument()
    assert name not in integrations.active()
    assert integrations.instrument(name) == []
    assert (name in integrations.active()) is asked_for


def test_contribs_sqlalchemy_is_not_doubled(telemetry: Telemetry) -> None:
    contrib = SQLAlchemyInstrumentor()
    contrib.instrument(skip_dep_check=True)
    try:
        (problem,) = integrations.instrument("sqlalchemy")
        assert "opentelemetry-instrumentation-sqlalchemy is active" in problem
        assert "sqlalchemy" not in integrations.active()
    finally:
        contrib.uninstrument()


def test_the_stable_names_are_chosen_unless_the_operator_chose(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    variable = "OTEL_SEMCONV_STABILITY_OPT_IN"
    monkeypatch.delenv(variable, raising=False)
    integrations.instrument("none")
    assert os.environ.pop(variable) == "http,database"
    monkeypatch.setenv(variable, "http/dup")
    integrations.instrument("none")
    assert os.environ[variable] == "http/dup"


def test_any_failure_becomes_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise OSError("metadata unreadable")

    monkeypatch.setattr(integrations._instrumentors, "installed", broken)
    assert integrations.instrument() == [
        "auto-instrumentation failed: OSError('metadata unreadable')"
    ]


def test_nothing_is_imported_that_the_application_does_not_import() -> None:
    program = """if True:
        import json, sys
        from otelkit import integrations
        integrations.instrument()
        heavy = "fastapi starlette sqlalchemy openai anthropic langchain_core opentelemetry.sdk"
        print(json.dumps([name for name in heavy.split() if name in sys.modules]))
        import sqlalchemy
        print(json.dumps("sqlalchemy" in integrations.active()))
    """
    output = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=True)
    assert [json.loads(line) for line in output.stdout.splitlines()] == [[], True]
