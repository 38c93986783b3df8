"""Who is speaking: found out, told, and told anew after a fork."""

from __future__ import annotations

import os
import sys

import pytest

from otelkit.providers import resource
from otelkit.settings import Settings


def described(**fields: object) -> dict[str, object]:
    return resource.describe(Settings.from_env({}, **fields))[0]


@pytest.mark.parametrize(
    ("program", "name"),
    [
        ("/srv/app/main.py", "main"),
        ("/srv/app/package/__main__.py", "package"),
        ("/usr/bin/uvicorn", "uvicorn"),
    ],
)
def test_an_unnamed_service_is_called_after_what_was_started(
    monkeypatch: pytest.MonkeyPatch, program: str, name: str
) -> None:
    monkeypatch.setattr(sys, "argv", [program])
    assert described()["service.name"] == f"unknown_service:{name}"


@pytest.mark.parametrize("program", ["", "-c", "-m"])
def test_without_a_program_it_is_the_interpreter(
    monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    monkeypatch.setattr(sys, "argv", [program])
    assert str(described()["service.name"]).startswith("unknown_service:python")


def test_the_name_given_wins_over_the_attributes_and_these_over_what_was_found() -> None:
    attributes = {"service.name": "by attribute", "host.name": "named"}
    found = described(resource_attributes=attributes)
    assert (found["service.name"], found["host.name"]) == ("by attribute", "named")
    found = described(resource_attributes=attributes, service_name="given")
    assert found["service.name"] == "given"


def test_the_environment_given_wins_over_the_attributes_and_these_over_the_default() -> None:
    key = "deployment.environment.name"
    attributes = {key: "by attribute"}
    assert described()[key] == "development"
    assert described(resource_attributes=attributes)[key] == "by attribute"
    assert described(resource_attributes=attributes, environment="production")[key] == "production"


def test_every_description_is_of_an_instance_of_its_own() -> None:
    assert described()["service.instance.id"] != described()["service.instance.id"]


def test_a_child_is_another_process_of_the_same_service() -> None:
    parent = described(service_name="api")
    child = resource.renewed({**parent, "process.pid": 1})
    assert child["service.name"] == "api"
    assert child["process.pid"] == os.getpid()
    assert child["service.instance.id"] != parent["service.instance.id"]


def test_a_detector_that_is_not_there_is_left_out_with_a_word() -> None:
    settings = Settings.from_env({}, resource_detectors="no_such_detector,process")
    found, problems = resource.describe(settings)
    assert found["process.pid"] == os.getpid()
    (problem,) = problems
    assert "no_such_detector" in problem
    assert "not installed" in problem


def test_values_of_every_kind_are_encoded() -> None:
    encoded = resource.encoded({"a": "x", "b": True, "c": 2, "d": 1.5, "e": ("y", "z")})
    values = {pair.key: pair.value for pair in encoded.attributes}
    assert values["a"].string_value == "x"
    assert values["b"].bool_value is True
    assert values["c"].int_value == 2
    assert values["d"].double_value == 1.5
    assert [value.string_value for value in values["e"].array_value.values] == ["y", "z"]
