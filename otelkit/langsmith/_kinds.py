"""Which spans are runs, and of what kind."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from otelkit import semconv

LLM, TOOL, CHAIN, EMBEDDING, RETRIEVER = "llm", "tool", "chain", "embedding", "retriever"
MODEL_CALLS = (LLM, EMBEDDING)

# A span with one of these is a run: those of otelkit and of the GenAI conventions, of LangSmith,
# OpenInference and OpenLLMetry.
_OPENINFERENCE_KIND = "openinference.span.kind"
_OPENLLMETRY_REQUEST = "llm.request.type"
_OPENLLMETRY_KIND = "traceloop.span.kind"
MARKS = frozenset(
    {
        semconv.OPERATION_NAME, semconv.STAGE_NAME, semconv.LANGSMITH_KIND,
        _OPENINFERENCE_KIND, _OPENLLMETRY_REQUEST, _OPENLLMETRY_KIND,
    }
)  # fmt: skip

# Scopes whose spans are never runs.
_PLAIN_SCOPES = (
    "otelkit.",
    *(
        f"opentelemetry.instrumentation.{library}"
        for library in (
            "aiohttp", "asgi", "asyncpg", "celery", "django", "elasticsearch", "fastapi", "flask",
            "grpc", "httpx", "pika", "psycopg", "pymongo", "pymysql", "redis", "requests",
            "sqlalchemy", "sqlite3", "starlette", "system_metrics", "threading", "tornado",
            "urllib", "wsgi",
        )
    ),
)  # fmt: skip

_OF_OPERATION = {
    "chat": LLM, "text_completion": LLM, "generate_content": LLM, "completion": LLM,
    "embeddings": EMBEDDING, "execute_tool": TOOL, "retrieval": RETRIEVER,
}  # fmt: skip
_OF_OPENINFERENCE = {
    "LLM": LLM, "EMBEDDING": EMBEDDING, "TOOL": TOOL, "RETRIEVER": RETRIEVER,
}  # fmt: skip
_KINDS = frozenset({LLM, TOOL, CHAIN, EMBEDDING, RETRIEVER, "prompt", "parser"})


@functools.lru_cache(1024)
def is_plain(scope: str) -> bool:
    """Whether spans of ``scope`` are never runs, so that nobody has to look at the spans."""
    return scope.startswith(_PLAIN_SCOPES)


def kind_of(attributes: Mapping[str, Any]) -> str:
    """The kind of run that a span with ``attributes`` is."""
    own = str(attributes.get(semconv.LANGSMITH_KIND, "")).lower()
    if own in _KINDS:
        return own
    operation = attributes.get(semconv.OPERATION_NAME)
    if operation is not None:
        return _OF_OPERATION.get(operation, CHAIN)
    if _OPENLLMETRY_REQUEST in attributes:
        return EMBEDDING if attributes[_OPENLLMETRY_REQUEST] == "embedding" else LLM
    if attributes.get(_OPENLLMETRY_KIND) == "tool":
        return TOOL
    return _OF_OPENINFERENCE.get(str(attributes.get(_OPENINFERENCE_KIND)), CHAIN)


def name_of(attributes: Mapping[str, Any], span_name: str) -> str:
    """The name of a run: that of its workflow, stage, agent or tool without the operation."""
    operation = attributes.get(semconv.OPERATION_NAME)
    own = {
        semconv.OPERATION_WORKFLOW: semconv.WORKFLOW_NAME,
        semconv.OPERATION_AGENT: semconv.AGENT_NAME,
        semconv.OPERATION_TOOL: semconv.TOOL_NAME,
        None: semconv.STAGE_NAME,
    }.get(operation)
    return str(attributes.get(own) or span_name) if own else span_name
