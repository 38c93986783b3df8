"""One run from a schema to files on disk, in four stages: validate, plan, generate, check."""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import dataclass
from pathlib import Path

import otelkit

from . import agents, database, render, schema, tools
from .agents import AgentFailed, Emit, ModelNames, Plan
from .schema import Schema, SchemaError, Table

log = logging.getLogger(__name__)

files_generated = otelkit.counter(
    "code_files_generated", unit="{file}", description="Files written by completed runs"
)
lines_generated = otelkit.counter(
    "code_lines_generated", unit="{line}", description="Lines in those files"
)
models_generated = otelkit.counter(
    "code_models_generated", unit="{model}", description="Models in those files"
)
# So many models are written at a time, however many tables there are.
CODERS = 4


@dataclass(frozen=True)
class Result:
    """What a run has made."""

    run_id: str
    folder: str
    models: list[str]
    files: list[str]
    lines: int
    remarks: list[str]


async def run(wanted: Schema, llm: ModelNames, emit: Emit) -> Result:
    """Do one run and store how it went.

    Args:
        wanted: The tables to generate models for.
        llm: The language model of each agent.
        emit: Called with the name and the data of what happens, as it happens.

    Raises:
        SchemaError: The schema is wrong.
        AgentFailed: An agent gave up.
    """
    run_id = await database.start_run([table.name for table in wanted.tables])
    with otelkit.bind(session_id=run_id):
        log.info("run started", extra={"run_id": run_id, "tables": len(wanted.tables)})
        try:
            result = await generate_models(run_id, wanted, llm, emit)
        except BaseException as error:
            status = _status(error)
            await database.end_run(run_id, status, str(error) or type(error).__name__)
            log.warning("run %s", status, extra={"run_id": run_id, "reason": str(error)})
            raise
        log.info("run completed", extra={"run_id": run_id, "lines": result.lines})
    return result


def _status(error: BaseException) -> str:
    if isinstance(error, SchemaError):
        return "rejected"
    return "cancelled" if isinstance(error, asyncio.CancelledError) else "failed"


@otelkit.traced_workflow
async def generate_models(run_id: str, wanted: Schema, llm: ModelNames, emit: Emit) -> Result:
    """Lead a schema through the stages."""
    validate(wanted, emit)
    plan_ = await plan(wanted, llm.architect, emit)
    sources = await generate(wanted, plan_, llm.coder, emit)
    files = render.package_files(sources, plan_.class_names)
    models, remarks = await check(wanted, files, llm.reviewer, emit)

    folder = Path(os.environ.get("CODEGEN_OUTPUT", "generated")) / run_id
    lines = await asyncio.to_thread(tools.write_files, folder, files)
    await database.complete_run(run_id, files, plan_.class_names, remarks)
    files_generated.add(len(files))
    lines_generated.add(lines)
    models_generated.add(len(models))
    return Result(run_id, str(folder), models, sorted(files), lines, remarks)


@otelkit.traced_stage
def validate(wanted: Schema, emit: Emit) -> None:
    """Refuse a schema that no models can be made from."""
    emit("stage", {"stage": "validate"})
    schema.check(wanted)


@otelkit.traced_stage
async def plan(wanted: Schema, model: str, emit: Emit) -> Plan:
    """Let the architect name the models."""
    emit("stage", {"stage": "plan"})
    plan_ = await agents.architect(wanted, model)
    log.info("plan ready", extra={"class_names": plan_.class_names})
    return plan_


@otelkit.traced_stage
async def generate(wanted: Schema, plan_: Plan, model: str, emit: Emit) -> dict[str, str]:
    """Let coders write all models, a few at a time; return the source of each table's."""
    emit("stage", {"stage": "generate"})
    free = asyncio.Semaphore(CODERS)

    async def write(table: Table) -> str:
        async with free:
            return await agents.coder(table, plan_, model, emit)

    tasks = [asyncio.create_task(write(table)) for table in wanted.tables]
    try:
        sources = await asyncio.gather(*tasks)
    finally:
        # When one coder has failed, the others stop too, before the stage ends.
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    log.info("models written", extra={"models": len(sources)})
    return {table.name: source for table, source in zip(wanted.tables, sources, strict=True)}


@otelkit.traced_stage
async def check(
    wanted: Schema, files: dict[str, str], model: str, emit: Emit
) -> tuple[list[str], list[str]]:
    """Build the models for real and have them reviewed; return their names and remarks."""
    emit("stage", {"stage": "check"})
    try:
        models = await asyncio.to_thread(tools.compile_check, files)
    except Exception as error:
        raise AgentFailed("coder", f"the models cannot be built: {error}") from error
    remarks = await agents.reviewer(wanted, models, model)
    log.info("models checked", extra={"models": len(models), "remarks": len(remarks)})
    return models, remarks
