"""The application that the tests run under servers with several workers."""

from __future__ import annotations

import os

from fastapi import FastAPI

import otelkit

otelkit.setup(service_name="shop")
app = FastAPI()
orders = otelkit.counter("orders", unit="{order}")
weight = otelkit.histogram("weight", buckets=[1, 10])


@otelkit.traced_agent
def clerk(number: int) -> None:
    orders.add(1, {"parity": number % 2})
    weight.record(number / 7)


@app.get("/orders/{number}")
async def order(number: int) -> int:
    """Answers with the process that has served it."""
    clerk(number)
    return os.getpid()
