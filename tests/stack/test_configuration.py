"""Every shipped combination of the collector's files, by the collector itself."""

from __future__ import annotations

import re
import ssl
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from otelkit import stack

from .programs import COLLECTOR, Collector

pytestmark = pytest.mark.stack

COMBINATIONS = stack.combinations(COLLECTOR)
NAMES = ["+".join(path.stem for path in paths) for paths in COMBINATIONS]
OUTDATED = re.compile(r"deprecat|legacy service|renamed|will be removed|alias", re.IGNORECASE)


@pytest.mark.parametrize("files", COMBINATIONS, ids=NAMES)
def test_the_collector_accepts_what_is_shipped(
    files: list[Path], otelcol: str, tmp_path: Path
) -> None:
    options = [f"--config={path}" for path in files]
    done = subprocess.run(
        [otelcol, "validate", *options],
        env={"COLLECTOR_QUEUE": str(tmp_path), "HOST_NAME": "machine"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("files", COMBINATIONS, ids=NAMES)
def test_the_collector_starts_with_it_and_calls_nothing_outdated(
    files: list[Path], otelcol: str, tmp_path: Path
) -> None:
    env = {"GATEWAYS": "localhost", "KAFKA_BROKERS": "127.0.0.1:9"}
    with Collector(otelcol, tmp_path, files, env=env) as collector:
        assert [line for line in collector.said().splitlines() if OUTDATED.search(line)] == []


def test_an_outdated_name_would_be_noticed(otelcol: str, tmp_path: Path) -> None:
    extras = tmp_path / "old.yaml"
    extras.write_text(
        "exporters: {otlphttp/old: {endpoint: 'http://127.0.0.1:9'}}\n"
        "service: {pipelines: {traces/old: {receivers: [otlp], exporters: [otlphttp/old]}}}\n"
    )
    with Collector(otelcol, tmp_path, [*COMBINATIONS[0], extras]) as collector:
        assert [line for line in collector.said().splitlines() if OUTDATED.search(line)]


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """The addition of README.md that lets in who has a token, with a certificate beside it."""
    blocks = re.findall(r"```yaml\n(.+?)```", (COLLECTOR / "README.md").read_text(), re.DOTALL)
    [addition] = [block for block in blocks if "bearertokenauth" in block]
    extras = tmp_path / "extras.yaml"
    extras.write_text(addition.replace("/etc/otelcol/tls", str(tmp_path)))
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=collector"
    files = ["-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"]
    name = ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command.split(), *files, *name], check=True, capture_output=True)
    return extras


def test_the_addition_in_the_document_lets_in_only_who_has_the_token(
    closed: Path, otelcol: str, tmp_path: Path
) -> None:
    trusting = ssl.create_default_context(cafile=tmp_path / "cert.pem")
    env = {"OTLP_TOKEN": "hush"}
    with Collector(otelcol, tmp_path, [*COMBINATIONS[0], closed], env=env) as collector:
        url = collector.http.replace("http:", "https:") + "/v1/traces"

        def status(authorization: str) -> int:
            headers = {"Content-Type": "application/json", "Authorization": authorization}
            request = urllib.request.Request(url, b"{}", headers)
            try:
                with urllib.request.urlopen(request, timeout=30, context=trusting) as answer:
                    return int(answer.status)
            except urllib.error.HTTPError as error:
                return error.code

        assert status("Bearer hush") == 200
        assert status("Bearer other") == 401


def test_the_collector_is_not_open_to_the_network_unless_asked() -> None:
    said = "".join(path.read_text() for path in {path for files in COMBINATIONS for path in files})

    assert "0.0.0.0" not in said
    for port in (4317, 4318, 8888, 8889, 13133):
        assert re.search(rf"OTELKIT_BIND:-127\.0\.0\.1}}[^\n]*{port}", said), port
