"""The source of SQLAlchemy models, written from the tables of a schema."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .schema import TYPES, Column, Relationship, Table

BASE_MODULE = "_base"  # no table may be called so: names that start with _ are refused
_BASE_SOURCE = '''"""The base of all models."""

from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    pass
'''
_SQL_NAMES = {sql.partition("(")[0] for _, sql in TYPES.values()} | {"ForeignKey"}


def model_source(table: Table, class_names: Mapping[str, str]) -> str:
    """Return the module that defines the model of `table`.

    Args:
        table: A table of a checked schema.
        class_names: The class of each table of that schema, by name of the table.
    """
    columns = [_column(column) for column in table.columns]
    links = [_relationship(link, table, class_names) for link in table.relationships]
    body = "\n".join([f'    __tablename__ = "{table.name}"', "", *columns, *links])
    targets = sorted({link.target for link in table.relationships})
    head = _imports(body, [f"from .{name} import {class_names[name]}" for name in targets])
    return f"{head}\n\n\nclass {class_names[table.name]}(Base):\n{body}\n"


def package_files(sources: Mapping[str, str], class_names: Mapping[str, str]) -> dict[str, str]:
    """Return every file of the package by name: the base, a module for each table, the facade."""
    imports = [f"from .{BASE_MODULE} import Base"]
    imports += [f"from .{table} import {class_names[table]}" for table in sorted(sources)]
    names = "".join(f'    "{name}",\n' for name in sorted(["Base", *class_names.values()]))
    facade = '"""The generated models."""\n\n' + "\n".join(imports)
    return {
        f"{BASE_MODULE}.py": _BASE_SOURCE,
        **{f"{table}.py": source for table, source in sources.items()},
        "__init__.py": f"{facade}\n\n__all__ = [\n{names}]\n",
    }


def _column(column: Column) -> str:
    python, sql = TYPES[column.type]
    arguments = [sql]
    if column.foreign_key:
        arguments.append(f'ForeignKey("{column.foreign_key}")')
    if column.primary_key:
        arguments.append("primary_key=True")
    if column.unique:
        arguments.append("unique=True")
    if column.nullable and not column.primary_key:
        python += " | None"
    return f"    {column.name}: Mapped[{python}] = mapped_column({', '.join(arguments)})"


def _relationship(link: Relationship, table: Table, class_names: Mapping[str, str]) -> str:
    target = f'"{class_names[link.target]}"'
    # The side that holds the foreign key sees one row, the other side sees many.
    annotation = target if table.refers_to(link.target) else f"list[{target}]"
    back = f'back_populates="{link.back_populates}"' if link.back_populates else ""
    return f"    {link.name}: Mapped[{annotation}] = relationship({back})"


def _imports(body: str, targets: list[str]) -> str:
    def used(*names: str) -> str:
        found = [name for name in names if re.search(rf"\b{name}\b", body)]
        return ", ".join(sorted(found, key=lambda name: (not name.isupper(), name)))

    standard = ["import datetime as dt"] if used("dt") else []
    standard += ["from decimal import Decimal"] if used("Decimal") else []
    typing = ", ".join(filter(None, ["TYPE_CHECKING" if targets else "", used("Any")]))
    standard += [f"from typing import {typing}"] if typing else []
    standard += ["from uuid import UUID"] if used("UUID") else []
    alchemy = [
        f"from sqlalchemy import {used(*_SQL_NAMES)}",
        f"from sqlalchemy.orm import {used('Mapped', 'mapped_column', 'relationship')}",
    ]
    guarded = ["if TYPE_CHECKING:", *(f"    {line}" for line in targets)] if targets else []
    groups = [standard, alchemy, [f"from .{BASE_MODULE} import Base"], guarded]
    return "\n\n".join("\n".join(group) for group in groups if group)
