from __future__ import annotations

import asyncio
import base64
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from otelkit import ConfigError, health
from otelkit.health import memory, service
from otelkit.health.results import Component
from otelkit.settings import Settings
from tests.health.conftest import only
from tests.health.servers import until


def of(check: Callable[[], Any]) -> Component:
    """The component of ``check``."""
    health.register("component", check)
    return only()


class Handler(BaseHTTPRequestHandler):
    """Answers with the status that the path asks for, and remembers the requests."""

    seen: list[tuple[str, dict[str, str]]]

    def do_GET(self) -> None:
        self.seen.append((self.path, dict(self.headers)))
        status = int(self.path.strip("/").partition("?")[0] or 200)
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", "/500")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@contextmanager
def http_server() -> Iterator[tuple[str, list[tuple[str, dict[str, str]]]]]:
    handler = type("Remembering", (Handler,), {"seen": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"127.0.0.1:{server.server_port}", handler.seen
        server.shutdown()
        thread.join()


def unused_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


# --- Databases


def test_a_database_shows_the_state_of_its_pool(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/shop.db", pool_size=3)
    with engine.connect(), engine.connect():
        found = of(health.sqlalchemy_check(engine))
    engine.dispose()
    assert found.status == "healthy"
    pool = {"pool": "QueuePool", "size": 3, "idle": 1, "in_use": 2, "overflow": 0}
    assert found.metadata == pool


def test_an_asynchronous_database_shows_the_state_of_its_pool(tmp_path: Path) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/shop.db", pool_size=1)
    health.register("database", health.sqlalchemy_check(engine))

    async def check() -> Component:
        async with engine.connect():
            found = (await health.report()).components["database"]
        await engine.dispose()
        return found

    found = asyncio.run(check())
    assert found.status == "healthy"
    assert found.metadata["pool"] == "AsyncAdaptedQueuePool"
    assert (found.metadata["in_use"], found.metadata["overflow"]) == (1, 1)


def test_an_engine_without_a_pool_is_fine(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/shop.db", poolclass=NullPool)
    found = of(health.sqlalchemy_check(engine))
    assert (found.status, found.metadata) == ("healthy", {"pool": "NullPool"})


def test_a_pool_without_a_free_connection_gives_no_answer(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/shop.db", pool_size=1, max_overflow=0)
    with engine.connect():
        health.register("database", health.sqlalchemy_check(engine), timeout=0.1)
        assert only().message.startswith("no answer for")
    until(lambda: only().status == "healthy")
    engine.dispose()


def test_a_database_that_is_not_there_is_unhealthy_and_keeps_its_password() -> None:
    url = f"postgresql+psycopg://clerk:pg-secret@127.0.0.1:{unused_port()}/shop"
    found = of(health.sqlalchemy_check(create_engine(url)))
    assert found.status == "unhealthy"
    assert found.message.startswith("OperationalError: ")
    assert "pg-secret" not in found.message
    assert found.metadata["in_use"] == 0


def test_only_engines_are_databases() -> None:
    with pytest.raises(ConfigError, match="takes an Engine or AsyncEngine, not str"):
        health.sqlalchemy_check("sqlite://")  # type: ignore[arg-type]


# --- Disks; a real one that fills is in test_full_disk.py


def test_a_disk_is_measured_in_percent() -> None:
    assert of(health.disk_check("/", warning=0)).status == "healthy"
    assert of(health.disk_check("/", warning=100)).status == "degraded"


def test_a_disk_that_is_gone_is_unhealthy(tmp_path: Path) -> None:
    assert of(health.disk_check(tmp_path / "gone")).status == "unhealthy"


@pytest.mark.parametrize("check", [health.disk_check, health.memory_check])
def test_a_share_is_a_percentage(check: Any) -> None:
    for wrong in (101, -1, float("nan"), "x", None):
        with pytest.raises(ConfigError, match=f"warning={wrong!r} is no percentage from 0 to 100"):
            check(warning=wrong)


def test_a_folder_is_written_to_and_left_as_it_was(tmp_path: Path) -> None:
    assert of(health.writable_check(tmp_path)).status == "healthy"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_gone_is_unhealthy(tmp_path: Path) -> None:
    found = of(health.writable_check(tmp_path / "gone"))
    assert (found.status, found.message) == ("unhealthy", f"{tmp_path}/gone is no folder")


# --- Memory; a real limit is in test_memory_limit.py


def test_memory_of_the_machine_is_known() -> None:
    found = of(health.memory_check(warning=0))
    assert found.status == "healthy"
    assert 0 < found.metadata["available_bytes"] < found.metadata["total_bytes"]


GIB = 1024**3
LAYOUTS = {
    "version 2": {
        "groups": "0::/pod/app\n",
        "pod/memory.max": str(GIB),
        "pod/memory.current": str(GIB - 1000),
        "pod/memory.stat": "anon 5\ninactive_file 400\n",
        "pod/app/memory.max": "max",
        "pod/app/memory.current": "1",
        "pod/app/memory.stat": "inactive_file 0\n",
    },
    "version 2 in a container": {
        "groups": "0::/../other\n",
        "memory.max": str(GIB),
        "memory.current": str(GIB - 1000),
        "memory.stat": "inactive_file 400\n",
    },
    "version 1": {
        "groups": "5:devices:/\n4:cpu,memory:/docker/1\n0::/\n",
        "memory/memory.limit_in_bytes": "9223372036854771712",
        "memory/memory.usage_in_bytes": "1",
        "memory/memory.stat": "total_inactive_file 0\n",
        "memory/docker/1/memory.limit_in_bytes": str(GIB),
        "memory/docker/1/memory.usage_in_bytes": str(GIB - 1000),
        "memory/docker/1/memory.stat": "inactive_file 1\ntotal_inactive_file 400\n",
    },
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_smallest_limit_of_the_groups_counts(
    layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in LAYOUTS[layout].items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 4194304 kB\nMemAvailable: 2097152 kB\nHugePages_Total: 0\n")
    monkeypatch.setattr(memory, "_MEMINFO", meminfo)
    monkeypatch.setattr(memory, "_GROUPS", tmp_path / "groups")
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    found = of(health.memory_check())
    assert (found.status, found.message) == ("degraded", "0.0 % available")
    assert found.metadata["total_bytes"] == GIB
    assert found.metadata["available_bytes"] == 1400


def test_a_system_that_does_not_tell_is_healthy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "none")
    found = of(health.memory_check())
    assert (found.status, found.message) == ("healthy", "this system does not tell")


# --- HTTP


@pytest.mark.parametrize(
    ("path", "status"),
    [("/", "healthy"), ("/204", "healthy"), ("/302", "healthy"), ("/404", "unhealthy")],
)
def test_a_dependency_over_http_is_judged_by_its_status(path: str, status: str) -> None:
    with http_server() as (address, seen):
        found = of(health.http_check(f"http://{address}{path}?token=abc#there"))
    assert found.status == status
    assert [path for path, _ in seen] == [f"{path}?token=abc"]
    assert found.metadata["url"] == f"http://{address}{path}"
    assert found.metadata["status_code"] == int(path.strip("/") or 200)


def test_user_and_password_are_sent_and_not_shown() -> None:
    with http_server() as (address, seen):
        found = of(health.http_check(f"http://clerk:p%40ss@{address}/401"))
    expected = base64.b64encode(b"clerk:p@ss").decode()
    assert seen[0][1]["Authorization"] == f"Basic {expected}"
    assert "clerk" not in str(found)
    assert found.message == "answered 401"


def test_a_dependency_that_is_not_there_is_unhealthy() -> None:
    found = of(health.http_check(f"http://clerk:secret@127.0.0.1:{unused_port()}/"))
    assert found.message == "ConnectionRefusedError: [Errno 111] Connection refused"


def test_a_dependency_that_accepts_and_says_nothing_is_unhealthy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        health.register("search", health.http_check(f"http://127.0.0.1:{port}/"), timeout=0.1)
        assert only().message.startswith("no answer for")


@pytest.mark.parametrize("url", ["ftp://host/", "http://", "http://host:99999/", "", 5])
def test_an_address_of_another_kind_is_told_at_once(url: Any) -> None:
    with pytest.raises(ConfigError):
        health.http_check(url)


# --- Environment, LLM providers


def test_variables_that_are_not_set_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_KEY", "secret-value")
    monkeypatch.setenv("SHOP_EMPTY", " ")
    monkeypatch.delenv("SHOP_NONE", raising=False)
    assert of(health.environment_check("SHOP_KEY")).status == "healthy"
    found = of(health.environment_check("SHOP_KEY", "SHOP_EMPTY", "SHOP_NONE"))
    assert (found.status, found.message) == ("unhealthy", "not set: SHOP_EMPTY, SHOP_NONE")


@pytest.mark.parametrize("names", [(), ("",), (["A"],)])
def test_variables_have_names(names: Any) -> None:
    with pytest.raises(ConfigError, match="takes names of variables"):
        health.environment_check(*names)


def test_a_provider_is_configured_by_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    found = of(health.llm_check("gcp.gemini"))
    assert found.message == "not set: GEMINI_API_KEY or GOOGLE_API_KEY"
    monkeypatch.setenv("GOOGLE_API_KEY", "AIza-secret")
    found = of(health.llm_check("gcp.gemini"))
    assert (found.status, found.metadata) == ("healthy", {"provider": "gcp.gemini"})


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [("/401", "healthy", ""), ("/503", "unhealthy", "answered 503")],
)
def test_a_provider_is_reachable_when_it_answers_anything_but_a_server_error(
    monkeypatch: pytest.MonkeyPatch, path: str, status: str, message: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    with http_server() as (address, seen):
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://{address}{path}")
        found = of(health.llm_check("openai", reachable=True))
    assert (found.status, found.message) == (status, message)
    assert "sk-secret" not in str(seen)


def test_a_provider_of_ones_own_has_its_own_key_and_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VLLM_KEY", "k")
    with http_server() as (address, seen):
        check = health.llm_check(
            "vllm", reachable=True, key="VLLM_KEY", url=f"http://{address}/200"
        )
        assert of(check).status == "healthy"
    assert len(seen) == 1


def test_a_provider_without_an_address_of_its_own_needs_the_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "k")
    monkeypatch.delenv("AZURE_OPENAI_ENDPOINT", raising=False)
    found = of(health.llm_check("azure.ai.openai", reachable=True))
    assert found.message == "not set: AZURE_OPENAI_ENDPOINT"


def test_an_unknown_provider_needs_a_key_and_an_address() -> None:
    with pytest.raises(ConfigError, match=r"give key=.*anthropic"):
        health.llm_check("vllm")
    with pytest.raises(ConfigError, match="give url="):
        health.llm_check("vllm", reachable=True, key="VLLM_KEY")


# --- Pings


class Redis:
    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def ping(self) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class AsyncRedis(Redis):
    def ping(self) -> Any:
        async def answer() -> Any:
            return Redis.ping(self)

        return answer()


@pytest.mark.parametrize("client", [Redis, AsyncRedis])
@pytest.mark.parametrize(
    ("answer", "status", "message"),
    [
        (True, "healthy", ""),
        (b"PONG", "healthy", ""),
        (None, "healthy", ""),
        (False, "unhealthy", "the ping was answered with False"),
        (ConnectionError("gone"), "unhealthy", "ConnectionError: gone"),
    ],
)
def test_a_ping_is_an_answer_or_none(client: Any, answer: Any, status: str, message: str) -> None:
    found = of(health.ping_check(client(answer).ping))
    assert (found.status, found.message) == (status, message)


def test_a_ping_that_was_called_already_is_told_at_once() -> None:
    with pytest.raises(ConfigError, match="without parentheses"):
        health.ping_check(Redis(True).ping())


# --- Telemetry


def queue(**changes: Any) -> dict[str, Any]:
    counts = dict.fromkeys(("sent", "failed", "dropped", "spooled", "queued"), 0)
    return {**counts, "last_success": None, "last_error": None, **changes}


LATE = {"queued": 3, "last_success": 5.0, "last_error": "Connection refused"}


@pytest.mark.parametrize(
    ("before", "now", "message"),
    [
        (queue(), queue(sent=5, queued=2, last_success=5e9, last_error="once"), ""),
        (queue(failed=3), queue(failed=3), ""),
        (queue(failed=3), queue(failed=4, dropped=1), "traces to otlp: 2 lost"),
        (queue(), queue(**LATE), "traces to otlp: 3 waiting, Connection refused"),
        (queue(), queue(spooled=3, last_error="down"), "traces to otlp: 3 waiting, down"),
    ],
)
def test_telemetry_is_degraded_while_it_is_late_or_being_lost(
    before: Any, now: Any, message: str
) -> None:
    states = iter([before, now])
    health.install(Settings(), {}, lambda: {"traces": {"destinations": {"otlp": next(states)}}})
    check = health.telemetry_check()
    assert of(check).status == "healthy"
    found = of(check)
    assert (found.status, found.message) == ("degraded" if message else "healthy", message)
    assert set(found.metadata["traces to otlp"]) == {
        "waiting", "sent", "lost", "last_success", "last_error",
    }  # fmt: skip


def test_telemetry_that_is_off_is_healthy() -> None:
    found = of(health.telemetry_check())
    assert (found.status, found.message) == ("healthy", "nothing is exported")


def test_telemetry_never_makes_readiness_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> dict[str, Any]:
        raise RuntimeError

    monkeypatch.setattr(service, "current", service.Service(telemetry=broken))
    health.register("telemetry", health.telemetry_check(), critical=True)
    assert only().status == "degraded"
