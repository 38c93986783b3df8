"""The names that dashboards already use: one table, read by the endpoint and by ``otelkit rules``.

Nothing is recorded for them: the endpoint derives them from the families of a scrape
(:func:`derive`), :mod:`otelkit.prometheus.rules` writes the same as recording rules of Prometheus.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from otelkit import semconv
from otelkit.prometheus import names
from otelkit.prometheus.families import Buckets, Family, Kind, Labels, Value

Shows = Literal["count", "histogram", "number", "info"]


class Alias(NamedTuple):
    """One family under another name.

    Attributes:
        name: Follows the namespace; what the kind adds (``_total`` and the like) follows the name.
        source: The instrument it is made of.
        shows: The count of a histogram, a histogram as it is, a number as it is, or an info.
        labels: The attribute behind each of its labels; series that agree in them are added up.
        only: The values an attribute must have, and what they are called here (None: as they are,
            and there must be one).
        plain: ``instrumentator`` has it, too, without namespace and with ``path`` for ``endpoint``.
        help: What it tells.
    """

    name: str
    source: str
    shows: Shows
    labels: Mapping[str, str]
    help: str
    only: Mapping[str, Mapping[str, str] | None] = {}
    plain: bool = False


TARGET = "target"  # the info family of the resource

_ENDPOINT = {"method": semconv.HTTP_REQUEST_METHOD, "endpoint": semconv.HTTP_ROUTE}
_MODEL = {"provider": semconv.PROVIDER_NAME, "model": semconv.REQUEST_MODEL}
_TOKENS = {semconv.TOKEN_INPUT: "prompt", semconv.TOKEN_OUTPUT: "completion"}
_FAILED: Mapping[str, None] = {semconv.ERROR_TYPE: None}

ALIASES = (
    Alias(
        "http_requests", semconv.HTTP_SERVER_DURATION, "count",
        {**_ENDPOINT, "status": semconv.HTTP_RESPONSE_STATUS_CODE}, "HTTP requests.", plain=True,
    ),
    Alias(
        "http_request_duration_seconds", semconv.HTTP_SERVER_DURATION, "histogram", _ENDPOINT,
        "Duration of HTTP requests.", plain=True,
    ),
    Alias(
        "http_requests_inprogress", semconv.HTTP_SERVER_ACTIVE_REQUESTS, "number", _ENDPOINT,
        "HTTP requests being served.", plain=True,
    ),
    Alias(
        "http_request_size_bytes", semconv.HTTP_SERVER_REQUEST_SIZE, "histogram", _ENDPOINT,
        "Size of request bodies.",
    ),
    Alias(
        "http_response_size_bytes", semconv.HTTP_SERVER_RESPONSE_SIZE, "histogram", _ENDPOINT,
        "Size of response bodies.",
    ),
    Alias(
        "agent_executions", semconv.AGENT_DURATION, "count",
        {"agent_name": semconv.AGENT_NAME, "status": semconv.OUTCOME}, "Executions of agents.",
    ),
    Alias(
        "agent_execution_duration_seconds", semconv.AGENT_DURATION, "histogram",
        {"agent_name": semconv.AGENT_NAME}, "Duration of executions of agents.",
    ),
    Alias(
        "agent_errors", semconv.AGENT_DURATION, "count",
        {"agent_name": semconv.AGENT_NAME, "error_type": semconv.ERROR_TYPE},
        "Executions of agents that failed.", only=_FAILED,
    ),
    Alias(
        "workflow_executions", semconv.WORKFLOW_DURATION, "count", {"status": semconv.OUTCOME},
        "Executions of workflows.",
    ),
    Alias(
        "workflow_duration_seconds", semconv.WORKFLOW_DURATION, "histogram", {},
        "Duration of workflows.",
    ),
    Alias(
        "active_workflows", semconv.ACTIVE, "number", {}, "Workflows that run.",
        only={semconv.KIND: {"workflow": "workflow"}},
    ),
    Alias(
        "workflow_stages_duration_seconds", semconv.STAGE_DURATION, "histogram",
        {"stage": semconv.STAGE_NAME}, "Duration of the stages of workflows.",
    ),
    Alias("llm_requests", semconv.CLIENT_OPERATION_DURATION, "count", _MODEL, "Calls of models."),
    Alias(
        "llm_request_duration_seconds", semconv.CLIENT_OPERATION_DURATION, "histogram", _MODEL,
        "Duration of calls of models.",
    ),
    Alias(
        "llm_errors", semconv.CLIENT_OPERATION_DURATION, "count",
        {"provider": semconv.PROVIDER_NAME, "error_type": semconv.ERROR_TYPE},
        "Calls of models that failed.", only=_FAILED,
    ),
    Alias(
        "llm_tokens_used", semconv.LLM_TOKENS, "number", {**_MODEL, "type": semconv.TOKEN_TYPE},
        "Tokens that models read and wrote.", only={semconv.TOKEN_TYPE: _TOKENS},
    ),
    Alias("llm_cost_usd", semconv.LLM_COST, "number", _MODEL, "Cost of models in US dollars."),
    Alias(
        "system", TARGET, "info",
        {"version": semconv.SERVICE_VERSION, "environment": semconv.DEPLOYMENT_ENVIRONMENT},
        "What runs, and where.",
    ),
)  # fmt: skip

# What the sources are, where no histogram.
KINDS: Mapping[str, Kind] = {
    semconv.LLM_TOKENS: "counter",
    semconv.LLM_COST: "counter",
    semconv.ACTIVE: "updown",
    semconv.HTTP_SERVER_ACTIVE_REQUESTS: "updown",
    TARGET: "info",
}


def source(alias: Alias) -> tuple[str, Kind]:
    """The name and the kind of the family that ``alias`` is made of."""
    kind = KINDS.get(alias.source, "histogram")
    return names.family(alias.source, kind, semconv.UNITS.get(alias.source, ""))[0], kind


def kind(alias: Alias) -> Kind:
    """The kind of the family that ``alias`` makes."""
    return "counter" if alias.shows == "count" else source(alias)[1]


def instrumentator(alias: Alias) -> Alias:
    """``alias`` with the labels of prometheus-fastapi-instrumentator."""
    labels = {"path" if name == "endpoint" else name: of for name, of in alias.labels.items()}
    return alias._replace(labels=labels)


def chosen(namespace: str | None, aliases: Iterable[str]) -> list[tuple[str, Alias]]:
    """The aliases that are asked for, with the names of their families."""
    found = [(f"{namespace}_{alias.name}", alias) for alias in ALIASES] if namespace else []
    if "instrumentator" in aliases:
        found += [(alias.name, instrumentator(alias)) for alias in ALIASES if alias.plain]
    return found


def derive(
    families: Mapping[str, Family], namespace: str | None, aliases: Iterable[str]
) -> list[Family]:
    """The alias families of ``families``, which are as they were collected.

    Args:
        families: By name.
        namespace: Begins the names; also of those families that the application itself makes.
        aliases: ``instrumentator`` for the names of prometheus-fastapi-instrumentator.
    """
    derived = []
    for name, alias in chosen(namespace, aliases):
        family = families.get(source(alias)[0])
        if family is not None:
            derived.append(_derived(name, alias, family))
    for family in families.values():
        if family.user and namespace and not family.name.startswith(f"{namespace}_"):
            derived.append(_prefixed(namespace, family))
    return derived


def _derived(name: str, alias: Alias, family: Family) -> Family:
    made = Family(name, kind(alias), alias.help, family.unit)
    if made.kind == "histogram":
        made.bounds = family.bounds
    if not name.endswith(f"_{family.unit}"):
        made.unit = ""
    wanted = {names.label(attribute): label for label, attribute in alias.labels.items()}
    only = {names.label(attribute): values for attribute, values in alias.only.items()}
    for labels, value in family.points.items():
        found = _renamed(labels, wanted, only)
        if found is not None:
            made.add(found, _shown(alias, value))
            if alias.shows == "histogram" and labels in family.exemplars:
                made.exemplars.setdefault(found, []).extend(family.exemplars[labels])
    return made


def _renamed(
    labels: Labels, wanted: Mapping[str, str], only: Mapping[str, Mapping[str, str] | None]
) -> Labels | None:
    present = dict(labels)
    for label, values in only.items():
        value = present.get(label, "")
        if not value or (values is not None and value not in values):
            return None
        if values is not None:
            present[label] = values[value]
    return tuple(sorted((to, present[of]) for of, to in wanted.items() if of in present))


def _shown(alias: Alias, value: Value) -> Value:
    if alias.shows == "count" and isinstance(value, Buckets):
        return sum(value.counts)
    return Buckets(list(value.counts), value.sum) if isinstance(value, Buckets) else value


def _prefixed(namespace: str, family: Family) -> Family:
    other = family.empty()
    other.name = f"{namespace}_{family.name}"
    other.points, other.exemplars = family.points, family.exemplars
    return other
