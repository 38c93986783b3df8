"""The table of metrics in README.md."""

from __future__ import annotations

import re
from typing import NamedTuple

from tests.processes import ROOT


class Row(NamedTuple):
    """What README.md says of one metric."""

    kind: str
    unit: str
    attributes: list[str]


def metrics() -> dict[str, Row]:
    """Every metric of the table by name."""
    readme = (ROOT / "README.md").read_text()
    _, _, table = readme.partition("<!-- metrics: begin -->")
    lines = table.partition("<!-- metrics: end -->")[0].strip().splitlines()[2:]
    found: dict[str, Row] = {}
    attributes: list[str] = []
    for line in lines:
        names, kind, unit, listed = (cell.strip() for cell in line.strip("|").split(" | "))
        same = attributes if listed.startswith("the same") else []
        attributes = [*same, *re.findall(r"`([^`]+)`", listed)]
        for name in re.findall(r"`([^`]+)`", names):
            found[name] = Row(kind, unit.strip("`"), attributes)
    return found
