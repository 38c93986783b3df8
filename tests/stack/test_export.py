"""`otelkit stack export`: a copy to run, whose settings stay."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from otelkit import stack
from otelkit.cli import main
from otelkit.errors import OtelkitError
from otelkit.stack import alerts, dotenv

from .programs import ROOT, find, forced_into_the_wheel


def alertmanager(folder: Path) -> dict[str, Any]:
    path = folder / "collector" / "alertmanager" / "alertmanager.yml"
    said: dict[str, Any] = yaml.safe_load(path.read_text())
    return said


def test_a_copy_has_what_the_repository_has(tmp_path: Path) -> None:
    written = stack.export(tmp_path / "monitoring", environ={}).files

    same = {path for path in written if path != Path(".env")}
    assert {Path("docker-compose.yml"), Path("collector/config.yaml")} < same
    for path in same:
        assert (tmp_path / "monitoring" / path).read_bytes() == (ROOT / path).read_bytes()


def test_secrets_stay_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.export(tmp_path / "mine", environ={})
    secrets = tmp_path / "mine" / "collector" / "alertmanager" / "secrets"
    secrets.mkdir()
    (secrets / "slack_url").write_text("https://hooks.example.com/hush")
    monkeypatch.setattr("otelkit.stack.copies.locate", lambda: tmp_path / "mine")

    written = stack.export(tmp_path / "copy", environ={}).files

    assert Path("collector/alertmanager/alertmanager.yml") in written
    assert not list((tmp_path / "copy").rglob("slack_url"))
    assert not [path for path in written if "secrets" in path.parts]


def test_the_wheel_has_what_is_copied_and_no_secrets(tmp_path: Path) -> None:
    forced = [Path(name) for name in forced_into_the_wheel()]
    written = stack.export(tmp_path, environ={}).files

    assert [path for path in written if not any(map(path.is_relative_to, forced))] == []
    secret = Path("collector/alertmanager/secrets/slack_url")
    assert not any(map(secret.is_relative_to, forced))


def test_secrets_are_in_no_image_that_a_copy_builds(tmp_path: Path) -> None:
    stack.export(tmp_path, environ={})

    ignored = (tmp_path / ".dockerignore").read_text().splitlines()
    assert "collector/alertmanager/secrets" in ignored


def test_a_copy_builds_the_example_service_from_the_release(tmp_path: Path) -> None:
    stack.export(tmp_path, environ={})

    ours, theirs = ((folder / ".env").read_text().splitlines() for folder in (ROOT, tmp_path))
    changed = [line for line, before in zip(theirs, ours, strict=True) if line != before]
    assert len(changed) == 1
    assert changed[0].startswith('EXAMPLE_PACKAGE="otelkit[demo]==')


def test_the_environment_sets_the_receivers_of_alerts(tmp_path: Path) -> None:
    environ = {
        "ALERT_RECEIVER": "slack",
        "ALERT_CRITICAL_RECEIVER": "email",
        "ALERT_SLACK_CHANNEL": '#o"ps: urgent # really',
        "ALERT_EMAIL_TO": "ops@example.org",
        "ALERT_SMTP_SMARTHOST": "mail.example.org:587",
        "ALERT_SMTP_TLS": "false",
        "ALERT_WEBHOOK_URL": "http://127.0.0.1:1/x",
    }
    stack.export(tmp_path, environ=environ)

    said = yaml.safe_load((tmp_path / "collector/alertmanager/alertmanager.yml").read_text())
    receivers = {receiver["name"]: receiver for receiver in said["receivers"]}
    assert said["route"]["receiver"] == "slack"
    assert said["route"]["routes"][0]["receiver"] == "email"
    assert receivers["slack"]["slack_configs"][0]["channel"] == '#o"ps: urgent # really'
    assert receivers["email"]["email_configs"][0]["to"] == "ops@example.org"
    assert receivers["webhook"]["webhook_configs"][0]["url"] == "http://127.0.0.1:1/x"
    assert said["global"]["smtp_require_tls"] is False
    assert said["global"]["smtp_smarthost"] == "mail.example.org:587"


@pytest.mark.stack
def test_alertmanager_takes_what_the_environment_says(tmp_path: Path) -> None:
    environ = {
        "ALERT_SLACK_CHANNEL": "#ops-\U0001f525",
        "ALERT_EMAIL_TO": "true",
        "ALERT_EMAIL_FROM": "\u00e9\u4e16@example.org",
        "ALERT_SMTP_SMARTHOST": "[::1]:25",
        "ALERT_SMTP_TLS": "false",
        "ALERT_SMTP_USER": "123",
        "ALERT_WEBHOOK_URL": "https://user:word@alerts:8080/a%20b?c=d#e",
    }
    stack.export(tmp_path, environ=environ)

    path = tmp_path / "collector/alertmanager/alertmanager.yml"
    command = [find("amtool"), "check-config", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    said = {
        receiver["name"]: receiver for receiver in yaml.safe_load(path.read_text())["receivers"]
    }
    assert said["slack"]["slack_configs"][0]["channel"] == environ["ALERT_SLACK_CHANNEL"]
    assert said["email"]["email_configs"][0]["to"] == "true"
    assert said["email"]["email_configs"][0]["auth_username"] == "123"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("ALERT_SMTP_TLS", "True", "expected true or false"),
        ("ALERT_SMTP_TLS", "no", "expected true or false"),
        ("ALERT_SMTP_TLS", "1", "expected true or false"),
        ("ALERT_SMTP_SMARTHOST", "mail", "expected host:port"),
        ("ALERT_SMTP_SMARTHOST", ":25", "expected host:port"),
        ("ALERT_WEBHOOK_URL", "nonsense", "expected a URL"),
        ("ALERT_WEBHOOK_URL", "ftp://alerts/", "expected a URL"),
        ("ALERT_WEBHOOK_URL", "http://alerts/%zz", "expected a URL"),
        ("ALERT_EMAIL_TO", "a\x7fb", "has a character that cannot"),
    ],
)
def test_a_value_that_alertmanager_would_refuse_is_an_error(
    name: str, value: str, expected: str, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text(f"{name}={value}\n")

    with pytest.raises(OtelkitError, match=rf"{name}.*: {expected}"):
        stack.export(tmp_path, environ={})


@pytest.mark.stack
@pytest.mark.parametrize("receiver", ["page", "slack", "email", "webhook"])
def test_critical_alerts_go_where_all_go_unless_they_have_a_receiver_of_their_own(
    receiver: str, tmp_path: Path
) -> None:
    stack.export(tmp_path / "one", environ={"ALERT_RECEIVER": receiver})
    apart = {"ALERT_RECEIVER": receiver, "ALERT_CRITICAL_RECEIVER": "webhook"}
    stack.export(tmp_path / "apart", environ=apart)

    for severity in ("warning", "critical"):
        assert routed(tmp_path / "one", severity) == receiver
    assert routed(tmp_path / "apart", "warning") == receiver
    assert routed(tmp_path / "apart", "critical") == "webhook"


def routed(folder: Path, severity: str) -> str:
    """The receiver of an alert, by Alertmanager's own tool."""
    path = folder / "collector" / "alertmanager" / "alertmanager.yml"
    command = [find("amtool"), "config", "routes", "test", f"--config.file={path}"]
    labels = ["alertname=HighErrorRate", f"severity={severity}"]
    done = subprocess.run([*command, *labels], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_without_variables_the_receivers_are_the_shipped_ones(tmp_path: Path) -> None:
    stack.export(tmp_path, environ={"ALERT_RECEIVER": ""})

    assert alertmanager(tmp_path) == alertmanager(ROOT)


@pytest.mark.parametrize("variable", ["ALERT_RECEIVER", "ALERT_CRITICAL_RECEIVER"])
def test_a_receiver_that_there_is_not_is_an_error_that_names_the_choices(
    variable: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(variable, "slak")

    assert main(["stack", "export", str(tmp_path / "out")]) == 2

    choices = "expected one of page, slack, email, webhook"
    assert f"{variable}='slak': {choices}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_document_names_every_variable_of_alerts_with_its_default() -> None:
    shipped = alerts.read((ROOT / "collector/alertmanager/alertmanager.yml").read_text())
    table = re.findall(
        r"^\| `(ALERT_\w+)` \| (.*?) \|", (ROOT / "collector/README.md").read_text(), re.MULTILINE
    )

    assert {name for name, _ in table} == set(shipped)
    in_words = {"ALERT_CRITICAL_RECEIVER", "ALERT_SMTP_USER"}
    for name, default in table:
        assert default == f"`{shipped[name]}`" or name in in_words


def test_secrets_are_files_and_in_no_rendered_line() -> None:
    text = (ROOT / "collector/alertmanager/alertmanager.yml").read_text()

    assert "slack_url" in text
    rendered = [line for line in text.splitlines() if "# from " in line]
    assert rendered
    assert [line for line in rendered if "password" in line or "api_url" in line] == []


def test_a_second_export_keeps_what_is_the_users(tmp_path: Path) -> None:
    stack.export(tmp_path, environ={})
    (tmp_path / "collector/extras.yaml").write_text("exporters: {}\n")
    with (tmp_path / ".env").open("ab") as env:
        env.write(b"COMPOSE_PROFILES=elk\nHOST_NAME=tower # mine, caf\xc3\xa9, caf\xe9\n")
    before = (tmp_path / ".env").read_bytes()
    (tmp_path / "collector/config.yaml").write_text("old")

    written, changes, _edited = stack.export(tmp_path, environ={})

    assert (tmp_path / "collector/extras.yaml").read_text() == "exporters: {}\n"
    assert (tmp_path / ".env").read_bytes() == before
    assert changes == []
    assert (tmp_path / "collector/config.yaml").read_text() != "old"
    assert Path("collector/extras.yaml") not in written


def test_a_second_export_keeps_the_receivers_that_the_first_was_given(tmp_path: Path) -> None:
    given = {"ALERT_RECEIVER": "slack", "ALERT_SLACK_CHANNEL": "#ops: urgent # $really"}
    first = stack.export(tmp_path, environ=given)
    second = stack.export(tmp_path, environ={"ALERT_CRITICAL_RECEIVER": "email"})
    third = stack.export(tmp_path, environ={"ALERT_RECEIVER": "webhook"})

    said = yaml.safe_load((tmp_path / "collector/alertmanager/alertmanager.yml").read_text())
    receivers = {receiver["name"]: receiver for receiver in said["receivers"]}
    assert said["route"]["receiver"] == "webhook"
    assert said["route"]["routes"][0]["receiver"] == "email"
    assert receivers["slack"]["slack_configs"][0]["channel"] == "#ops: urgent # $really"
    assert [len(copy.changes) for copy in (first, second, third)] == [2, 1, 1]
    assert third.changes == ["ALERT_RECEIVER is set, from the environment"]


URL = "https://alerts.example.org/hooks/hush"


def test_the_url_of_a_webhook_is_not_printed_and_its_file_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for url in (URL, f"{URL}/2", f"{URL}'", f"{URL}/%zz"):
        monkeypatch.setenv("ALERT_WEBHOOK_URL", url)
        main(["stack", "export", str(tmp_path)])

    said = capsys.readouterr()
    assert said.out.count(".env: ALERT_WEBHOOK_URL is set, from the environment\n") == 2
    assert said.err.count("ALERT_WEBHOOK_URL: ") == 2
    assert "hush" not in said.out + said.err
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600


def test_the_url_of_a_webhook_can_be_a_file(tmp_path: Path) -> None:
    environ = {"ALERT_RECEIVER": "webhook", "ALERT_WEBHOOK_URL": URL}
    stack.export(tmp_path, environ=environ)
    stack.export(tmp_path, environ={"ALERT_WEBHOOK_URL": "file"})

    inside = "/etc/alertmanager/secrets/webhook_url"
    assert webhook(tmp_path) == {"url_file": inside, "send_resolved": True}

    stack.export(tmp_path, environ={"ALERT_WEBHOOK_URL": f"{URL}/2"})

    assert webhook(tmp_path) == {"url": f"{URL}/2", "send_resolved": True}


def webhook(folder: Path) -> Any:
    [receiver] = [one for one in alertmanager(folder)["receivers"] if one["name"] == "webhook"]
    return receiver["webhook_configs"][0]


def test_the_file_of_settings_is_replaced_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.export(tmp_path, environ={})
    mine = tmp_path / ".env"
    mine.chmod(0o640)
    before = mine.read_bytes()

    def full(path: Path, content: bytes) -> int:
        path.open("wb").close()
        if path.name.startswith(".env"):
            raise OSError("No space left on device")
        return 0

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        with pytest.raises(OtelkitError, match="No space left"):
            stack.export(tmp_path, environ={"ALERT_RECEIVER": "email"})
    assert mine.read_bytes() == before

    stack.export(tmp_path, environ={"ALERT_RECEIVER": "slack"})

    assert mine.read_bytes() != before
    assert mine.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.glob(".env*")) == [mine]


@pytest.mark.parametrize("line", ["=email", "='email'  # at night", '="email"', "=email # mine"])
def test_receivers_can_be_set_in_the_file_of_settings(line: str, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"ALERT_RECEIVER{line}\n")

    stack.export(tmp_path, environ={})

    said = yaml.safe_load((tmp_path / "collector/alertmanager/alertmanager.yml").read_text())
    assert said["route"]["receiver"] == "email"
    assert f"ALERT_RECEIVER{line}" in (tmp_path / ".env").read_text().splitlines()


@pytest.mark.parametrize("form", ["export {}={}", "  {} = {}", "{}: {}", "\ufeff{}={}", "{}={}\r"])
def test_settings_are_read_as_docker_compose_reads_them(form: str, tmp_path: Path) -> None:
    image = form.format("GRAFANA_IMAGE", "mirror/grafana:1.0.0")
    alerts = form.lstrip("\ufeff").format("ALERT_RECEIVER", "email")
    (tmp_path / ".env").write_text(f"{image}\n{alerts}\n", newline="")

    stack.export(tmp_path, environ={})

    assert alertmanager(tmp_path)["route"]["receiver"] == "email"
    lines = (tmp_path / ".env").read_text().split("\n")
    assert image.lstrip("\ufeff").rstrip() in lines
    assert len([line for line in lines if "GRAFANA_IMAGE" in line]) == 1

    stack.export(tmp_path, environ={"ALERT_RECEIVER": "slack"})

    assert alertmanager(tmp_path)["route"]["receiver"] == "slack"
    assert (tmp_path / ".env").read_text().count("ALERT_RECEIVER") == 1


@pytest.mark.parametrize("separator", ["\u2028", "\x85", "\x0b"])
def test_only_a_line_end_ends_a_line_of_settings(separator: str, tmp_path: Path) -> None:
    line = f"MOTTO=one{separator}ALERT_RECEIVER=email"
    (tmp_path / ".env").write_text(f"{line}\n")

    stack.export(tmp_path, environ={})

    assert alertmanager(tmp_path) == alertmanager(ROOT)
    assert line in (tmp_path / ".env").read_text().split("\n")


@pytest.mark.parametrize(
    "value", ["it's", "two\nlines", "DOMAIN\\", "a\u2028b", "a\x85b", "a\x0bb", "a\udcffb"]
)
def test_a_value_that_the_file_of_settings_cannot_hold_is_an_error(
    value: str, tmp_path: Path
) -> None:
    with pytest.raises(OtelkitError, match=r"ALERT_EMAIL_TO: .* cannot be kept in \.env"):
        stack.export(tmp_path / "out", environ={"ALERT_EMAIL_TO": value})

    assert not (tmp_path / "out").exists()


def test_a_second_export_brings_the_images_of_this_release_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shipped = dotenv.read((ROOT / ".env").read_text())
    jaeger, loki = shipped["JAEGER_IMAGE"], shipped["LOKI_IMAGE"]
    mine = [
        "JAEGER_IMAGE=jaegertracing/jaeger:2.9.0  # old",
        "PROMETHEUS_IMAGE=mirror.example.com/prom/prometheus:v3.1.0",
        "GRAFANA_IMAGE=grafana/grafana:99.0.0",
        "OTELCOL_IMAGE=otel/opentelemetry-collector-contrib@sha256:00",
        'EXAMPLE_PACKAGE="otelkit[demo]==0.0.1"',
        "COLLECTOR_OVERLAYS=",
    ]
    (tmp_path / ".env").write_text("\n".join(mine))

    assert main(["stack", "export", str(tmp_path)]) == 0

    said = capsys.readouterr().out
    kept = (tmp_path / ".env").read_text().splitlines()
    assert f".env: JAEGER_IMAGE={jaeger} in place of jaegertracing/jaeger:2.9.0\n" in said
    assert f".env: LOKI_IMAGE={loki} is new\n" in said
    assert {f"JAEGER_IMAGE={jaeger}", f"LOKI_IMAGE={loki}", *mine[1:4], mine[5]} <= set(kept)
    assert mine[0] not in kept
    assert mine[4] not in kept
    assert len(kept) == len({line.partition("=")[0] for line in kept})


@pytest.mark.parametrize(
    ("mine", "shipped", "said"),
    [
        ("postgres:17.2-alpine", "postgres:17.7-alpine", "in place of"),
        ("postgres:16.9-alpine", "postgres:17.7-alpine", "stays"),
        ("postgres:17.2", "postgres:17.7-alpine", "stays"),
        ("grafana/grafana:13.1.9-ubuntu", "grafana/grafana:13.2.0", "stays"),
        ("grafana/grafana:13.2.0-ubuntu", "grafana/grafana:13.2.0", None),
        ("grafana/grafana:13", "grafana/grafana:13.2.0", None),
        ("grafana/grafana:latest", "grafana/grafana:13.2.0", None),
    ],
)
def test_a_pin_is_raised_within_its_major_version_and_variant(
    mine: str, shipped: str, said: str | None
) -> None:
    text, changes = dotenv.merge(f"IMAGE={mine}\n", f"IMAGE={shipped}\n")

    assert text == (f"IMAGE={shipped}\n" if said == "in place of" else f"IMAGE={mine}\n")
    assert (
        changes
        == {
            "in place of": [f"IMAGE={shipped} in place of {mine}"],
            "stays": [f"IMAGE={mine} stays: raise it to {shipped} yourself"],
            None: [],
        }[said]
    )


def test_a_second_export_sets_aside_what_was_edited_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.export(tmp_path, environ={"ALERT_RECEIVER": "webhook"})
    compose, rules = tmp_path / "docker-compose.yml", tmp_path / "collector/prometheus/rules"
    shipped = compose.read_text()
    compose.write_text("services: {}  # mine\n")
    (rules / "mine.yaml").write_text("groups: []\n")

    for receiver in ("slack", "email"):
        copy = stack.export(tmp_path, environ={"ALERT_RECEIVER": receiver})
        assert copy.edited == ([Path("docker-compose.yml")] if receiver == "slack" else [])

    assert compose.read_text() == shipped
    assert (tmp_path / "docker-compose.yml.edited").read_text() == "services: {}  # mine\n"
    assert (rules / "mine.yaml").read_text() == "groups: []\n"
    compose.write_text("services: {}\n")
    assert main(["stack", "export", str(tmp_path)]) == 0
    said = "docker-compose.yml had been edited: your version is docker-compose.yml.edited\n"
    assert said in capsys.readouterr().out


def test_what_is_there_before_the_first_export_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").write_text("services: {}\n")

    assert stack.export(tmp_path, environ={}).edited == [Path("docker-compose.yml")]
    assert (tmp_path / "docker-compose.yml.edited").read_text() == "services: {}\n"


def test_a_copy_of_an_older_release_that_nobody_edited_is_replaced_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = tmp_path / "older"
    stack.export(older, environ={})
    (older / "docker-compose.yml").write_text("name: older\n")
    with monkeypatch.context() as patched:
        patched.setattr("otelkit.stack.copies.locate", lambda: older)
        stack.export(tmp_path / "copy", environ={})

    assert stack.export(tmp_path / "copy", environ={}).edited == []
    assert (tmp_path / "copy/docker-compose.yml").read_bytes() == (
        ROOT / "docker-compose.yml"
    ).read_bytes()


def test_the_stack_is_not_written_over_itself() -> None:
    with pytest.raises(OtelkitError, match="name another folder"):
        stack.export(ROOT, environ={})


def test_a_folder_that_cannot_be_made_is_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(OtelkitError, match=r"cannot write to .*file/deeper"):
        stack.export(tmp_path / "file" / "deeper", environ={})


def test_the_command_says_what_comes_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["stack", "export", str(tmp_path / "out")]) == 0

    # Containers that run already would not read the files anew.
    assert "docker compose up -d --force-recreate" in capsys.readouterr().out
    assert (tmp_path / "out" / "docker-compose.yml").is_file()
