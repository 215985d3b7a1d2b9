"""DuckDB views over the Parquet of a lake.

In: a lake. Out: engagement.duckdb, a file of views and no data, replaced atomically: a reader that holds the
old one sees new Parquet through its globs, so nobody's lock blocks anybody. `connect` gives the same views in
memory, without opening that file.

    engagements, coverage, tweets, metrics    a view each over the files (typed and empty where there are none)
    marts/*.sql                               one SELECT a mart, named for its file
"""

from __future__ import annotations

import os
import re
from importlib import resources
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from engagement_pipeline.errors import InputError, LakeError
from engagement_pipeline.metrics import METRICS

if TYPE_CHECKING:
    from pathlib import Path

    from engagement_pipeline.lake import Lake

EMPTY = {
    "engagements": "tweet_id bigint, engagement_type varchar, day date, hour utinyint, count bigint",
    "coverage": "tweet_id bigint, day date, asked_at timestamptz, outcome varchar, text varchar, "
    "pulled_at timestamptz, rows integer, source varchar",
    "tweets": "tweet_id bigint, handle varchar, posted_at timestamptz",
}


def quoted(text: str | Path) -> str:
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
        # Left by somebody who wrote into the old file and was killed; the new one would not open with it.
        lake.catalog.with_name(lake.catalog.name + ".wal").unlink(missing_ok=True)
        aside.replace(lake.catalog)
    except (OSError, duckdb.IOException) as error:
        raise LakeError(f"{lake.catalog} cannot be written: {str(error).splitlines()[0]}") from None
    finally:
        aside.unlink(missing_ok=True)
    return lake.catalog


def connect(lake: Lake) -> duckdb.DuckDBPyConnection:
    """Return a connection of one's own with the lake's views, in memory and in UTC."""
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    _create_views(connection, lake)
    return connection


def query(lake: Lake, sql: str) -> pa.Table:
    """Answer one SQL query as Arrow; raises InputError where there is no lake, or with DuckDB's own words."""
    lake.open(create=False)
    with connect(lake) as connection:
        try:
            relation = connection.sql(sql)
            return pa.table({}) if relation is None else relation.to_arrow_table()
        except duckdb.Error as error:
            raise InputError(f"the query failed: {' '.join(str(error).split())}") from None


def _create_views(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    sources = {
        "engagements": ("engagements/*/*.parquet", ", hive_partitioning = true"),
        "coverage": ("coverage/*/*.parquet", ", hive_partitioning = true"),
        "tweets": (lake.tweets.name, ""),
    }
    for name, (pattern, options) in sources.items():
        if any(lake.root.glob(pattern)):
            files = quoted(f"{_literally(lake.root.absolute())}/{pattern}")
            select = f"select * from read_parquet({files}{options})"
        else:  # DuckDB refuses a glob that matches nothing
            columns = ", ".join(f"null::{kind} as {column}" for column, kind in map(str.split, EMPTY[name].split(", ")))
            select = f"select {columns} where false"
        try:
            connection.execute(f"create view {name} as {select}")
        except duckdb.Error as error:
            detail = str(error).splitlines()[0]
            raise LakeError(f"{name} cannot be read ({detail}): move the file away and pull its days again") from None
    values = ", ".join(
        f"({quoted(m.name)}, {[*m.endpoints]}, {quoted(m.meaning)}, {quoted(m.caveat)})" for m in METRICS
    )
    connection.execute(
        f"create view metrics as select * from (values {values}) as m(engagement_type, endpoints, meaning, caveat)"
    )
    for mart in sorted(resources.files("engagement_pipeline").joinpath("marts").iterdir(), key=lambda m: m.name):
        connection.execute(f"create view {mart.name.removesuffix('.sql')} as {mart.read_text(encoding='utf-8')}")
