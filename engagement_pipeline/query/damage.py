"""Which file of the lake is damaged, where DuckDB cannot answer over it: what a query that can be answered never asks.

In: a lake, DuckDB's error, the tables. Out: LakeError for a file that is proven damaged, or that was not given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from engagement_pipeline.core.errors import LakeError, refused_by_system
from engagement_pipeline.lake.parquet import damaged
from engagement_pipeline.query.files import glob_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date
    from pathlib import Path

    from engagement_pipeline.core.table import Table
    from engagement_pipeline.lake.layout import Lake


def damage_behind(
    lake: Lake, error: duckdb.Error, tables: Iterable[Table], *, day: date | None = None
) -> LakeError | None:
    """Return the error that names the file for which DuckDB failed, None where none is proven to be damaged.

    A file that DuckDB names is read whole, and every file where it names none. For a column that it misses or cannot
    work with, the columns of all files are looked at.
    """
    for table in tables:
        for path in lake.storage.find(glob_of(table, day), within=lake.root.absolute()):  # as DuckDB calls them
            whole = type(error) is duckdb.Error or str(path) in str(error)
            if path.suffix == ".parquet" and (whole or isinstance(error, duckdb.BinderException)):
                try:
                    _check(lake, path, table.file_schema, whole=whole)
                except MemoryError:  # one of Arrow's exceptions too, and no damage
                    return None
                except (OSError, pa.ArrowException, ValueError, KeyError) as problem:
                    return _told(path, problem)
    return None


def _told(path: Path, problem: Exception) -> LakeError:
    """Return what is wrong with a file; a query has no answer either way, so one that was not given is told as well."""
    try:
        return damaged(path, problem)
    except OSError as error:
        return LakeError(refused_by_system(error))


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
