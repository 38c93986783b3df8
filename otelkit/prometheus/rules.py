"""The alias families as recording rules of Prometheus, for metrics that come by a collector."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from otelkit import semconv
from otelkit._bounded import About
from otelkit.prometheus import aliases as table
from otelkit.prometheus import names
from otelkit.prometheus.aliases import Alias
from otelkit.prometheus.families import Family, Kind, sample_names

# The attributes that the instruments may have; series that differ only in them are added up. What
# Prometheus and the collector add (job, instance, …) stays.
_HTTP = (
    semconv.HTTP_REQUEST_METHOD, semconv.HTTP_ROUTE, semconv.HTTP_RESPONSE_STATUS_CODE,
    semconv.URL_SCHEME, semconv.NETWORK_PROTOCOL_NAME, semconv.NETWORK_PROTOCOL_VERSION,
    semconv.ERROR_TYPE, semconv.SERVER_ADDRESS, semconv.SERVER_PORT,
)  # fmt: skip
_GENAI = (
    semconv.OPERATION_NAME, semconv.PROVIDER_NAME, semconv.REQUEST_MODEL, semconv.RESPONSE_MODEL,
    semconv.AGENT_NAME, semconv.WORKFLOW_NAME, semconv.TOOL_NAME, semconv.TOKEN_TYPE,
    semconv.STAGE_NAME, semconv.OUTCOME, semconv.ERROR_TYPE, semconv.KIND, semconv.NAME,
    semconv.SERVER_ADDRESS, semconv.SERVER_PORT,
)  # fmt: skip
_SCOPE = ("otel_scope_name", "otel_scope_version", "otel_scope_schema_url")
_TARGETS = ("job", "instance", "exported_job", "exported_instance")


def write(
    namespace: str, aliases: Iterable[str] = (), instruments: Iterable[tuple[str, About]] = ()
) -> str:
    """A file of recording rules, as YAML.

    Args:
        namespace: As ``OTELKIT_METRICS_NAMESPACE``.
        aliases: As ``OTELKIT_METRICS_ALIASES``.
        instruments: Kind and description of those that an application makes itself.
    """
    lines = ["groups:", f"  - name: otelkit-{namespace}", "    rules:"]
    rules: list[tuple[str, str]] = []
    for name, alias in table.chosen(namespace, aliases):
        rules += _rules(name, alias)
    for kind, about in instruments:
        rules += _user_rules(namespace, kind, about)
    for record, expression in rules:
        lines += [f"      - record: {record}", "        expr: |-"]
        lines += [f"          {line}" for line in expression.splitlines()]
    return "\n".join([*lines, ""])


def _rules(name: str, alias: Alias) -> Iterator[tuple[str, str]]:
    made = _samples(name, table.kind(alias))
    for record, sample in zip(made, _sources(alias), strict=True):
        yield record, _added_up(alias, f"{sample}{_selector(alias)}")


def _samples(name: str, kind: Kind) -> list[str]:
    return list(sample_names(Family(name, kind, "")))


def _sources(alias: Alias) -> list[str]:
    name, kind = table.source(alias)
    return [f"{name}_count"] if alias.shows == "count" else _samples(name, kind)


def _selector(alias: Alias) -> str:
    conditions = [
        f'{names.label(attribute)}!=""' if values is None
        else f'{names.label(attribute)}=~"{"|".join(values)}"'
        for attribute, values in alias.only.items()
    ]  # fmt: skip
    return f"{{{', '.join(conditions)}}}" if conditions else ""


def _added_up(alias: Alias, selected: str) -> str:
    inner = _relabelled(alias, selected)
    if alias.shows == "info":
        return f"group by ({', '.join([*_TARGETS, *alias.labels])}) (\n  {inner}\n)"
    attributes = _HTTP if alias.source.startswith("http.") else _GENAI
    dropped = [name for name in map(names.label, attributes) if name not in alias.labels]
    dropped += _SCOPE
    three_a_line = [", ".join(dropped[at : at + 3]) for at in range(0, len(dropped), 3)]
    without = ",\n  ".join(three_a_line)
    return f"sum without (\n  {without}\n) (\n  {inner}\n)"


def _relabelled(alias: Alias, selected: str) -> str:
    """``selected`` with the labels of ``alias`` beside its own."""
    clauses = [
        f'"{label}", "{to}", "{names.label(attribute)}", "{value}")'
        for label, attribute in alias.labels.items()
        if label != names.label(attribute)
        for value, to in (alias.only.get(attribute) or {"(.*)": "$1"}).items()
    ]
    return ",\n    ".join(["label_replace(" * len(clauses) + selected, *clauses])


def _user_rules(namespace: str, kind: str, about: About) -> Iterator[tuple[str, str]]:
    as_kind: Kind = {"counter": "counter", "histogram": "histogram"}.get(kind, "gauge")  # type: ignore[assignment]
    name, _ = names.family(about.name, as_kind, about.unit)
    if name.startswith(f"{namespace}_"):
        return
    originals = _samples(name, as_kind)
    yield from zip(_samples(f"{namespace}_{name}", as_kind), originals, strict=True)
