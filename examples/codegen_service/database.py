"""Runs and the files they generated, in SQLite or, when `DATABASE_URL` says so, in PostgreSQL."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import JSON, DateTime, ForeignKey, String, Text, insert, select, update
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload

import otelkit

DEFAULT_URL = "sqlite:///codegen.db"
_ASYNC_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}


def _now() -> datetime:
    return datetime.now(timezone.utc)


class Base(DeclarativeBase):
    """The base of the service's own models."""


class Run(Base):
    """One request to generate models, and what came of it."""

    __tablename__ = "runs"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    status: Mapped[str] = mapped_column(String(16))  # running, completed, rejected, failed, …
    tables: Mapped[list[str]] = mapped_column(JSON)
    error: Mapped[str | None] = mapped_column(Text)
    remarks: Mapped[list[str]] = mapped_column(JSON, default=list)
    started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=_now)
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    files: Mapped[list[GeneratedFile]] = relationship(order_by="GeneratedFile.path")


class GeneratedFile(Base):
    """One file that a run wrote; that of a table's model says which class it defines."""

    __tablename__ = "generated_files"

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), index=True)
    path: Mapped[str] = mapped_column(Text)
    lines: Mapped[int]
    source: Mapped[str] = mapped_column(Text)
    module: Mapped[str] = mapped_column(Text, index=True)
    class_name: Mapped[str | None] = mapped_column(Text)


def create_engine(url: str | None = None) -> AsyncEngine:
    """Return an async engine for `url`, for `DATABASE_URL`, or for a file in this folder."""
    parsed = make_url(url or os.environ.get("DATABASE_URL") or DEFAULT_URL)
    parsed = parsed.set(drivername=_ASYNC_DRIVERS.get(parsed.drivername, parsed.drivername))
    return create_async_engine(parsed)


engine = create_engine()
_session = async_sessionmaker(engine, expire_on_commit=False)


@otelkit.traced
async def create_tables() -> None:
    """Create the tables that do not exist yet."""
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)


async def start_run(tables: Sequence[str]) -> str:
    """Store a run that begins now and return its id."""
    run = Run(id=uuid.uuid4().hex, status="running", tables=list(tables))
    async with _session.begin() as session:
        session.add(run)
    return run.id


async def complete_run(
    run_id: str,
    files: Mapping[str, str],
    class_names: Mapping[str, str],
    remarks: Sequence[str],
) -> None:
    """Store the files of a run and mark it completed."""
    rows = [
        {
            "run_id": run_id,
            "path": path,
            "lines": len(source.splitlines()),
            "source": source,
            "module": path.removesuffix(".py"),
            "class_name": class_names.get(path.removesuffix(".py")),
        }
        for path, source in files.items()
    ]
    async with _session.begin() as session:
        # With its nulls written out, all rows fit one statement.
        every_row = insert(GeneratedFile).execution_options(render_nulls=True)
        await session.execute(every_row, rows)
        await session.execute(_finish(run_id, status="completed", remarks=list(remarks)))


async def end_run(run_id: str, status: str, error: str) -> None:
    """Mark a run that gave no files: `status` is rejected, failed or cancelled."""
    async with _session.begin() as session:
        await session.execute(_finish(run_id, status=status, error=error))


def _finish(run_id: str, **values: Any) -> Any:
    return update(Run).where(Run.id == run_id).values(finished_at=_now(), **values)


async def list_runs(limit: int) -> Sequence[Run]:
    """Return the newest runs, without their files."""
    async with _session() as session:
        query = select(Run).order_by(Run.started_at.desc()).limit(limit)
        return (await session.scalars(query)).all()


async def get_run(run_id: str) -> Run | None:
    """Return one run with its files, or None."""
    async with _session() as session:
        return await session.get(Run, run_id, options=[selectinload(Run.files)])


async def class_names(tables: Sequence[str]) -> dict[str, str]:
    """Return the class of each of `tables` in the newest run that wrote one."""
    query = (
        select(GeneratedFile.module, GeneratedFile.class_name)
        .where(GeneratedFile.module.in_(tables), GeneratedFile.class_name.is_not(None))
        .order_by(GeneratedFile.id)
    )
    async with _session() as session:
        return {row.module: row.class_name for row in await session.execute(query)}
