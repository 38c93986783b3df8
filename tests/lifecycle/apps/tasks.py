"""A Celery worker over a folder; telemetry is set up when this is imported, before it forks."""

from __future__ import annotations

import os
from pathlib import Path

from celery import Celery

from tests.lifecycle.apps.work import setup, work

TASKS = 4

_folder = Path(os.environ["FOLDER"])
for part in ("queue", "control", "results"):
    (_folder / part).mkdir(exist_ok=True)
app = Celery("tasks", broker="filesystem://localhost", backend=f"file://{_folder}/results")
app.conf.update(
    broker_transport_options={
        "data_folder_in": str(_folder / "queue"),
        "data_folder_out": str(_folder / "queue"),
        "control_folder": str(_folder / "control"),
    },
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
)


@app.task(name="task")
def task() -> None:
    work("task")


if __name__ == "__main__":
    setup()
    for _ in range(TASKS):
        task.delay()
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    app.worker_main(["worker", "-P", "prefork", "-c", "2", "-l", "INFO", *quiet])
