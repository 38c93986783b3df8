"""A gate in front of generated code: it may define models and do nothing else.

The code is a language model's answer to a stranger's request, and checking it means running it.
So what is not on the lists below is refused before anything runs.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator
from typing import Any

IMPORTS = {
    "sqlalchemy": {
        *("BigInteger", "Boolean", "Date", "DateTime", "Double", "Enum", "Float", "Integer"),
        *("Interval", "JSON", "LargeBinary", "Numeric", "SmallInteger", "String", "Text", "Time"),
        *("Uuid", "ForeignKey", "Index", "UniqueConstraint"),
    },
    "sqlalchemy.orm": {"DeclarativeBase", "Mapped", "mapped_column", "relationship"},
    "decimal": {"Decimal"},
    "typing": {"Any", "Optional", "TYPE_CHECKING"},
    "uuid": {"UUID"},
}
_DATETIME = {"date", "datetime", "time", "timedelta"}  # of `import datetime as dt`
_SPECIAL_NAMES = {"__tablename__", "__table_args__", "__all__"}
_BUILTINS = (
    "__build_class__",
    "__import__",
    "bool",
    "bytes",
    "dict",
    "float",
    "int",
    "list",
    "str",
)
_NODES = (
    *(ast.Module, ast.Import, ast.ImportFrom, ast.alias, ast.ClassDef, ast.If, ast.Pass),
    *(ast.Assign, ast.AnnAssign, ast.Expr, ast.Call, ast.keyword, ast.Constant, ast.Name),
    *(ast.Attribute, ast.Subscript, ast.List, ast.Tuple, ast.BinOp, ast.BitOr, ast.expr_context),
)
# SQLAlchemy evaluates the strings of annotations and relationships, so they may only name things.
_NAME = re.compile(r"[\w.]*", re.ASCII)


class UnsafeSource(ValueError):
    """A source that does more than define models; the text names file, line and reason."""


def refuse_unsafe(source: str, filename: str) -> None:
    """Return if `source` only defines models.

    Raises:
        UnsafeSource: It does something else.
        SyntaxError: It is not Python.
    """
    tree = ast.parse(source, filename)
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if id(node) in docstrings and isinstance(node, ast.Constant):
            continue
        for reason in _objections(node):
            raise UnsafeSource(f"{filename}, line {getattr(node, 'lineno', 1)}: {reason}")


def allowed_builtins() -> dict[str, Any]:
    """Return what generated code finds in `__builtins__`."""
    return {name: getattr(builtins, name) for name in _BUILTINS}


def _objections(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Import() | ast.ImportFrom():
            yield from _import_objections(node)
        case ast.Call(func=ast.expr() as called) if not isinstance(called, ast.Name):
            yield "only what has a plain name may be called"
        case ast.Attribute():
            if not (isinstance(node.value, ast.Name) and node.value.id == "dt"):
                yield f"attribute {node.attr!r} may not be read"
            elif node.attr not in _DATETIME:
                yield f"'dt.{node.attr}' may not be used"
        case ast.Name() if node.id.startswith("_") and node.id not in _SPECIAL_NAMES:
            yield f"the name {node.id!r} may not be used"
        case ast.Constant(value=str(text)) if not _NAME.fullmatch(text):
            yield f"the string {text!r} is more than a name"
        case _ if not isinstance(node, _NODES):
            yield f"{type(node).__name__} has no place in a model"


def _import_objections(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    names = [alias.name for alias in node.names]
    if isinstance(node, ast.Import):
        if [(alias.name, alias.asname) for alias in node.names] != [("datetime", "dt")]:
            yield "the only whole module to import is 'datetime as dt'"
    elif node.level == 0:
        unknown = set(names) - IMPORTS.get(node.module or "", set())
        yield from (f"{name!r} may not be imported from {node.module!r}" for name in unknown)
    elif node.level > 1 or any(name.startswith("_") for name in names):
        yield "only public names of this package may be imported"
