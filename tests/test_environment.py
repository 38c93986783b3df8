"""What is said of variables and arguments holds no secret of theirs."""

from __future__ import annotations

import json

import pytest

from otelkit import ConfigError
from otelkit._environment import shown
from otelkit.cli import _doctor_look
from otelkit.settings import Settings

LONG = "t0k" * 40
ADDRESSES = {
    "longer than what is shown": f"otlp://token:{LONG}@h:1",
    "a password with a slash": "otlp://token:t0k/b@h:1",
    "a password with an @": "otlp://token:t0k@b@h:1",
    "no scheme": "token:t0k@h:1",
}


@pytest.mark.parametrize("address", ADDRESSES.values(), ids=ADDRESSES)
def test_an_address_is_shown_without_its_credentials(address: str) -> None:
    (problem,) = Settings.from_env({"OTEL_EXPORTER_OTLP_ENDPOINT": address}).problems
    assert "t0k" not in problem
    assert "h:1" in problem
    with pytest.raises(ConfigError) as raised:
        Settings.from_env({}, endpoint=address)
    assert "t0k" not in str(raised.value)
    assert "h:1" in str(raised.value)


def test_resource_attributes_are_shown_without_secrets() -> None:
    given = "password=t0k,db=postgres://u:t0k@h:1,team=a"
    settings = Settings.from_env({"OTEL_RESOURCE_ATTRIBUTES": given})
    wanted = {"password": "[redacted]", "db": "postgres://h:1", "team": "a"}
    assert shown(settings.resource_attributes) == ",".join(f"{k}={v}" for k, v in wanted.items())
    plain = _doctor_look._plain(settings.resource_attributes, secret=False)
    assert json.loads(json.dumps(plain)) == wanted
