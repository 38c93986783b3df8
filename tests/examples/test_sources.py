"""Generated sources: they are models that really work, and nothing else is run."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from sqlalchemy.exc import SQLAlchemyError

from examples.codegen_service import render, safety, schema, tools
from examples.codegen_service.schema import Column, Schema, Table

SAMPLE = Path(schema.__file__).with_name("sample.json")
NAMES = {"customers": "Customer", "orders": "Order", "order_items": "OrderItem"}


def sample_files() -> dict[str, str]:
    sample = Schema.model_validate(json.loads(SAMPLE.read_text()))
    schema.check(sample)
    sources = {table.name: render.model_source(table, NAMES) for table in sample.tables}
    return render.package_files(sources, NAMES)


def test_the_sample_becomes_models_that_can_be_built() -> None:
    files = sample_files()
    assert sorted(files) == [
        "__init__.py",
        "_base.py",
        "customers.py",
        "order_items.py",
        "orders.py",
    ]
    assert tools.compile_check(files) == ["Customer", "Order", "OrderItem"]


def test_every_type_of_column_can_be_built() -> None:
    columns = [Column(name="id", type="bigint", primary_key=True)]
    for kind in schema.TYPES:
        columns.append(Column(name=f"a_{kind}", type=kind))
        columns.append(Column(name=kind.upper(), type=kind, nullable=True))
    source = render.model_source(Table(name="things", columns=columns), {"things": "Thing"})
    files = render.package_files({"things": source}, {"things": "Thing"})
    assert tools.compile_check(files) == ["Thing"]


def test_checking_leaves_nothing_behind() -> None:
    before = set(sys.modules)
    tools.compile_check(sample_files())
    with pytest.raises(SyntaxError):
        tools.compile_check({**sample_files(), "orders.py": "class"})
    assert {name for name in set(sys.modules) - before if name.startswith("_generated")} == set()


def test_mappers_that_do_not_fit_together_are_found() -> None:
    files = sample_files()
    files["orders.py"] = files["orders.py"].replace('"Customer"', '"Nobody"')
    with pytest.raises(SQLAlchemyError, match="Nobody"):
        tools.compile_check(files)


@pytest.mark.parametrize(
    "source",
    [
        "import os",
        "import datetime",
        "from typing import sys",
        "from sqlalchemy import *",
        "from os import path",
        "from ..app import engine",
        "from ._base import __builtins__ as b",
        "x = __import__('os')",
        "x = __builtins__",
        "x = ().__class__",
        "import datetime as dt\nx = dt.sys",
        "x = [].append(1)",
        "def f(): pass",
        "x = lambda: 1",
        "x = [y for y in z]",
        "x = f'{y}'",
        "while True: pass",
        "x = 9 ** 9 ** 9",
        "class A:\n    b: Mapped[\"exec('1')\"]",
        "class A:\n    b = relationship('print(1)')",
    ],
)
def test_whatever_is_not_a_model_is_refused(source: str) -> None:
    with pytest.raises(safety.UnsafeSource, match=r"f\.py, line \d+: "):
        safety.refuse_unsafe(source, "f.py")


def test_functions_that_are_not_for_models_do_not_exist() -> None:
    with pytest.raises(NameError, match="open"):
        tools.compile_check({**sample_files(), "orders.py": "x = open('etc')"})


def test_files_are_written_as_they_are(tmp_path: Path) -> None:
    lines = tools.write_files(tmp_path / "new" / "folder", {"a.py": "x = 1\ny = 'ü'\n", "b.py": ""})
    assert lines == 2
    assert (tmp_path / "new" / "folder" / "a.py").read_text("utf-8") == "x = 1\ny = 'ü'\n"
