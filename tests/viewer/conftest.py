from __future__ import annotations

from collections.abc import Iterator

import pytest

from otelkit.viewer import Viewer


@pytest.fixture
def viewer() -> Iterator[Viewer]:
    with Viewer(port=0) as running:
        yield running
