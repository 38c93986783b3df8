from __future__ import annotations

import pytest

from .programs import find_otelcol


@pytest.fixture(scope="session")
def otelcol() -> str:
    """The real collector."""
    found = find_otelcol()
    if found is None:
        pytest.skip("no collector: `make otelcol` finds or builds one (OTELKIT_OTELCOL names one)")
    return found
