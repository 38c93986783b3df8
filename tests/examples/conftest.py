"""The example service, running, and a request for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from otelkit.cli import _demo_service
from tests import postgres
from tests.examples.service import Service, running


@pytest.fixture(scope="session")
def sample() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(_demo_service.sample().read_text())
    return schema


@pytest.fixture(scope="session")
def service_on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service with its own database in SQLite and its model server in a thread."""
    with running(tmp_path_factory.mktemp("service")) as service:
        yield service


@pytest.fixture(scope="session")
def service_on_postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service with a PostgreSQL server of its own."""
    with postgres.running() as server:
        url = server.url("asyncpg").replace("+asyncpg", "")  # as an administrator would write it
        with running(tmp_path_factory.mktemp("service"), DATABASE_URL=url) as service:
            yield service
