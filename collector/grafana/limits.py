"""The limits of the alerts, and what they compare, read from the rules.

Panels turn red where an alert fires.
"""

from __future__ import annotations

import re
from pathlib import Path

_RULES = Path(__file__).parents[1] / "prometheus" / "rules"
# What it compares with, its number as a group.
_LIMIT = r"(?:==|[<>]=?) *(\d+(?:\.\d+)?)"

# For what should not happen at all: the smallest value that shows.
ANY = 0.001


def limit(alert: str) -> float:
    """Return the first number that the alert's expression compares with.

    Args:
        alert: Its name.

    Raises:
        LookupError: No rule has this name, or it compares with no number.
    """
    if found := re.search(_LIMIT, re.sub(r'"[^"]*"', "", _expression(alert))):
        return float(found[1])
    raise LookupError(f"no alert {alert} that compares with a number")


def compared(alert: str, chosen: str = "") -> str:
    """Return what the alert compares with its limit: where a rate alone would not see all of it.

    Args:
        alert: Its name.
        chosen: A metric, of which only what the dashboard's variables choose is read.

    Raises:
        LookupError: No rule has this name.
    """
    expr = re.sub(rf" {_LIMIT}", "", " ".join(_expression(alert).split()))
    if chosen:
        expr = expr.replace(f"{chosen}{{", f"{chosen}{{chosen, ")
        expr = expr.replace(f"{chosen}[", f"{chosen}{{chosen}}[")
    return expr.replace("( ", "(").replace(" )", ")")


def _expression(alert: str) -> str:
    for path in sorted(_RULES.glob("*.yaml")):
        rule = path.read_text(encoding="utf-8").partition(f"- alert: {alert}\n")[2]
        if found := re.search(r"expr:(?: \|)?(.*?)\n +(?:for|labels):", rule, re.DOTALL):
            return re.sub(r"#.*", "", found[1])
    raise LookupError(f"no alert {alert}")
