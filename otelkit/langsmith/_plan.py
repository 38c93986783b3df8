"""What the environment asks of otelkit and of the ``langsmith`` package, which reads it as well."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from otelkit._parse import NOWHERE
from otelkit.export.http_client import without_credentials
from otelkit.settings import Settings

_SWITCHES = ("TRACING_V2", "TRACING")  # in the order in which langsmith looks for one


class Plan(NamedTuple):
    """What otelkit does, beside what ``langsmith`` does by itself.

    Attributes:
        sends: Copies of spans go to LangSmith from this process.
        stamps: Spans are marked, so that a collector can send them.
        mode: How ``langsmith`` records runs of its own (``@traceable``, LangChain, LangGraph):
            ``langsmith`` by its own client, ``otel`` as spans, ``hybrid`` as both; empty if it
            records none.
        hides_inputs: ``LANGSMITH_HIDE_INPUTS`` keeps inputs out of LangSmith, captured or not.
        hides_outputs: ``LANGSMITH_HIDE_OUTPUTS`` does the same with outputs.
    """

    sends: bool = False
    stamps: bool = False
    mode: str = ""
    hides_inputs: bool = False
    hides_outputs: bool = False

    @property
    def native(self) -> bool:
        """Whether runs of ``langsmith``'s own are sent by its client."""
        return self.mode not in ("", "otel")


def plan(settings: Settings, environ: Mapping[str, str] = os.environ) -> Plan:
    """What is to be done; nothing where neither sending nor stamping is possible."""
    stamps = settings.langsmith == "stamp"
    sends = _wants(settings) and not _obstacle(settings)
    if not (sends or stamps):
        return Plan()
    return Plan(
        sends,
        stamps,
        _mode(environ) if _records(environ) else "",
        hides_inputs=_value(environ, "HIDE_INPUTS") == "true",
        hides_outputs=_value(environ, "HIDE_OUTPUTS") == "true",
    )


def problems(settings: Settings, environ: Mapping[str, str] = os.environ) -> list[str]:
    """What will not work as the environment may have meant it, a text each."""
    obstacle = _obstacle(settings) if _wants(settings) else ""
    if obstacle:
        return [f"{obstacle}; nothing is sent to LangSmith"]
    planned = plan(settings, environ)
    if planned == Plan():
        return []
    found = [_unsupported_mode(planned.mode, environ), _other_switch(settings, environ)]
    if planned.sends:
        found += [_odd_project(settings), _sent_twice(settings)]
    return [text for text in found if text]


def fits_a_header(text: str) -> bool:
    """Whether ``text`` can be the value of an HTTP header."""
    return text.isascii() and text.isprintable()


def _wants(settings: Settings) -> bool:
    return settings.langsmith == "auto" and settings.langsmith_tracing


def _obstacle(settings: Settings) -> str:
    if settings.langsmith_endpoint == NOWHERE:
        return "LANGSMITH_ENDPOINT cannot be used"
    if not settings.langsmith_api_key:
        return "LANGSMITH_TRACING is true, but LANGSMITH_API_KEY is not set"
    if not fits_a_header(settings.langsmith_api_key):
        return "LANGSMITH_API_KEY holds characters that no key has"
    if not fits_a_header(settings.langsmith_workspace or ""):
        return "LANGSMITH_WORKSPACE_ID holds characters that no id has"
    return ""


def _name(environ: Mapping[str, str], name: str) -> str:
    """The variable that ``langsmith`` reads for ``name``; its own goes before LangChain's."""
    candidates = (f"LANGSMITH_{name}", f"LANGCHAIN_{name}")
    return next((one for one in candidates if environ.get(one, "").strip()), "")


def _value(environ: Mapping[str, str], name: str) -> str:
    return environ.get(_name(environ, name), "")


def _switch(environ: Mapping[str, str]) -> str:
    """The variable that turns ``langsmith``'s own runs on or off; empty where none is set."""
    return next(filter(None, (_name(environ, name) for name in _SWITCHES)), "")


def _records(environ: Mapping[str, str]) -> bool:
    return environ.get(_switch(environ)) == "true"  # it takes no other word


def _mode(environ: Mapping[str, str]) -> str:
    """Its tracing mode, as its client resolves it."""
    mode = _value(environ, "TRACING_MODE").lower()
    if mode:
        return mode
    truish = ("true", "1")
    if _value(environ, "OTEL_ONLY").lower() in truish:
        return "otel"
    return "hybrid" if _value(environ, "OTEL_ENABLED").lower() in truish else "langsmith"


def _unsupported_mode(mode: str, environ: Mapping[str, str]) -> str:
    if mode in ("", "langsmith"):
        return ""
    if mode not in ("hybrid", "otel"):
        return f"LANGSMITH_TRACING_MODE={mode!r}: langsmith's client raises on it; unset it"
    older = "OTEL_ENABLED" if mode == "hybrid" else "OTEL_ONLY"
    newer = _name(environ, "TRACING_MODE")
    cause = f"{newer}={mode}" if newer else _name(environ, older)
    effect = {
        "hybrid": "spans inside of @traceable functions have parents that no backend ever gets",
        "otel": "spans inside of @traceable functions become traces of their own in LangSmith",
    }[mode]
    return f"{cause} is not supported beside otelkit, which sends spans itself: {effect}; unset it"


def _other_switch(settings: Settings, environ: Mapping[str, str]) -> str:
    switch = _switch(environ)
    if not settings.langsmith_tracing or not switch or _records(environ):
        return ""
    return (
        f"{switch} is not exactly 'true': otelkit sends spans to LangSmith, but langsmith itself "
        "takes no other word, so that @traceable and LangChain send nothing"
    )


def _odd_project(settings: Settings) -> str:
    project = settings.langsmith_project or ""
    if fits_a_header(project):
        return ""
    return (
        f"LANGSMITH_PROJECT={project[:80]!r}: no HTTP header can hold this name; "
        "it is written on every run instead"
    )


def _sent_twice(settings: Settings) -> str:
    ours = without_credentials(settings.otlp("traces").endpoint)
    theirs = without_credentials(settings.langsmith_endpoint)
    if "otlp" not in settings.traces_exporter or urlsplit(ours).netloc != urlsplit(theirs).netloc:
        return ""
    return (
        f"{ours} is LangSmith as well: every span goes there twice; "
        "unset OTEL_EXPORTER_OTLP_ENDPOINT or set OTELKIT_LANGSMITH=off"
    )
