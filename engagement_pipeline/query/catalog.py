"""DuckDB views over the Parquet of a lake.

In: a lake. Out: engagement.duckdb, a file of views and no data, replaced atomically: a reader that holds the
old one sees new Parquet through its globs, so nobody's lock blocks anybody. `connect` gives the same views in
memory, without opening that file.

    engagements, daily, revisions, totals, recent, coverage, set_aside, tweets, requests    a view each over the
                         files, typed and empty where there are none; and metrics, the dictionary
    marts/*.sql          one SELECT a mart, named for its file
    engagements_as_of(moment)    the table as it was published from what had been pulled by then
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from engagement_pipeline.core.endpoints import ENDPOINTS
from engagement_pipeline.core.errors import InputError, LakeError
from engagement_pipeline.core.tables import TABLES
from engagement_pipeline.lake.parquet import check_columns, damaged
from engagement_pipeline.query.views import all_views, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date
    from pathlib import Path

    from engagement_pipeline.core.tables import Column, Table
    from engagement_pipeline.lake.layout import Lake

AS_OF = """
    create macro engagements_as_of(moment) as table
    select tweet_id, engagement_type, day, hour, if(first_change is null, "count", first_change.old) as "count"
    from engagements
    join coverage using (tweet_id, day)
    left join (
        select tweet_id, engagement_type, day, hour, arg_min({'old': old}, new_pulled_at) as first_change
        from revisions
        where new_pulled_at > moment
        group by all
    ) using (tweet_id, engagement_type, day, hour)
    where table_name = 'engagements' and first_pulled_at <= moment
        and (first_change is null or first_change.old is not null)
"""


def refresh(lake: Lake) -> Path:
    """Write engagement.duckdb anew beside the old one and put it in its place; return where it is."""
    lake.open()
    try:
        with lake.storage.staging(lake.root / f".{lake.catalog.name}.staging.{os.getpid()}") as folder:
            staged = folder / lake.catalog.name
            with duckdb.connect(str(staged)) as connection:
                _create_views(connection, lake)
                _comment(connection)
                connection.execute("checkpoint")  # at closing, a full disk would go unnoticed
            # Left by somebody who wrote into the old file and was killed; the new one would not open with it.
            lake.storage.remove(lake.catalog.with_name(lake.catalog.name + ".wal"))
            lake.storage.swap({staged: lake.catalog})
    except (OSError, duckdb.Error) as error:
        raise LakeError(f"{lake.catalog} cannot be written: {str(error).splitlines()[0]}") from None
    return lake.catalog


def connect(lake: Lake) -> duckdb.DuckDBPyConnection:
    """Return a connection of one's own with the lake's views, in memory and in UTC."""
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    try:
        _create_views(connection, lake)
    except duckdb.Error as error:
        raise LakeError(f"the files of {lake.root} cannot be read: {' '.join(str(error).split())}") from None
    return connection


def query(lake: Lake, sql: str) -> pa.Table:
    """Answer one SQL query as Arrow.

    Raises InputError where there is no lake, or with DuckDB's own words where the query cannot be answered;
    LakeError where that is for a damaged file of the lake.
    """
    lake.open(create=False)
    with connect(lake) as connection:
        try:
            relation = connection.sql(sql)
            return pa.table({}) if relation is None else relation.to_arrow_table()
        except duckdb.Error as error:
            damage = damage_behind(lake, error, TABLES.values())
            raise damage or InputError(f"the query failed: {' '.join(str(error).split())}") from None


def damage_behind(
    lake: Lake, error: duckdb.Error, tables: Iterable[Table], *, day: date | None = None
) -> LakeError | None:
    """Return the error that names the damaged file for which DuckDB failed, None where none is damaged.

    A file that DuckDB names is read whole, and every file where it names none; for a column that it misses or cannot
    work with, the columns of all files are looked at.
    """
    for table in tables:
        for path in lake.storage.find(_glob(table, day), within=lake.root.absolute()):  # as DuckDB calls them
            whole = type(error) is duckdb.Error or str(path) in str(error)
            if path.suffix == ".parquet" and (whole or isinstance(error, duckdb.BinderException)):
                try:
                    _check(lake, path, table.schema, whole=whole)
                except (OSError, pa.ArrowException, ValueError, KeyError) as problem:
                    return damaged(path, problem)
    return None


def _check(lake: Lake, path: Path, schema: pa.Schema, *, whole: bool) -> None:
    """Raise where a file cannot be read or has other columns than `schema`."""
    with lake.storage.source(path) as file:
        if whole:
            pq.read_table(file).select(schema.names).cast(schema)
        check_columns(pq.read_schema(file), schema)


def _create_views(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    """Create all views; raises LakeError where a damaged file is in the way."""
    try:
        create_file_views(connection, lake, TABLES.values())
        _create_further_views(connection)
    except duckdb.Error as error:
        # A view takes its columns from its first file, whichever that is; a mart then lacks some.
        raise damage_behind(lake, error, TABLES.values()) or error from None


def create_file_views(
    connection: duckdb.DuckDBPyConnection, lake: Lake, tables: Iterable[Table], *, day: date | None = None
) -> None:
    """Create a view over the files of each table, or of one UTC day alone; typed and empty where there are none."""
    for table in tables:
        pattern = _glob(table, day)
        files = quoted(lake.storage.location(pattern))
        if not lake.storage.holds(pattern):  # DuckDB refuses a glob that matches nothing
            columns = ", ".join(f'null::{kind} as "{name}"' for name, kind in _types(connection, table).items())
            select = f"select {columns} where false"
        elif pattern.endswith(".jsonl"):
            # A line that a power cut left torn is left out.
            select = (
                f"select * from read_json({files}, format = 'newline_delimited', "
                f"columns = {_types(connection, table)}, ignore_errors = true) where asked_at is not null"
            )
        else:
            columns = ", ".join(_selected(column) for column in table.columns) if table.in_folders else "*"
            select = f"select {columns} from read_parquet({files}, {_hive(connection, table)})"
        connection.execute(f"create or replace view {table} as {select}")


def _selected(column: Column) -> str:
    """Return the SQL of a column: that of the files or of their folders' names, or what is derived of them."""
    return _table_name() if column.derived else f'"{column.name}"'


