"""`otelkit stack check`: a look whether the stack is in order, by the programs that there are."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from otelkit import stack
from otelkit.cli import main

from .programs import ROOT


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine that has a shell, and none of the stack's programs."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "sh").symlink_to("/bin/sh")
    for name in ("dirname", "sha256sum", "cut"):
        (programs / name).symlink_to(f"/usr/bin/{name}")
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "none"))
    for variable in ("OTELKIT_OTELCOL", "OTELKIT_JAEGER"):
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.usefixtures("bare")
def test_a_check_without_programs_says_what_each_needs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["stack", "check"]) == 0

    said = capsys.readouterr().out
    programs = ("otelcol-contrib", "jaeger", "loki", "promtool", "amtool", "docker compose")
    assert [program for program in programs if f"needs {program}" not in said] == []
    assert " 0 wrong" in said


@pytest.mark.usefixtures("bare")
def test_a_check_names_every_part_of_the_stack() -> None:
    findings = stack.check(ROOT)

    parts = {path.name for path in (ROOT / "collector").iterdir() if path.is_dir()}
    looked_at = {finding.what.partition(":")[0] for finding in findings}
    assert parts - {"overlays", "scale"} <= looked_at  # these are the collector's
    by_ourselves = {finding.what for finding in findings if finding.state != "unchecked"}
    by_ourselves.remove("alertmanager: receivers")
    assert all(re.fullmatch(r"grafana: \w+\.json", what) for what in by_ourselves)


def receivers(folder: Path) -> list[str]:
    """What a check says of them."""
    [found] = [one for one in stack.check(folder) if one.what == "alertmanager: receivers"]
    assert found.state == ("wrong" if found.detail else "ok")
    return found.detail.splitlines()


@pytest.mark.usefixtures("bare")
def test_a_check_finds_receivers_that_nothing_reaches(tmp_path: Path) -> None:
    stack.export(tmp_path, environ={"ALERT_RECEIVER": "slack", "ALERT_CRITICAL_RECEIVER": "email"})
    secrets = tmp_path / "collector" / "alertmanager" / "secrets"

    assert receivers(tmp_path) == [
        "receiver email: ALERT_EMAIL_TO=alerts@example.com is a placeholder; set it",
        "receiver email: ALERT_EMAIL_FROM=otelkit@example.com is a placeholder; set it",
        "receiver email: ALERT_SMTP_SMARTHOST=mail.example.com:587 is a placeholder; set it",
        f"receiver slack: {secrets / 'slack_url'} is missing or empty",
    ]


@pytest.mark.usefixtures("bare")
def test_a_check_finds_nothing_wrong_with_receivers_that_are_whole(tmp_path: Path) -> None:
    given = {
        "ALERT_RECEIVER": "email",
        "ALERT_CRITICAL_RECEIVER": "slack",
        "ALERT_EMAIL_TO": "ops@example.org",
        "ALERT_EMAIL_FROM": "otelkit@example.org",
        "ALERT_SMTP_SMARTHOST": "localhost:25",
        "ALERT_SMTP_USER": "otelkit",
    }
    stack.export(tmp_path, environ=given)
    secrets = tmp_path / "collector" / "alertmanager" / "secrets"
    secrets.mkdir()
    (secrets / "slack_url").write_text("https://hooks.example.com/hush")
    assert receivers(tmp_path) == [
        f"receiver email: {secrets / 'smtp_password'} is missing or empty"
    ]
    (secrets / "smtp_password").write_text("hush")

    assert receivers(tmp_path) == []


@pytest.mark.usefixtures("bare")
def test_a_check_finds_that_the_file_of_the_webhook_is_missing(tmp_path: Path) -> None:
    stack.export(tmp_path, environ={"ALERT_RECEIVER": "webhook", "ALERT_WEBHOOK_URL": "file"})
    secret = tmp_path / "collector" / "alertmanager" / "secrets" / "webhook_url"

    assert receivers(tmp_path) == [f"receiver webhook: {secret} is missing or empty"]
    secret.parent.mkdir()
    secret.write_text("https://alerts.example.com/hush")
    assert receivers(tmp_path) == []


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("ALERT_RECEIVER=webhook", "is not what .env says of ALERT_...: export again"),
        ("ALERT_RECEIVER=slak", ".env has ALERT_RECEIVER='slak': expected one of page, slack"),
    ],
)
def test_a_check_finds_settings_of_alerts_that_were_not_exported(
    line: str, said: str, tmp_path: Path
) -> None:
    stack.export(tmp_path, environ={})
    with (tmp_path / ".env").open("a") as env:
        env.write(f"{line}\n")

    [found] = receivers(tmp_path)
    assert found.startswith(said)


def fake(tmp_path: Path, name: str, script: str) -> None:
    """A program on the PATH of a bare machine."""
    program = tmp_path / "bin" / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


@pytest.mark.usefixtures("bare")
def test_a_check_shows_loki_its_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake(tmp_path, "loki", 'echo "$@"\nexit 1')

    assert main(["stack", "check"]) == 1

    path = ROOT / "collector" / "loki" / "loki.yaml"
    said = capsys.readouterr().out
    assert f"✗ loki: loki.yaml\n    -verify-config -config.file={path}\n" in said


@pytest.mark.usefixtures("bare")
def test_a_program_that_does_not_end_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(tmp_path, "loki", "exec /bin/sleep 600")
    monkeypatch.setattr("otelkit.stack.checks._SECONDS", 0.2)

    [found] = [one for one in stack.check(ROOT) if one.what == "loki: loki.yaml"]
    assert found.state == "wrong"
    assert "timed out" in found.detail


@pytest.mark.usefixtures("bare")
def test_a_check_shows_docker_compose_its_file(tmp_path: Path) -> None:
    for script, state, detail in (
        ("exit 1", "unchecked", "needs docker compose"),
        ('[ "$2" = version ] || { echo "$@"; exit 1; }', "wrong", "config --quiet"),
        ("exit 0", "ok", ""),
    ):
        fake(tmp_path, "docker", script)
        found = stack.check(ROOT)[-1]
        assert (found.what, found.state) == ("compose: docker-compose.yml", state)
        assert found.detail.endswith(detail)
        if state == "wrong":
            assert f"compose --file {ROOT / 'docker-compose.yml'} " in found.detail


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(("major", "state"), [(2, "unchecked"), (3, "wrong")])
def test_what_only_prometheus_3_knows_is_shown_to_no_older_promtool(
    major: int, state: str, tmp_path: Path
) -> None:
    fake(tmp_path, "promtool", f'echo "promtool, version {major}.1.0"\n[ "$1" = --version ]')

    found = {one.what: one.state for one in stack.check(ROOT)}
    assert found["prometheus: prometheus-otlp.yml"] == state
    assert found["prometheus: prometheus.yml"] == "wrong"


FAILS = """
rule_files: [../rules/http.yaml]
tests: [{promql_expr_test: [{expr: vector(1), eval_time: 1m, exp_samples: []}]}]
"""
NO_RULE = "groups: [{name: mine, rules: [{alert: Mine, expr: sum(}]}]\n"


@pytest.mark.stack
@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("path", "text", "wrong"),
    [
        ("prometheus/tests/mine.yaml", FAILS, {"prometheus: tests of the alert rules"}),
        (
            "prometheus/rules/mine.yaml",
            NO_RULE,
            {"prometheus: alert rules", "prometheus: prometheus.yml"},
        ),
        ("prometheus/prometheus.yml", "scrape: []\n", {"prometheus: prometheus.yml"}),
        (
            "alertmanager/alertmanager.yml",
            "route: {receiver: nobody}\n",
            {"alertmanager: alertmanager.yml"},
        ),
        ("alertmanager/mine.yml", "", set()),
    ],
)
def test_a_check_finds_what_the_programs_refuse(
    path: str, text: str, wrong: set[str], tmp_path: Path
) -> None:
    for name in ("promtool", "amtool"):
        (tmp_path / "bin" / name).symlink_to(f"/usr/bin/{name}")
    stack.export(tmp_path / "copy", environ={})
    for slow in (tmp_path / "copy/collector/prometheus/tests").glob("[!h]*.yaml"):
        slow.unlink()
    (tmp_path / "copy" / "collector" / path).write_text(text)

    findings = stack.check(tmp_path / "copy")
    assert {one.what for one in findings if one.state == "wrong"} == wrong
    asked = {one.what for one in findings if one.what.startswith(("prometheus", "alertmanager"))}
    good = {one.what for one in findings if one.state == "ok"}
    assert asked - good - wrong <= {"prometheus: prometheus-otlp.yml"}


@pytest.mark.usefixtures("bare")
def test_a_check_looks_at_a_prometheus_configuration_of_ones_own(tmp_path: Path) -> None:
    stack.export(tmp_path, environ={})
    (tmp_path / "collector/prometheus/scale.yml").write_text("{}")

    assert "prometheus: scale.yml" in {finding.what for finding in stack.check(tmp_path)}


@pytest.mark.usefixtures("bare")
def test_a_check_finds_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.export(tmp_path / "copy", environ={})
    dashboards = tmp_path / "copy" / "collector" / "grafana" / "dashboards"
    (dashboards / "a.json").write_text(json.dumps({"uid": "same"}))
    (dashboards / "b.json").write_text(json.dumps({"uid": "same"}))
    (dashboards / "c.json").write_text("{")
    refuses = tmp_path / "otelcol"
    refuses.write_text("#!/bin/sh\necho 'no such component' >&2\nexit 1\n")
    refuses.chmod(0o755)
    monkeypatch.setenv("OTELKIT_OTELCOL", str(refuses))

    assert main(["stack", "check", str(tmp_path / "copy")]) == 1

    said = capsys.readouterr().out
    assert "✗ collector: config.yaml + extras.yaml\n    no such component" in said
    assert "has the uid 'same' of a.json" in said
    assert "✗ grafana: c.json" in said


def test_a_folder_without_a_stack_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["stack", "check", str(tmp_path)]) == 2

    assert "collector/config.yaml is missing" in capsys.readouterr().err


def test_overlays_and_roles_are_checked_together_with_what_they_are_merged_over() -> None:
    names = {
        tuple(os.path.basename(path) for path in files)
        for files in stack.combinations(ROOT / "collector")
    }

    base = ("config.yaml", "extras.yaml")
    assert base in names
    assert (*base, "langsmith.yaml") in names
    assert (*base, "agent.yaml", "agent-kafka.yaml") in names
    shipped = {p.name for folder in ("overlays", "scale") for p in _yaml(folder)}
    assert shipped <= {name for combination in names for name in combination}


def _yaml(folder: str) -> list[Path]:
    return list((ROOT / "collector" / folder).glob("*.yaml"))
