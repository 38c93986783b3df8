"""LogQL as far as the dashboards use it: a selector of streams, then filters by labels.

https://grafana.com/docs/loki/latest/query/log_queries/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

Entry = tuple[dict[str, str], str, dict[str, str]]  # labels of its stream, line, metadata

_MATCHER = r'([A-Za-z_]\w*)\s*(=~|!~|!=|=)\s*"([^"\\]*)"'
_QUERY = re.compile(
    rf"\{{\s*(?P<selector>{_MATCHER}(?:\s*,\s*{_MATCHER})*)\s*\}}(?P<filters>(?:\s*\|\s*{_MATCHER})*)"
)


def select(query: str, entries: Iterable[Entry]) -> list[Entry]:
    """The entries that a query selects.

    Raises:
        ValueError: It is more than what is understood here, or what Loki refuses.
    """
    said = _QUERY.fullmatch(query.strip())
    if said is None:
        raise ValueError(f"not understood: {query}")
    selector = re.findall(_MATCHER, said["selector"])
    filters = re.findall(_MATCHER, said["filters"])
    # "queries require at least one regexp or equality matcher that does not have an
    # empty-compatible value"
    if all(_holds(matcher, {}) for matcher in selector):
        raise ValueError(f"selects streams without any label: {query}")
    return [
        entry
        for entry in entries
        if all(_holds(matcher, entry[0]) for matcher in selector)
        and all(_holds(matcher, {**entry[2], **entry[0]}) for matcher in filters)
    ]


def _holds(matcher: tuple[str, str, str], labels: Mapping[str, str]) -> bool:
    name, operator, wanted = matcher
    has = labels.get(name, "")
    same = bool(re.fullmatch(wanted, has)) if "~" in operator else has == wanted
    return same is not operator.startswith("!")
