"""An application whose log file is rotated often, for several workers of a server."""

from __future__ import annotations

import logging

import structlog
from fastapi import BackgroundTasks, FastAPI
from loguru import logger

import otelkit
from otelkit.logs import file

file.KEPT = 1_000
file.LogFile.__init__.__defaults__ = (60_000,)  # type: ignore[attr-defined]
otelkit.setup(service_name="shop")
app = FastAPI()
log = logging.getLogger("shop.orders")


@app.get("/orders/{number}")
def order(number: int, tasks: BackgroundTasks) -> int:
    log.info("taken", extra={"padding": "x" * 1_000})
    logger.info("paid")
    structlog.get_logger().warning("late")
    tasks.add_task(log.info, "sent")
    return number
