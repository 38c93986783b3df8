"""Several workers of a real server, one log file that is rotated while all of them write."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.logs.receiver import receiving
from tests.logs.test_servers import Server

APP = "tests.logs.small_files:app"
GUNICORN = ["-k", "uvicorn_worker.UvicornWorker", "-w", "3", "-b", "fd://{fd}"]
SERVERS = {
    "uvicorn": ["uvicorn", APP, "--workers", "3", "--fd", "{fd}"],
    # The workers are forked from a process that has the file open.
    "gunicorn, preloaded": [
        "gunicorn", APP, "--preload", *GUNICORN, "--access-logfile", "-", "--no-control-socket",
    ],
}  # fmt: skip
MESSAGES = ("taken", "paid", "late", "sent", "access")


@pytest.mark.soak
@pytest.mark.parametrize("name", SERVERS)
def test_workers_lose_no_line_while_their_file_is_rotated(tmp_path: Path, name: str) -> None:
    requests = [f"r{number}" for number in range(300)]
    with receiving() as received:
        server = Server(SERVERS[name], tmp_path, received)
        try:
            with ThreadPoolExecutor(8) as clients:
                answers = clients.map(lambda request: server.get("/orders/1", request), requests)
                assert {answer.status_code for answer in answers} == {200}
        finally:
            server.stop()  # it ends what runs in the background first
    assert written(tmp_path) == {request: Counter(MESSAGES) for request in requests}
    assert len(list(tmp_path.glob("app.log*"))) > 5


def written(folder: Path) -> dict[str, Counter[str]]:
    """The messages of each request, in all files."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for path in folder.glob("app.log*"):
        for text in path.read_text().splitlines():
            line = json.loads(text)
            if line["request_id"]:
                message = "access" if "HTTP/1.1" in line["message"] else line["message"]
                found[line["request_id"]][message] += 1
    return dict(found)
