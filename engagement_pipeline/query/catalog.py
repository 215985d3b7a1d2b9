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
import re
from importlib import resources
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from engagement_pipeline.core.endpoints import ENDPOINTS
from engagement_pipeline.core.errors import InputError, LakeError
from engagement_pipeline.core.metrics import METRICS
from engagement_pipeline.core.tables import REQUESTS, SOURCES, Sources
from engagement_pipeline.lake.parquet import check_columns, damaged

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

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
    where endpoint = 'historical' and first_pulled_at <= moment
        and (first_change is null or first_change.old is not null)
"""


def quoted(text: str | Path | date) -> str:
    """Return a text as an SQL literal."""
    return "'" + str(text).replace("'", "''") + "'"


def _literally(path: Path) -> str:
    """Return a path as a glob that matches just that path."""
    return re.sub(r"([*?\[])", r"[\1]", str(path))


def refresh(lake: Lake) -> Path:
    """Write engagement.duckdb anew beside the old one and put it in its place; return where it is."""
    lake.open()
    aside = lake.catalog.with_name(f".{lake.catalog.name}.{os.getpid()}")
    aside.unlink(missing_ok=True)
    try:
        with duckdb.connect(str(aside)) as connection:
            _create_views(connection, lake)
            connection.execute("checkpoint")  # at closing, a full disk would go unnoticed
        # Left by somebody who wrote into the old file and was killed; the new one would not open with it.
        lake.catalog.with_name(lake.catalog.name + ".wal").unlink(missing_ok=True)
        aside.replace(lake.catalog)
    except (OSError, duckdb.Error) as error:
        raise LakeError(f"{lake.catalog} cannot be written: {str(error).splitlines()[0]}") from None
    finally:
        aside.unlink(missing_ok=True)
        aside.with_name(aside.name + ".wal").unlink(missing_ok=True)
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
            damage = damage_behind(lake, error, SOURCES)
            raise damage or InputError(f"the query failed: {' '.join(str(error).split())}") from None


def damage_behind(lake: Lake, error: duckdb.Error, sources: Sources) -> LakeError | None:
    """Return the error that names the damaged file for which DuckDB failed, None where none is damaged.

    A file that DuckDB names is read whole, and every file where it names none; for a column that it misses or cannot
    work with, the columns of all files are looked at.
    """
    for pattern, schema, _ in sources.values():
        for path in sorted(lake.root.absolute().glob(pattern)):
            whole = type(error) is duckdb.Error or str(path) in str(error)
            if path.suffix == ".parquet" and (whole or isinstance(error, duckdb.BinderException)):
                try:
                    _check(path, schema, whole=whole)
                except (OSError, pa.ArrowException, ValueError, KeyError) as problem:
                    return damaged(path, problem)
    return None


def _check(path: Path, schema: pa.Schema, *, whole: bool) -> None:
    """Raise where a file cannot be read or has other columns than `schema`."""
    if whole:
        pq.read_table(path, partitioning=None).select(schema.names).cast(schema)
    check_columns(pq.read_schema(path), schema)


def _create_views(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    """Create all views; raises LakeError where a damaged file is in the way."""
    try:
        create_file_views(connection, lake, SOURCES)
        _create_further_views(connection)
    except duckdb.Error as error:
        # A view takes its columns from its first file, whichever that is; a mart then lacks some.
        raise damage_behind(lake, error, SOURCES) or error from None


def create_file_views(connection: duckdb.DuckDBPyConnection, lake: Lake, sources: Sources) -> None:
    """Create a view over the files of each source, typed and empty where there are none."""
    for name, (pattern, schema, further) in sources.items():
        files = quoted(f"{_literally(lake.root.absolute())}/{pattern}")
        if not any(lake.root.glob(pattern)):  # DuckDB refuses a glob that matches nothing
            relation = connection.from_arrow(schema.empty_table()) if len(schema) else None
            typed = dict(zip(relation.columns, relation.types, strict=True)) if relation is not None else {}
            columns = ", ".join(f'null::{kind} as "{column}"' for column, kind in {**typed, **further}.items())
            select = f"select {columns} where false"
        elif pattern.endswith(".jsonl"):
            # A line that a power cut left torn is left out.
            select = (
                f"select * from read_json({files}, format = 'newline_delimited', columns = {REQUESTS}, "
                "ignore_errors = true) where asked_at is not null"
            )
        else:
            # Only where the folders' names give a column: after a filter on one that leaves the first file out, DuckDB
            # 2.0 expects no rows at all, and so makes a join's hash table of a month of rows and not of some Tweets.
            select = f"select * from read_parquet({files}, hive_partitioning = {bool(further)})"
        connection.execute(f"create or replace view {name} as {select}")


def _create_further_views(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(f"create view metrics as {_metrics()}")
    for mart in sorted(resources.files("engagement_pipeline.query").joinpath("marts").iterdir(), key=lambda m: m.name):
        connection.execute(f"create view {mart.name.removesuffix('.sql')} as {mart.read_text(encoding='utf-8')}")
    connection.execute(AS_OF)


def _metrics() -> str:
    """Return the metric dictionary as one SELECT, a row a type."""
    rows = []
    for m in METRICS:
        limits = ", ".join(f"{quoted(name)}: {m.oldest_tweet_days.get(name, 'null')}" for name in ENDPOINTS)
        since = f"date {quoted(m.since)}" if m.since else "null"
        facts = (quoted(m.name), [*m.endpoints], m.public, f"{{{limits}}}", since, quoted(m.meaning), quoted(m.caveat))
        rows.append(f"({', '.join(map(str, facts))})")
    columns = "engagement_type, endpoints, public, oldest_tweet_days, since, meaning, caveat"
    return f"select * from (values {', '.join(rows)}) as m({columns})"
