"""What a client sends: tables with columns and relationships, and what may be wrong with them."""

from __future__ import annotations

import difflib
import keyword
from collections import Counter
from collections.abc import Iterable, Iterator

from pydantic import BaseModel, ConfigDict, Field

# Type of a column -> its annotation in Python and its type in SQLAlchemy.
TYPES = {
    "integer": ("int", "Integer"),
    "bigint": ("int", "BigInteger"),
    "string": ("str", "String(255)"),
    "text": ("str", "Text"),
    "boolean": ("bool", "Boolean"),
    "float": ("float", "Float"),
    "numeric": ("Decimal", "Numeric(18, 4)"),
    "date": ("dt.date", "Date"),
    "datetime": ("dt.datetime", "DateTime(timezone=True)"),
    "uuid": ("UUID", "Uuid"),
    "json": ("dict[str, Any]", "JSON"),
}
# A mapped class has the first two already; the others are names that a generated class body uses,
# and an attribute of that name would hide them from the lines below it.
RESERVED = frozenset(
    {"metadata", "registry", "dt", "int", "str", "bool", "float", "dict", "list", "Any"}
    | {"Decimal", "UUID", "Mapped", "mapped_column", "relationship"}
)


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Column(_Model):
    """One column; `foreign_key` is written `table.column`."""

    name: str
    type: str
    primary_key: bool = False
    nullable: bool = False
    unique: bool = False
    foreign_key: str | None = None


class Relationship(_Model):
    """A reference to the rows of another table, along the foreign key between the two."""

    name: str
    target: str
    back_populates: str | None = None


class Table(_Model):
    """One table, which becomes one model."""

    name: str
    columns: list[Column] = Field(max_length=500)
    relationships: list[Relationship] = Field(default=[], max_length=100)

    def column(self, name: str) -> Column | None:
        """The column of this name, or None."""
        return next((column for column in self.columns if column.name == name), None)

    def refers_to(self, table: str) -> list[Column]:
        """The columns with a foreign key to `table`."""
        return [c for c in self.columns if (c.foreign_key or "").partition(".")[0] == table]


class Schema(_Model):
    """All tables of one database."""

    tables: list[Table] = Field(min_length=1, max_length=100)

    def table(self, name: str) -> Table | None:
        """The table of this name, or None."""
        return next((table for table in self.tables if table.name == name), None)


class Problem(BaseModel):
    """One thing wrong with a schema, and where it is."""

    table: str
    column: str | None = None
    relationship: str | None = None
    problem: str

    def __str__(self) -> str:
        where = f"table {self.table!r}"
        if self.column is not None:
            where += f", column {self.column!r}"
        if self.relationship is not None:
            where += f", relationship {self.relationship!r}"
        return f"{where}: {self.problem}"


class SchemaError(ValueError):
    """A schema that no models can be made from; `problems` says why, all at once."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


def check(schema: Schema) -> None:
    """Raise `SchemaError` with every problem of `schema`, or return when it has none."""
    problems = []
    # Each table becomes a file, and not every file system tells Users from users.
    for name in _repeated(table.name.lower() for table in schema.tables):
        problems.append(Problem(table=name, problem="is defined more than once"))
    for table in schema.tables:
        problems += _table_problems(table, schema)
    if problems:
        raise SchemaError(problems)


def _table_problems(table: Table, schema: Schema) -> Iterator[Problem]:
    if wrong := _bad_name(table.name):
        yield Problem(table=table.name, problem=wrong)
    if not any(column.primary_key for column in table.columns):
        yield Problem(table=table.name, problem="has no primary key; mark one column primary_key")
    names = [column.name for column in table.columns] + [r.name for r in table.relationships]
    for name in _repeated(names):
        yield Problem(table=table.name, column=name, problem="is defined more than once")
    for column in table.columns:
        for wrong in _column_problems(column, schema):
            yield Problem(table=table.name, column=column.name, problem=wrong)
    for relationship in table.relationships:
        for wrong in _relationship_problems(relationship, table, schema):
            yield Problem(table=table.name, relationship=relationship.name, problem=wrong)


def _column_problems(column: Column, schema: Schema) -> Iterator[str]:
    if wrong := _bad_name(column.name):
        yield wrong
    if column.type not in TYPES:
        near = difflib.get_close_matches(column.type, TYPES, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known types: {', '.join(TYPES)}"
        yield f"unknown type {column.type!r}; {hint}"
    if column.foreign_key is None:
        return
    table_name, dot, column_name = column.foreign_key.partition(".")
    target = schema.table(table_name)
    if not dot:
        yield f"foreign key {column.foreign_key!r} is not of the form 'table.column'"
    elif target is None:
        yield f"foreign key refers to unknown table {table_name!r}"
    elif target.column(column_name) is None:
        yield f"foreign key refers to unknown column {column_name!r} of table {table_name!r}"


def _relationship_problems(link: Relationship, table: Table, schema: Schema) -> Iterator[str]:
    if wrong := _bad_name(link.name):
        yield wrong
    target = schema.table(link.target)
    if target is None:
        yield f"refers to unknown table {link.target!r}"
        return
    if target is table:
        yield "a relationship of a table to itself is not supported; keep only the foreign key"
        return
    ways = len(table.refers_to(target.name)) + len(target.refers_to(table.name))
    if ways != 1:
        found = "no foreign key" if ways == 0 else f"{ways} foreign keys"
        yield f"{found} between {table.name!r} and {target.name!r}; there must be exactly one"
    if link.back_populates is None:
        return
    other = next((r for r in target.relationships if r.name == link.back_populates), None)
    if other is None or other.target != table.name or other.back_populates != link.name:
        yield (
            f"back_populates {link.back_populates!r}: table {target.name!r} has no relationship "
            f"of that name which points back to {table.name}.{link.name}"
        )


def _bad_name(name: str) -> str | None:
    if not (name.isidentifier() and name.isascii()) or keyword.iskeyword(name):
        return f"{name!r} cannot be a name in Python"
    if name.startswith("_"):
        return f"{name!r} must not start with an underscore"
    if len(name) > 63:
        return f"{name!r} is longer than 63 characters, the longest name PostgreSQL keeps"
    if name in RESERVED:
        return f"{name!r} is reserved; give it another name"
    return None


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]
