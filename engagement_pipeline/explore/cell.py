"""The answer to a query that somebody typed into the page.

In: a lake and a text. Out: Answers, or one line that says why there is none. A query only reads, and only through the
views: it opens no file by its name, since a file of secrets may lie beside those of the lake.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

import duckdb

from engagement_pipeline.core.errors import InputError
from engagement_pipeline.query import catalog
from engagement_pipeline.query.views import all_macros

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engagement_pipeline.lake.layout import Lake

SHOWN = 200  # rows
LONGEST = 20_000  # characters
HARMLESS = {"range", "generate_series", "unnest"}  # functions that make rows of nothing
NAME = re.compile(r"\w+")
NUMBERS = ("int", "decimal", "double", "float")
UNSERIALIZED = "not implemented"  # DuckDB's kind of error for what is right, and no SELECT
_one = Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The first rows of an answer, as texts; None is NULL. `numbers` is of each column; `more`: there are others."""

    names: list[str]
    numbers: list[bool]
    rows: list[list[str | None]]
    more: bool


def answers(lake: Lake, sql: str) -> list[Answer]:
    """Answer each statement of a query.

    Raises InputError where a query is wrong, does more than to read the views, or comes while another is answered.
    Raises LakeError where a file is damaged.
    """
    if len(sql) > LONGEST:
        raise InputError(f"the query is longer than {LONGEST:,} characters: run it with engagement sql --file")
    _refuse(sql)
    if not _one.acquire(blocking=False):
        raise InputError("another query is being answered: wait for it, or end the explorer and start it again")
    try:
        return catalog.answers(lake, sql, _taken)
    finally:
        _one.release()


def _taken(found: duckdb.DuckDBPyRelation | None) -> Answer:
    if found is None:
        return Answer(names=[], numbers=[], rows=[], more=False)
    rows = found.limit(SHOWN + 1).fetchall()
    return Answer(
        names=found.columns,
        numbers=[any(part in str(kind).lower() for part in NUMBERS) for kind in found.types],
        rows=[[None if value is None else str(value) for value in row] for row in rows[:SHOWN]],
        more=len(rows) > SHOWN,
    )


def _refuse(sql: str) -> None:
    """Raise InputError where a query reads more than views; what is no SQL is left to whoever answers it."""
    with duckdb.connect() as connection:
        (parsed,) = connection.execute("select json_serialize_sql(?::varchar)", [sql]).fetchall()[0]
    tree = json.loads(parsed)
    if tree["error"]:
        if tree.get("error_type") == UNSERIALIZED:
            raise InputError("this cell answers SELECT, FROM, WITH and SUMMARIZE: give all else to engagement sql")
        return
    allowed = HARMLESS | {macro.name for macro in all_macros()}
    for node in _nodes(tree):
        if node.get("type") == "TABLE_FUNCTION" and (name := node["function"]["function_name"]) not in allowed:
            raise InputError(f"this cell reads the views alone, and {name} does more: give it to engagement sql")
        if node.get("type") == "BASE_TABLE" and not NAME.fullmatch(name := node["table_name"]):
            raise InputError(f"this cell reads the views alone, and {name!r} is none: give it to engagement sql")


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - what JSON has
    """Yield each object of a query's tree."""
    if isinstance(tree, dict):
        yield tree
    inner = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    for each in inner:
        yield from _nodes(each)
