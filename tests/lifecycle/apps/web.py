"""A FastAPI application whose requests work; telemetry is set up when it is imported."""

from __future__ import annotations

import os

from fastapi import FastAPI

from tests.lifecycle.apps.work import setup, work

app = FastAPI()
if os.environ.get("SETUP") != "lifespan":
    setup()


@app.get("/work")
def working() -> dict[str, int]:
    work("request")
    return {"pid": os.getpid()}
