"""What is read out of an SQL text: operation, table, and the text without literals."""

from __future__ import annotations

import pytest

from otelkit.integrations._sql import describe


@pytest.mark.parametrize(
    ("sql", "operation", "table"),
    [
        ("SELECT a FROM users WHERE id = ?", "SELECT", "users"),
        ("\n  select 1", "SELECT", None),
        ("(SELECT 1) UNION (SELECT 2 FROM q)", "SELECT", "q"),
        ("/* app:web */ -- note\nINSERT INTO shop.orders VALUES (1)", "INSERT", "shop.orders"),
        ("INSERT INTO a SELECT * FROM b", "INSERT", "a"),
        ("UPDATE ONLY users SET x = 1", "UPDATE", "users"),
        ("DELETE FROM users", "DELETE", "users"),
        ("CREATE TABLE IF NOT EXISTS users (id INT)", "CREATE", "users"),
        ('SELECT * FROM "Ord\'s"."x y"', "SELECT", "Ord's.x y"),
        ("SELECT * FROM `orders`", "SELECT", "orders"),
        ("SELECT * FROM (SELECT * FROM inner_one) AS t", "SELECT", "inner_one"),
        ("SELECT extract(year FROM created) FROM orders", "SELECT", "orders"),
        ("WITH recent AS (SELECT * FROM orders) SELECT * FROM recent", "WITH", "orders"),
        ("SAVEPOINT sa_savepoint_1", "SAVEPOINT", None),
        ("", None, None),
        ("1", None, None),
    ],
)
def test_the_operation_and_the_first_table_are_named(
    sql: str, operation: str | None, table: str | None
) -> None:
    described = describe(sql)
    assert (described.operation, described.table) == (operation, table)


@pytest.mark.parametrize(
    ("sql", "text"),
    [
        ("id = 5 AND n = 'it''s'", "id = ? AND n = ?"),
        ("a=-1.5e3 AND b=.5 AND c=0xFF", "a=? AND b=? AND c=?"),
        ("x = $1 AND y = %(p_1)s AND z = :z1 AND q = ?", None),
        ("SELECT t1.c2 FROM s.t1", None),
        ('SELECT "o\'clock 5" FROM "t 1"', None),
        ("x = E'a\\'secret' AND y = 'b'", "x = ? AND y = ?"),
        ("path = 'C:\\' AND pw = 'secret'", "path = ? AND pw = ?"),
        ("f = $$sec'ret$$ AND g = $tag$x$y$tag$", "f = ? AND g = ?"),
        ("-- don't\nx = 'secret'", "x = ?"),
        ("x = 1 /* it's traceparent='00-1' */ AND y = 'secret'", "x = ?  AND y = ?"),
        ("x = 'cut open", "x = ?"),
        ("x = 'a' /* cut open 'secret", "x = ?"),
    ],
)
def test_literals_and_comments_are_taken_out_and_placeholders_stay(
    sql: str, text: str | None
) -> None:
    assert describe(sql).text == (text or sql)


@pytest.mark.parametrize(
    ("sql", "text"),
    [
        ("x = 'it\\'s secret' AND y = 'b'", "x = ? AND y = ?"),
        ('x = "secret" AND `don\'t` = 1', "x = ? AND `don't` = ?"),
        ("x = 'a' # don't\n AND y = 'secret'", "x = ? \n AND y = ?"),
        ("x = 'cut open \\", "x = ?"),
    ],
)
def test_mysql_reads_quotes_in_its_own_way(sql: str, text: str) -> None:
    assert describe(sql, mysql=True).text == text


def test_a_long_text_is_cut_and_nothing_of_the_open_literal_is_left() -> None:
    described = describe("SELECT * FROM users WHERE note = '" + "secret " * 2000)
    assert described.text == "SELECT * FROM users WHERE note = ?…"
    assert len(describe("SELECT " + "a, " * 5000 + "b FROM t").text) < 5000


@pytest.mark.parametrize("piece", ["(", " ", "/*", "--", "'", '"', "$$", "$a$", "1e", "from ("])
def test_no_text_makes_a_pattern_backtrack(piece: str) -> None:
    # One that does would take hours here.
    assert len(describe(piece * 100_000).text) <= 4097
    assert len(describe(piece * 100_000, mysql=True).text) <= 4097
