"""Why a query cannot be answered: it does more than to read, it is wrong, or a folder of the lake is closed.

In: a query, DuckDB's error, a lake. Out: one line for the user, or LakeError.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import duckdb

from engagement_pipeline.core.errors import InputError, LakeError
from engagement_pipeline.core.nearest import nearest
from engagement_pipeline.core.tables import TABLES, TYPE_NAMES
from engagement_pipeline.query.views import READ, all_macros, all_views, quoted

if TYPE_CHECKING:
    from engagement_pipeline.lake.layout import Lake

# PIVOT is several statements to DuckDB, wherever in a query it stands.
BEGINS = re.compile(r"[\s(]*(?:from|pivot|select|unpivot|with|table|values|summarize)\b", re.IGNORECASE)
EXPLAINS = re.compile(r"\s*explain(?:\s+analyze\b|\s*\([^)]*\))?", re.IGNORECASE)
NO_COLUMN = re.compile(
    r'Referenced column "(?P<name>[^"]+)" (?:was )?not found|does not have a column named "(?P<of>[^"]+)"'
)
QUOTED = re.compile(r'"([^"]+)"')
PLACE = re.compile(r"\s*\bLINE \d+:.*", re.DOTALL)  # DuckDB draws an arrow under the place, which one line cannot show


def refused(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Raise InputError where a query does more than to read, says nothing or is no text."""
    if not sql.isascii() and any("\ud800" <= character <= "\udfff" for character in sql):  # bytes that were no text
        raise InputError("the query is not text in this locale: write it in UTF-8, and run it with LC_ALL=C.UTF-8")
    statements = connection.extract_statements(sql)
    if not statements:
        raise InputError('the query is empty: write one, as in engagement sql "select * from daily limit 5"')
    for statement in statements:
        if not _reads(connection, statement):
            kind = statement.query.strip(" (\n\t").split(maxsplit=1)[0].upper()
            raise InputError(
                f"the query is refused: engagement sql reads and changes nothing, and {kind} does more; views of your "
                "own belong in a database of your own that attaches engagement.duckdb, and --unsafe allows any query"
            )


def _reads(connection: duckdb.DuckDBPyConnection, statement: duckdb.Statement) -> bool:
    if statement.type == duckdb.StatementType.EXPLAIN:  # which runs what it explains, if it is to ANALYZE
        explained = connection.extract_statements(EXPLAINS.sub("", statement.query, count=1))
        return all(each.type != duckdb.StatementType.EXPLAIN and _reads(connection, each) for each in explained)
    if statement.type == duckdb.StatementType.MULTI:
        return bool(BEGINS.match(statement.query))
    return bool(statement.type == duckdb.StatementType.SELECT)


def told(error: duckdb.Error, sql: str) -> str:
    """Return DuckDB's words in one line; of a column that is not there, the nearest name that is."""
    text = str(error)
    if missing := NO_COLUMN.search(text):
        name = missing["name"] or missing["of"]
        offered = [found.rpartition(".")[2] for found in QUOTED.findall(text.partition("andidate bindings")[2])]
        return f'there is no column "{name}" here{_nearest(name, [*dict.fromkeys([*_columns(sql), *offered])])}'
    line = " ".join(PLACE.sub("", text).split())
    if isinstance(error, duckdb.PermissionException):
        return f"{line}; engagement sql opens the lake's files alone, and --unsafe lets it open any"
    return line


def of_system(error: duckdb.Error) -> str:
    """Return why a file could not be written, in the system's words: DuckDB has them behind the file's name."""
    return str(error).splitlines()[0].rpartition('": ')[2]


def _nearest(name: str, known: list[str]) -> str:
    """Return what to write in place of the name of a column."""
    if near := nearest(name.lower(), known):
        return f': did you mean "{near}"?'
    if near := nearest(name.lower(), TYPE_NAMES):
        return f": {near} is an engagement_type, as in engagement_type = {quoted(near)}"
    return f"; there is {', '.join(known)}" if known else ""


def _columns(sql: str) -> list[str]:
    """Return the names of the columns of the views that a query names."""
    columns = {table.name: [column.name for column in table.columns] for table in TABLES.values()}
    columns |= {view.name: [*view.columns] for view in (*all_views(), *all_macros())}
    return [column for name in READ.findall(sql) for column in columns.get(name.lower(), ())]


def closed(lake: Lake) -> LakeError | None:
    """Return the error for a folder of tables that this user may not list, None if there is none.

    DuckDB passes over such a folder without a word, so its rows would be missing from every answer.
    """
    for table in TABLES.values():
        if folder := lake.storage.closed(table.glob):
            return LakeError(
                f"{folder} cannot be read by this user, so its rows would be missing: let this user read it; "
                "engagement doctor names all such folders"
            )
    return None
