"""A FastAPI application whose requests work.

Telemetry is set up when it is imported, or, as ``SETUP`` may say, in its lifespan.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator

from fastapi import FastAPI

from tests.lifecycle.apps.work import setup, shutdown, work

IN_LIFESPAN = os.environ.get("SETUP") == "lifespan"


@contextlib.asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    if IN_LIFESPAN:
        setup()
    yield
    if IN_LIFESPAN:
        shutdown()


if not IN_LIFESPAN:
    setup()
app = FastAPI(lifespan=lifespan)


@app.get("/pid")
def pid() -> int:
    return os.getpid()


@app.get("/work")
def working() -> None:
    work("request")
