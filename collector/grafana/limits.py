"""The limits of the alerts, read from the rules: panels turn red where an alert fires."""

from __future__ import annotations

import re
from pathlib import Path

_RULES = Path(__file__).parents[1] / "prometheus" / "rules"

# For what should not happen at all: the smallest value that shows.
ANY = 0.001


def limit(alert: str) -> float:
    """Return the first number that the alert's expression compares with.

    Args:
        alert: Its name.

    Raises:
        LookupError: No rule has this name, or it compares with no number.
    """
    for path in sorted(_RULES.glob("*.yaml")):
        rule = path.read_text(encoding="utf-8").partition(f"- alert: {alert}\n")[2]
        expr = re.sub(r'#.*|"[^"]*"', "", rule.partition("labels:")[0])
        if found := re.search(r"(?:==|[<>]=?) *(\d+(?:\.\d+)?)", expr):
            return float(found[1])
    raise LookupError(f"no alert {alert} that compares with a number")
