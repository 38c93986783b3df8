"""Logs installed on in-memory providers, and a root logger that every test has to itself."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Generator, Iterator
from typing import Any

import pytest
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from otelkit import logs
from otelkit.settings import Settings


class Exported:
    """What the provider was given, and a tracer for spans around it."""

    def __init__(self) -> None:
        self._exporter = InMemoryLogRecordExporter()
        self.provider = LoggerProvider(Resource({"service.name": "shop"}), shutdown_on_exit=False)
        self.provider.add_log_record_processor(SimpleLogRecordProcessor(self._exporter))
        self.tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")

    def install(self, **settings: Any) -> list[str]:
        return logs.install(Settings.from_env({}, **settings), self.provider)

    @property
    def records(self) -> list[ReadableLogRecord]:
        return list(self._exporter.get_finished_logs())

    @property
    def bodies(self) -> list[Any]:
        return [record.log_record.body for record in self.records]

    def attributes(self) -> dict[str, Any]:
        """Those of the only record."""
        (record,) = self.records
        return dict(record.log_record.attributes or {})


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """The root logger without any handler, as in a program that has just started.

    Not a fixture: pytest adds its own handlers, and replaces sys.stderr, after fixtures are made.
    """
    handlers, stderr = logging.root.handlers, sys.stderr
    logging.root.handlers = []
    sys.stderr = pyfuncitem.funcargs.get("stderr", stderr)
    try:
        return (yield)
    finally:
        logs.uninstall()
        sys.stderr = stderr
        logging.root.handlers = handlers


@pytest.fixture(autouse=True)
def root_level() -> Iterator[None]:
    before = logging.root.level
    yield
    logging.root.setLevel(before)


@pytest.fixture
def exported() -> Exported:
    """In-memory providers; the test installs logs on them."""
    return Exported()


@pytest.fixture
def installed(exported: Exported) -> Exported:
    """Logs installed with every level, without a console."""
    exported.install(log_format="off", log_level="DEBUG")
    return exported


class Stderr(io.StringIO):
    """What is written to standard error, and whether that is a terminal."""

    terminal = False

    def isatty(self) -> bool:
        return self.terminal

    @property
    def lines(self) -> list[str]:
        return self.getvalue().splitlines()

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]


@pytest.fixture
def stderr() -> Stderr:
    """Standard error of the test."""
    return Stderr()


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """A logger of an application."""
    made = logging.getLogger("services.processing")
    yield made
    made.handlers.clear()
    made.propagate, made.disabled = True, False
    made.setLevel(logging.NOTSET)