def _hive(connection: duckdb.DuckDBPyConnection, table: Table) -> str:
    """Return the options that read columns from the names of folders, if a table has such."""
    kinds = _types(connection, table)
    in_folders = {column.name: kinds[column.name] for column in table.in_folders}
    return f"hive_partitioning = true, hive_types = {in_folders}" if in_folders else "hive_partitioning = false"


def _table_name() -> str:
    """Return the SQL that tells which table an endpoint's answers fill."""
    cases = (f"when {quoted(endpoint)} then {quoted(endpoint.table)}" for endpoint in ENDPOINTS.values())
    return f"case endpoint {' '.join(cases)} end as table_name"


def _glob(table: Table, day: date | None) -> str:
    return table.glob_of(day) if day else table.glob


def _types(connection: duckdb.DuckDBPyConnection, table: Table) -> dict[str, str]:
    """Return the type of each of a table's columns as DuckDB calls it."""
    relation = connection.from_arrow(pa.schema([column.field for column in table.columns]).empty_table())
    return dict(zip(relation.columns, map(str, relation.types), strict=True))


def _create_further_views(connection: duckdb.DuckDBPyConnection) -> None:
    for view in all_views():
        connection.execute(f"create view {view.name} as {view.sql}")
    connection.execute(AS_OF)


def _comment(connection: duckdb.DuckDBPyConnection) -> None:
    """Say in the catalogue what one row of each view is, and what each of its columns means."""
    for table in TABLES.values():
        meanings = {column.name: column.meaning for column in table.columns}
        _comment_on(connection, table.name, f"One row is {table.grain}. {table.description}", meanings)
    for view in all_views():
        _comment_on(connection, view.name, f"One row is {view.grain}. {view.description}", view.columns)


def _comment_on(connection: duckdb.DuckDBPyConnection, view: str, text: str, meanings: Mapping[str, str]) -> None:
    connection.execute(f"comment on view {view} is {quoted(text.strip())}")
    for column, meaning in meanings.items():
        connection.execute(f'comment on column {view}."{column}" is {quoted(meaning)}')
