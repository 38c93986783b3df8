"""What the example service says about schemas that are wrong."""

from __future__ import annotations

from typing import Any

import pytest

from examples.codegen_service.schema import Schema, SchemaError, check

ID = {"name": "id", "type": "integer", "primary_key": True}


def table(name: str, *columns: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "columns": [ID, *columns], **more}


def problems(*tables: dict[str, Any]) -> list[str]:
    try:
        check(Schema.model_validate({"tables": tables}))
    except SchemaError as error:
        return [str(problem) for problem in error.problems]
    return []


def test_a_good_schema_has_no_problems() -> None:
    user_id = {"name": "user_id", "type": "integer", "foreign_key": "users.id"}
    assert problems(table("users"), table("orders", user_id)) == []


@pytest.mark.parametrize(
    ("column", "says"),
    [
        (
            {"name": "age", "type": "integr"},
            "table 'users', column 'age': unknown type 'integr'; did you mean 'integer'?",
        ),
        (
            {"name": "a-b", "type": "text"},
            "table 'users', column 'a-b': 'a-b' cannot be a name in Python",
        ),
        (
            {"name": "class", "type": "text"},
            "table 'users', column 'class': 'class' cannot be a name in Python",
        ),
        (
            {"name": "_x", "type": "text"},
            "table 'users', column '_x': '_x' must not start with an underscore",
        ),
        (
            {"name": "metadata", "type": "json"},
            "table 'users', column 'metadata': 'metadata' is reserved; give it another name",
        ),
        (
            {"name": "o", "type": "uuid", "foreign_key": "orders.id"},
            "table 'users', column 'o': foreign key refers to unknown table 'orders'",
        ),
        (
            {"name": "u", "type": "uuid", "foreign_key": "users.key"},
            "table 'users', column 'u': "
            "foreign key refers to unknown column 'key' of table 'users'",
        ),
        (
            {"name": "u", "type": "uuid", "foreign_key": "users"},
            "table 'users', column 'u': foreign key 'users' is not of the form 'table.column'",
        ),
        ({"name": "id", "type": "text"}, "table 'users', column 'id': is defined more than once"),
    ],
)
def test_a_wrong_column_is_named_with_what_is_wrong(column: dict[str, Any], says: str) -> None:
    assert problems(table("users", column)) == [says]


def test_a_type_like_no_other_is_answered_with_all_types() -> None:
    [problem] = problems(table("users", {"name": "at", "type": "qqq"}))
    assert "known types: integer, bigint, string" in problem


def test_a_table_needs_a_primary_key_and_a_name_of_its_own() -> None:
    without = {"name": "logs", "columns": [{"name": "text", "type": "text"}]}
    assert problems(without) == [
        "table 'logs': has no primary key; mark one column primary_key",
    ]
    assert problems(table("users"), table("Users")) == [
        "table 'users': is defined more than once",
    ]
    assert problems(table("or der"))[0] == "table 'or der': 'or der' cannot be a name in Python"


def test_a_relationship_needs_exactly_one_foreign_key_between_the_tables() -> None:
    link = {"name": "orders", "target": "orders"}
    apart = problems(table("users", relationships=[link]), table("orders"))
    assert apart == [
        "table 'users', relationship 'orders': "
        "no foreign key between 'users' and 'orders'; there must be exactly one"
    ]
    keys = [{"name": n, "type": "integer", "foreign_key": "users.id"} for n in ("buyer", "seller")]
    [ambiguous] = problems(table("users", relationships=[link]), table("orders", *keys))
    assert "2 foreign keys between" in ambiguous


def test_back_populates_must_point_back() -> None:
    key = {"name": "user_id", "type": "integer", "foreign_key": "users.id"}
    link = {"name": "orders", "target": "orders", "back_populates": "user"}
    [problem] = problems(table("users", relationships=[link]), table("orders", key))
    assert problem.startswith("table 'users', relationship 'orders': back_populates 'user'")


def test_all_problems_are_told_at_once() -> None:
    columns = [{"name": "a b", "type": "txt"}, {"name": "c", "type": "x.y", "foreign_key": "q"}]
    assert len(problems(table("users", *columns))) == 4
