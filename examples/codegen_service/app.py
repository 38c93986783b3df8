"""The HTTP side: routes, errors, and the one call that makes all of it observable."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict

import otelkit

from . import database, workflow
from .agents import AgentFailed, ModelNames
from .schema import Problem, Schema, SchemaError

log = logging.getLogger(__name__)
_streams: set[asyncio.Task[None]] = set()  # the event loop alone would not keep them alive


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    await database.create_tables()
    yield
    await database.engine.dispose()


app = FastAPI(title="Code generation service", lifespan=lifespan)
otelkit.setup(service_name="codegen-service", app=app, engine=database.engine)
otelkit.health.register("database", otelkit.health.sqlalchemy_check(database.engine))


class GenerateRequest(Schema):
    """Tables to generate models for, and the language model of each agent."""

    llm: ModelNames = ModelNames()


class RunSummary(BaseModel):
    """One run in the list of runs."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    status: str
    tables: list[str]
    error: str | None
    started_at: datetime
    finished_at: datetime | None


class FileContent(BaseModel):
    """One generated file."""

    model_config = ConfigDict(from_attributes=True)

    path: str
    lines: int
    source: str


class RunDetails(RunSummary):
    """One run with all that it made."""

    remarks: list[str]
    files: list[FileContent]


@app.post("/generate")
async def generate(request: GenerateRequest) -> workflow.Result:
    """Generate SQLAlchemy models and answer when they are written."""
    return await workflow.run(request, request.llm, emit=lambda _event, _data: None)


@app.post("/generate/stream")
async def generate_stream(request: GenerateRequest) -> StreamingResponse:
    """Generate SQLAlchemy models and tell of it in server-sent events while it goes on."""
    events: asyncio.Queue[tuple[str, Any] | None] = asyncio.Queue()

    async def work() -> None:
        try:
            result = await workflow.run(
                request, request.llm, lambda event, data: events.put_nowait((event, data))
            )
            events.put_nowait(("result", asdict(result)))
        except Exception as error:
            events.put_nowait(("error", _problem(error)[1]))
        finally:
            events.put_nowait(None)

    async def body() -> AsyncIterator[str]:
        task = asyncio.create_task(work())
        _streams.add(task)
        task.add_done_callback(_streams.discard)
        try:
            while (item := await events.get()) is not None:
                yield f"event: {item[0]}\ndata: {json.dumps(item[1])}\n\n"
        finally:
            task.cancel()  # has no effect unless the client has gone

    return StreamingResponse(body(), media_type="text/event-stream")


@app.get("/runs")
async def list_runs(limit: Annotated[int, Query(ge=1, le=500)] = 50) -> list[RunSummary]:
    """List the newest runs."""
    return [RunSummary.model_validate(run) for run in await database.list_runs(limit)]


@app.get("/runs/{run_id}")
async def get_run(run_id: str) -> RunDetails:
    """Show one run and its files."""
    run = await database.get_run(run_id)
    if run is None:
        raise HTTPException(404, f"there is no run {run_id!r}")
    return RunDetails.model_validate(run)


@app.exception_handler(SchemaError)
@app.exception_handler(AgentFailed)
async def answer_problem(_request: Request, error: Exception) -> JSONResponse:
    """Answer a wrong schema with 422 and a failed agent with 502."""
    status, content = _problem(error)
    return JSONResponse(content, status_code=status)


def _problem(error: Exception) -> tuple[int, dict[str, Any]]:
    match error:
        case SchemaError():
            # In the form that FastAPI itself gives to a body it cannot read.
            return 422, {"detail": [_where(problem) for problem in error.problems]}
        case AgentFailed():
            return 502, {"detail": str(error), "agent": error.agent}
    log.exception("unexpected error", exc_info=error)
    return 500, {"detail": "internal error"}


def _where(problem: Problem) -> dict[str, Any]:
    location = ["body", "tables", problem.table]
    if problem.column:
        location += ["columns", problem.column]
    if problem.relationship:
        location += ["relationships", problem.relationship]
    return {"type": "schema_error", "loc": location, "msg": str(problem)}
