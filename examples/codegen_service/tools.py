"""What the agents can call: recall names, render a model, build models for real, write files."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from sqlalchemy.orm import registry

import otelkit

from . import database, render, safety
from .schema import Table


@otelkit.traced_tool(type="datastore", description="Finds the classes of tables seen before")
async def recall_class_names(tables: list[str]) -> dict[str, str]:
    """Return the class that each of `tables` had in the newest run that completed with it."""
    return await database.class_names(tables)


@otelkit.traced_tool(description="Renders the SQLAlchemy model of one table")
def render_model(table: Table, class_names: Mapping[str, str]) -> str:
    """Return the source of the module that defines the model of `table`."""
    return render.model_source(table, class_names)


@otelkit.traced_tool(description="Compiles files and configures the mappers they define")
def compile_check(files: Mapping[str, str]) -> list[str]:
    """Build the models in `files` for real, in a registry of their own, and return their names.

    Args:
        files: The source of each module of one package, by name of the file.

    Raises:
        Exception: Whatever `safety`, Python or SQLAlchemy has against the files.
    """
    for name, source in files.items():
        safety.refuse_unsafe(source, name)
    package = ModuleType(f"_generated_{uuid.uuid4().hex}")
    package.__path__ = []
    modules = {f"{package.__name__}.{name.removesuffix('.py')}": name for name in files}
    try:
        # Relative imports and annotations are looked up in sys.modules.
        sys.modules[package.__name__] = package
        for module_name, filename in modules.items():
            module = sys.modules[module_name] = ModuleType(module_name)
            module.__package__ = package.__name__
            module.__dict__["__builtins__"] = safety.allowed_builtins()
            exec(compile(files[filename], filename, "exec"), module.__dict__)
        base = sys.modules[f"{package.__name__}.{render.BASE_MODULE}"].Base
        return _configured(base.registry)
    finally:
        for module_name in (package.__name__, *modules):
            sys.modules.pop(module_name, None)


def _configured(models: registry) -> list[str]:
    try:
        models.configure()
        return sorted(mapper.class_.__name__ for mapper in models.mappers)
    finally:
        models.dispose()


@otelkit.traced_tool(description="Writes the files of a package into a folder")
def write_files(folder: Path, files: Mapping[str, str]) -> int:
    """Write `files` into `folder`, which is made if missing, and return the lines written."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, source in files.items():
        (folder / name).write_text(source, encoding="utf-8")
    return sum(len(source.splitlines()) for source in files.values())
