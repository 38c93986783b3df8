"""A service that does its steps in the order it is told; prints the spans of each request as JSON.

    python -m tests.integrations.order setup import app engine request

A request made after the last step follows in any case. Its handler asks the database through a
synchronous engine in a worker thread, and through an asynchronous one in the event loop.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
import threading
import time
from typing import Any
from urllib.request import urlopen

names: dict[str, Any] = {}
recorded: list[Any] = []


def step_import() -> None:
    from fastapi import Depends, FastAPI
    from sqlalchemy import create_engine, text
    from sqlalchemy.ext.asyncio import create_async_engine

    # Held from now on, as an application's modules hold what they import.
    names.update(
        Depends=Depends,
        FastAPI=FastAPI,
        create_engine=create_engine,
        create_async_engine=create_async_engine,
        text=text,
    )


def step_app() -> None:
    app = names["app"] = names["FastAPI"]()

    def ask_in_thread() -> None:
        if "engine" in names:
            with names["engine"].connect() as connection:
                connection.execute(names["text"]("SELECT 1 FROM sqlite_master"))

    @app.get("/users/{id}", dependencies=[names["Depends"](ask_in_thread)])
    async def user(id: int) -> None:
        if "async_engine" in names:
            async with names["async_engine"].connect() as connection:
                await connection.execute(names["text"]("SELECT 2 FROM sqlite_master"))


def step_engine() -> None:
    file = f"{tempfile.mkdtemp(prefix='otelkit-')}/users.db"
    names["engine"] = names["create_engine"](f"sqlite:///{file}")
    names["async_engine"] = names["create_async_engine"](f"sqlite+aiosqlite:///{file}")


def step_setup() -> None:
    from opentelemetry import metrics, trace
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

    from otelkit import integrations

    class Recorder(SpanProcessor):
        def on_end(self, span: Any) -> None:
            recorded.append(span)

    provider = TracerProvider()
    provider.add_span_processor(Recorder())
    trace.set_tracer_provider(provider)
    metrics.set_meter_provider(MeterProvider([InMemoryMetricReader()]))
    problems = integrations.instrument()
    assert not [text for text in problems if "fastapi" in text or "sqlalchemy" in text], problems
    names["setup"] = True


def step_request() -> None:
    if "address" not in names:
        names["address"] = serve()
    seen = len(recorded)
    with urlopen(names["address"] + "/users/7", timeout=10) as response:
        assert response.status == 200
    # The span ends when the last byte is sent, which the client may see first.
    deadline = time.monotonic() + 5
    while "setup" in names and not any(span.kind.name == "SERVER" for span in recorded[seen:]):
        assert time.monotonic() < deadline, "no server span"
        time.sleep(0.01)
    sys.stdout.write(json.dumps([describe(span) for span in recorded[seen:]]) + "\n")


def serve() -> str:
    import uvicorn

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(names["app"], log_level="warning"))
    threading.Thread(target=server.run, args=([listener],), daemon=True).start()
    while not server.started:
        time.sleep(0.01)
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def describe(span: Any) -> dict[str, Any]:
    return {
        "name": span.name,
        "scope": span.instrumentation_scope.name,
        "id": span.context.span_id,
        "parent": span.parent.span_id if span.parent else None,
    }


for name in [*sys.argv[1:], "request"]:
    globals()[f"step_{name}"]()
sys.stdout.flush()
os._exit(0)  # without waiting for the server
