"""A PostgreSQL server of the tests' own: Debian's binaries, a temporary folder, a free port."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAME, USER, PASSWORD = "shop", "clerk", "pg-secret"


def binaries() -> Path | None:
    """The folder of the newest installed server, or None."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    on_path = shutil.which("initdb")
    if on_path:
        found.append(Path(on_path).resolve().parent)
    return max(found, default=None, key=str)


class Postgres:
    """A cluster that can be stopped and started again on the same port."""

    def __init__(self, folder: Path, bin: Path) -> None:
        self._folder, self._bin = folder, bin
        # PostgreSQL refuses to run as root; Debian's package brings the user postgres.
        self._as: dict[str, Any] = {}
        if os.getuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(folder, user.pw_uid, user.pw_gid)
            self._as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._server: subprocess.Popen[bytes] | None = None
        password = folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        self._run("initdb", "-N", "-A", "scram-sha-256", "-U", USER, f"--pwfile={password}")

    def url(self, driver: str, database: str = NAME) -> str:
        """The address for SQLAlchemy with ``driver`` (psycopg, asyncpg)."""
        return f"postgresql+{driver}://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        self._server = subprocess.Popen(
            [
                *(self._bin / "postgres", "-D", self._folder / "data", "-p", str(self.port)),
                *("-h", "127.0.0.1", "-k", self._folder, "-F", "-c", "logging_collector=off"),
            ],
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **self._as,
        )
        deadline = time.monotonic() + 20
        while self._psql("postgres", "SELECT 1").returncode:
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the PostgreSQL server does not start")
            time.sleep(0.05)
        self._psql("postgres", f"CREATE DATABASE {NAME}")

    def stop(self) -> None:
        """Stop the server at once; its connections break."""
        if self._server is not None:
            self._server.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown
            self._server.wait(20)
            self._server = None

    def _psql(self, database: str, sql: str) -> subprocess.CompletedProcess[bytes]:
        return self._run(
            "psql",
            *("-h", "127.0.0.1", "-p", str(self.port), "-U", USER, "-d", database, "-c", sql),
            check=False,
        )

    def _run(
        self, program: str, *arguments: str, check: bool = True
    ) -> subprocess.CompletedProcess[bytes]:
        environment = {**os.environ, "PGPASSWORD": PASSWORD, "PGDATA": str(self._folder / "data")}
        return subprocess.run(
            [self._bin / program, *arguments],
            cwd=self._folder,
            env=environment,
            check=check,
            capture_output=True,
            **self._as,
        )


@contextmanager
def running() -> Iterator[Postgres]:
    """A started server, taken down and removed afterwards."""
    bin = binaries()
    if bin is None:
        raise RuntimeError("PostgreSQL is not installed (Debian package postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="otelkit-postgres-"))
    try:
        server = Postgres(folder, bin)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
