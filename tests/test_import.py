"""Importing otelkit is light, and each room imports only what it may."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import otelkit

PACKAGE = Path(otelkit.__file__).parent
HEAVY = ("opentelemetry.sdk", "opentelemetry.exporter", "fastapi", "starlette", "sqlalchemy",
         "pydantic", "genai_prices", "langsmith", "h2", "requests", "wrapt")  # fmt: skip
SDK_ROOMS = ("enrich.py", "export", "providers", "prometheus", "langsmith", "testing.py", "lean")


def test_importing_otelkit_loads_neither_the_sdk_nor_a_framework():
    code = f"import sys, otelkit; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_only_the_rooms_of_the_sdk_import_it():
    offenders = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in PACKAGE.rglob("*.py")
        if not str(path.relative_to(PACKAGE)).startswith(SDK_ROOMS)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in ([a.name for a in node.names] + [getattr(node, "module", "") or ""])
        if name.startswith("opentelemetry.sdk")
    ]
    assert offenders == []


def test_all_names_are_there():
    assert sorted(otelkit.__all__) == list(otelkit.__all__)
    assert all(hasattr(otelkit, name) for name in otelkit.__all__)
