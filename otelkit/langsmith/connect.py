"""Makes the bridge as the settings ask for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import NamedTuple

from opentelemetry import trace

from otelkit.export.exporter import Exporter
from otelkit.export.queue import Queue
from otelkit.langsmith import _current
from otelkit.langsmith._content import WITHHELD
from otelkit.langsmith._copies import Copies
from otelkit.langsmith._exporter import LangsmithExporter
from otelkit.langsmith._plan import Plan, fits_a_header, plan, problems
from otelkit.langsmith._project import Project, credentials
from otelkit.langsmith.bridge import Bridge
from otelkit.settings import Otlp, Settings

NAME = "langsmith"  # of the destination
_THEIR_PROVIDER = "langsmith.internal_provider"  # an attribute of the resource it speaks for


class Connection(NamedTuple):
    """What there is to do for LangSmith.

    Attributes:
        bridge: Does it; None where there is nothing to do.
        problems: What is wrong, a text each.
        note: What nobody should have to find out.
    """

    bridge: Bridge | None
    problems: list[str]
    note: str = ""


def connect(settings: Settings, queue: Callable[[str, Exporter], Queue]) -> Connection:
    """Does what the settings ask for.

    Args:
        settings: What was decided.
        queue: Makes a queue in front of an exporter, for a destination of that name.
    """
    planned = plan(settings)
    found = problems(settings)
    if planned.sends and _has_their_provider():
        problem, twice = _their_provider(os.environ)
        found.append(problem)
        planned = Plan() if twice else planned
    if planned == Plan():
        _current.project = None
        return Connection(None, found)
    project = Project(
        settings.langsmith_endpoint,
        settings.langsmith_project,
        settings.langsmith_api_key,
        settings.langsmith_workspace,
    )
    in_header = fits_a_header(settings.langsmith_project or "")
    copies = Copies(settings, planned, None if in_header else settings.langsmith_project)
    made = None
    if planned.sends:
        made = queue(NAME, LangsmithExporter(destination(settings), copies, project))
    _current.project, _current.patience = project, settings.shutdown_timeout
    bridge = Bridge(planned, project, settings.langsmith_sampling_rate, copies, made)
    return Connection(bridge, found, note(settings))


def sends(settings: Settings) -> bool:
    """Whether copies of spans are sent to LangSmith from this process."""
    return plan(settings).sends


def note(settings: Settings) -> str:
    """What people who come for prompts should know; empty where they will see them."""
    if settings.capture not in WITHHELD:
        return ""
    return (
        f"runs in LangSmith show no prompts and no answers, since OTELKIT_CAPTURE is "
        f"{settings.capture}; OTELKIT_CAPTURE=redacted shows them"
    )


def destination(settings: Settings) -> Otlp:
    """Where copies of spans go."""
    headers = credentials(settings.langsmith_api_key, settings.langsmith_workspace)
    if settings.langsmith_project and fits_a_header(settings.langsmith_project):
        headers["langsmith-project"] = settings.langsmith_project
    return Otlp(
        endpoint=f"{settings.langsmith_endpoint.rstrip('/')}/otel/v1/traces",
        protocol="http/protobuf",
        headers=headers,
        timeout=settings.timeout,
        compression="gzip",
    )


def _has_their_provider() -> bool:
    resource = getattr(trace.get_tracer_provider(), "resource", None)
    return resource is not None and bool(resource.attributes.get(_THEIR_PROVIDER))


def _their_provider(environ: Mapping[str, str]) -> tuple[str, bool]:
    """What follows from a provider that ``langsmith`` made; whether that sends to LangSmith."""
    variables = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    elsewhere = next((environ[name] for name in variables if environ.get(name)), "")
    effect = (
        f"sends every span to {elsewhere}, as otelkit does"
        if elsewhere
        else "sends every span to LangSmith, so that otelkit sends none there"
    )
    return (
        "langsmith's client was made before otelkit.setup() was called, and with it a tracer "
        f"provider that {effect}; call setup() first"
    ), not elsewhere
