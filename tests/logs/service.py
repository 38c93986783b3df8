"""The application that the tests of servers run under uvicorn and gunicorn."""

from __future__ import annotations

import asyncio
import logging
import logging.config
import os
from collections.abc import AsyncIterator
from typing import Any

from fastapi import BackgroundTasks, FastAPI, WebSocket
from fastapi.responses import StreamingResponse

import otelkit
from otelkit import health
from otelkit.integrations import asgi
from otelkit.logs import RequestIdMiddleware

health.register("stock", lambda: False)  # so the service is not ready
otelkit.setup(service_name="shop")
app = FastAPI()
log = logging.getLogger("shop.orders")
if os.environ.get("CONFIGURE_LOGGING_LATER"):
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {"own": {"class": "logging.StreamHandler"}},
            "root": {"level": "INFO", "handlers": ["own"]},
        }
    )


@app.get("/orders/{number}")
async def order(number: int) -> dict[str, int]:
    log.info("order", extra={"number": number})
    await asyncio.gather(asyncio.to_thread(log.info, "in a thread"), in_a_task())
    return {"number": number}


@app.get("/health/detailed")
async def details() -> str:
    return "a probe of the application's own"


async def in_a_task() -> None:
    log.info("in a task")


@app.get("/broken")
async def broken() -> None:
    raise LookupError("no such order")


@app.get("/background")
async def background(tasks: BackgroundTasks) -> None:
    tasks.add_task(log.info, "afterwards")


@app.get("/stream")
async def stream() -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(3):
            log.info("part")
            yield b"x"

    return StreamingResponse(parts())


@app.websocket("/socket")
async def socket(connection: WebSocket) -> None:
    await connection.accept()
    log.info("connected")
    await connection.close()


async def raising(scope: Any, receive: Any, send: Any) -> None:
    raise LookupError("nobody caught this")


async def service(scope: Any, receive: Any, send: Any) -> None:
    """The application, and beside it one without a framework that would answer for its errors."""
    if scope.get("path") == "/raises":
        await asgi.serve(RequestIdMiddleware(raising), scope, receive, send)
    else:
        await app(scope, receive, send)
