"""Every test begins and ends with the built-in keys and patterns only."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otelkit import redaction


@pytest.fixture(autouse=True)
def built_in_rules() -> Iterator[None]:
    redaction.configure()
    yield
    redaction.configure()
