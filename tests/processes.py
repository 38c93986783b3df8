"""A Python of its own for what can be done only once in a process."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[1]


def python(
    code: str, *, environ: dict[str, str] | None = None, timeout: float = 60, status: int = 0
) -> subprocess.CompletedProcess[str]:
    """Runs ``code``, which is no test run and has nothing of this one's configuration.

    Args:
        code: The program, indented as it likes.
        environ: Further variables.
        timeout: Seconds after which it is killed.
        status: The exit status it must have.
    """
    inherited = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("PYTEST", "OTEL", "COV"))
    }
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=ROOT,
        env={**inherited, **(environ or {})},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == status, done.stderr
    return done
