"""Why a query cannot be answered: it does more than to read, it is wrong, or a file of the lake is damaged.

In: a query, DuckDB's error, the tables. Out: one line for the user, or LakeError for a file that is proven damaged.
"""

from __future__ import annotations

import difflib
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from engagement_pipeline.core.errors import InputError, LakeError
from engagement_pipeline.core.tables import TABLES, TYPE_NAMES
from engagement_pipeline.lake.parquet import damaged
from engagement_pipeline.query.files import glob_of
from engagement_pipeline.query.views import READ, all_macros, all_views, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date

    from engagement_pipeline.core.tables import Table
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
    """Raise InputError where a query does more than to read."""
    for statement in connection.extract_statements(sql):
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


def _nearest(name: str, known: list[str]) -> str:
    """Return what to write in place of the name of a column."""
    if near := difflib.get_close_matches(name.lower(), known, n=1):
        return f': did you mean "{near[0]}"?'
    if near := difflib.get_close_matches(name.lower(), TYPE_NAMES, n=1):
        return f": {near[0]} is an engagement_type, as in engagement_type = {quoted(near[0])}"
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
        top, *names = Path(table.glob).parts
        for folder in _closed(lake, lake.root / top, names[:-1]) if names else ():
            return LakeError(
                f"{folder} cannot be read by this user, so its rows would be missing: let this user read it; "
                "engagement doctor names all such folders"
            )
    return None


def _closed(lake: Lake, folder: Path, names: Sequence[str]) -> Iterator[Path]:
    """Yield the folders that cannot be listed: this one, and those in it that have one of the names, level by level."""
    try:
        inner = lake.storage.children(folder)
    except PermissionError:
        yield folder
        return
    for entry in inner if names else ():
        if entry.folder and fnmatchcase(entry.path.name, names[0]):
            if not entry.readable:
                yield entry.path
            elif names[1:]:
                yield from _closed(lake, entry.path, names[1:])


def damage_behind(
    lake: Lake, error: duckdb.Error, tables: Iterable[Table], *, day: date | None = None
) -> LakeError | None:
    """Return the error that names the damaged file for which DuckDB failed, None where none is proven to be.

    A file that DuckDB names is read whole, and every file where it names none. For a column that it misses or cannot
    work with, the columns of all files are looked at.
    """
    for table in tables:
        for path in lake.storage.find(glob_of(table, day), within=lake.root.absolute()):  # as DuckDB calls them
            whole = type(error) is duckdb.Error or str(path) in str(error)
            if path.suffix == ".parquet" and (whole or isinstance(error, duckdb.BinderException)):
                try:
                    _check(lake, path, table.file_schema, whole=whole)
                except (OSError, pa.ArrowException, ValueError, KeyError) as problem:
                    return damaged(path, problem)
    return None


def _check(lake: Lake, path: Path, schema: pa.Schema, *, whole: bool) -> None:
    """Raise where a file cannot be read to its end, or has not the columns of `schema`, each of its kind."""
    with lake.storage.source(path) as file:
        if whole:
            pq.read_table(file, page_checksum_verification=True)
        found = pq.read_schema(file)
    for field in schema:
        kind = found.field(field.name).type
        if _kind(kind) != _kind(field.type):
            raise ValueError(f"column {field.name} is {kind}, not {field.type}")


def _kind(of: pa.DataType) -> str:
    """Return what a column's values are, however wide or fine."""
    of = of.value_type if pa.types.is_dictionary(of) else of
    kinds = {"integer": pa.types.is_integer, "text": pa.types.is_large_string, "moment": pa.types.is_timestamp}
    return next((kind for kind, is_one in kinds.items() if is_one(of)), "text" if pa.types.is_string(of) else str(of))
