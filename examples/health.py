"""A service with every kind of health check.

    pip install "./otelkit[demo]"
    uvicorn examples.health:app
    curl -s localhost:8000/health/detailed

It starts anywhere: what is critical is there, and what is not there makes it degraded. Variables
say where the rest is: DATABASE_URL, ASYNC_DATABASE_URL, DATA_FOLDER, SEARCH_URL, CACHE.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine

import otelkit
from otelkit import health

folder = os.environ.get("DATA_FOLDER", tempfile.gettempdir())
file = f"/{folder}/healthy.db"
engine = create_engine(os.environ.get("DATABASE_URL", f"sqlite://{file}"))
async_engine = create_async_engine(
    os.environ.get("ASYNC_DATABASE_URL", f"sqlite+aiosqlite://{file}")
)
search = os.environ.get("SEARCH_URL", "http://127.0.0.1:9200/")
jobs: list[asyncio.Task[None]] = []


class Cache:
    """As much of a Redis client as a check needs; with the real one: ``ping_check(redis.ping)``."""

    async def ping(self) -> bool:
        """Ask the server whether it is there."""
        host, _, port = os.environ.get("CACHE", "127.0.0.1:6379").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            writer.write(b"PING\r\n")
            return await reader.readline() == b"+PONG\r\n"
        finally:
            writer.close()


# Without these no request can be served: readiness says so, and traffic goes elsewhere.
health.register("database", health.sqlalchemy_check(engine))
health.register("reports", health.sqlalchemy_check(async_engine))
health.register("folder", health.writable_check(folder))
health.register("environment", health.environment_check("PATH"))

# Without these the service does less: degraded, and still ready.
health.register("disk", health.disk_check(folder, warning=10), critical=False)
health.register("memory", health.memory_check(warning=10), critical=False)
health.register("search", health.http_check(search), critical=False, timeout=1)
health.register("cache", health.ping_check(Cache().ping), critical=False, timeout=1)
health.register("openai", health.llm_check("openai"), critical=False)
health.register("anthropic", health.llm_check("anthropic", reachable=True), critical=False)
health.register("telemetry", health.telemetry_check())


@health.check("jobs", liveness=True)
async def jobs_are_done() -> health.Result:
    """Only a restart brings a background task back that has died: part of liveness, too."""
    alive = sum(not job.done() for job in jobs)
    return health.Result("healthy" if alive else "unhealthy", metadata={"workers": alive})


async def work() -> None:
    """Do what comes."""
    while True:
        await asyncio.sleep(1)


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    jobs.append(asyncio.create_task(work()))
    yield
    jobs.pop().cancel()
    engine.dispose()
    await async_engine.dispose()


app = FastAPI(title="Healthy", lifespan=lifespan)
otelkit.setup(service_name="healthy", app=app)


@app.get("/")
async def hello() -> str:
    """Greet."""
    return "hello"
