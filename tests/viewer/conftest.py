from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from otelkit.viewer import Viewer

CHROMIUM = "/usr/bin/chromium"
# The page is looked at in a real browser; where it is not, the rest of the tests still runs.
NEEDS_CHROMIUM = "test_page.py"
collect_ignore = [] if shutil.which(CHROMIUM) else [NEEDS_CHROMIUM]


def pytest_report_collectionfinish() -> list[str]:
    if not collect_ignore:
        return []
    return [f"without {NEEDS_CHROMIUM}: {CHROMIUM} is not installed (Debian package chromium)"]


@pytest.fixture
def viewer() -> Iterator[Viewer]:
    with Viewer(port=0) as running:
        yield running
