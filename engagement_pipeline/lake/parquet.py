"""Parquet files of a lake: read, written and checked.

In: a lake, a path in it and the Table of the rows. Out: rows in Arrow, or LakeError that names the file and the fix.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engagement_pipeline.core.days import month_ends
from engagement_pipeline.core.errors import LakeError, raise_not_given
from engagement_pipeline.core.tables import TYPE_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from engagement_pipeline.core.table import Table
    from engagement_pipeline.lake.layout import Lake

OF_OTHER_DAYS = "it holds rows of other days"
LONGEST_PULL = timedelta(days=2)  # from its beginning to its first answer, however long the API is down
UNNAMED = "Could not open Parquet input source '<Buffer>': "  # how Arrow calls a file that was opened for it
AFTERWARDS = {  # what comes of a lake without a file that raw does not hold
    "tweets.parquet": "the roster's Tweets come again with the next pull, those that left it keep their counts alone",
    "set_aside.parquet": "the next pulls ask for its Tweets again, and set aside those that are still not served",
}


def read(lake: Lake, path: Path, table: Table, *, filters: object = None, columns: Sequence[str] = ()) -> pa.Table:
    """Read a file of the lake, or some columns; no rows where there is none, LakeError where it is damaged."""
    schema = pa.schema([table.schema.field(name) for name in columns]) if columns else table.schema
    names = [table.in_file.get(name, name) for name in schema.names]
    try:
        with lake.storage.source(path) as file:
            rows = pq.read_table(file, filters=filters, columns=names, page_checksum_verification=True)
        return plausible(rows.rename_columns(schema.names).cast(schema), path)
    except (FileNotFoundError, NotADirectoryError):
        return schema.empty_table()
    except MemoryError:  # one of Arrow's exceptions too, and no damage
        raise
    except (OSError, pa.ArrowException, ValueError, KeyError) as error:
        raise damaged(path, error) from None


@contextmanager
def opened(lake: Lake, path: Path) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file of the lake, to be read in parts; whatever is damaged in it is a LakeError."""
    try:
        with lake.storage.source(path) as source, pq.ParquetFile(source, page_checksum_verification=True) as file:
            yield file
    except MemoryError:
        raise
    except (OSError, pa.ArrowException, ValueError, KeyError) as error:
        raise damaged(path, error) from None


def write(rows: pa.Table, path: Path, table: Table) -> None:
    """Write all rows of a table's file, staged, with checksums that tell a flipped bit when it is read."""
    pq.write_table(as_in_file(rows, table), path, compression="zstd", write_page_checksum=True)


def as_in_file(rows: pa.Table, table: Table) -> pa.Table:
    """Return a table's rows with its columns as a file holds them."""
    return rows.select(table.schema.names).rename_columns(table.file_schema.names)


def read_row_group(file: pq.ParquetFile, number: int, path: Path, table: Table) -> pa.Table:
    """Return a row group of a table's file; raise where its rows are not plausible."""
    found = file.read_row_group(number, columns=table.file_schema.names)  # in the order of the file
    rows = found.select(table.file_schema.names).rename_columns(table.schema.names)
    return plausible(rows.cast(table.schema), path)


def plausible(rows: pa.Table, path: Path) -> pa.Table:
    """Return rows of a file as they are; raise where they name a type that there is not, or are not of its day."""
    if "engagement_type" in rows.column_names:
        for chunk in rows["engagement_type"].chunks:
            names = chunk.dictionary if pa.types.is_dictionary(chunk.type) else pc.unique(chunk)
            strange = {*names.to_pylist()} - {*TYPE_NAMES}
            if strange:
                raise ValueError(f"column engagement_type holds {min(map(repr, strange))}")
    day = _day_of(path)
    if day and len(rows) and not _of_day(rows, day):
        raise ValueError(OF_OTHER_DAYS)
    return rows


def _of_day(rows: pa.Table, day: date) -> bool:
    """Tell whether rows are of their file's day; what is observed may come later, while its pull goes on."""
    if "day" in rows.column_names and not pc.all(pc.equal(rows["day"], day)).as_py():
        return False
    if "observed_at" not in rows.column_names:
        return True
    first: datetime = pc.min(rows["observed_at"]).as_py()
    return day <= first.date() <= day + LONGEST_PULL


def is_sound(lake: Lake, path: Path, table: Table) -> bool:
    """Tell whether a file, if there is one, can be read to its end and has the columns of its table."""
    try:
        if lake.storage.exists(path):
            with opened(lake, path) as file:
                check_columns(file.schema_arrow, table.file_schema)
                for group in range(file.num_row_groups):
                    read_row_group(file, group, path, table)
    except LakeError:
        return False
    return True


def check_columns(found: pa.Schema, wanted: pa.Schema) -> None:
    """Raise where a file lacks a column or has one of another type, so that a view over it and others would fail.

    It may lack a nullable one, which an older version did not write yet.
    """
    for field in wanted:
        if field.nullable and field.name not in found.names:
            continue
        kind = found.field(field.name).type
        if kind != field.type:
            raise ValueError(f"column {field.name} is {kind}, not {field.type}")


def damaged(path: Path, error: Exception) -> LakeError:
    """Return the error that names a file of the lake, why its reader could not read it, and the fix.

    Raises OSError where the file was not given at all.
    """
    raise_not_given(error, path)
    detail = detail_of(error)
    fix = "put it back from a backup of the lake; without one, give it another name: "
    fix += AFTERWARDS.get(path.name, "the next pull makes a new one")
    day = _day_of(path)
    if path.name == "recent.parquet":
        fix = "engagement rebuild --table recent makes it anew from raw"
    elif day:
        fix = f"engagement rebuild --from {day} --to {day} makes it anew from raw"
    elif path.parent.name == "daily":
        fix = f"{rebuild_of_month(date.fromisoformat(f'{path.stem}-01'))} makes it anew from raw"
    elif path.parent.name.startswith("pulled_on="):
        fix = "engagement rebuild makes it anew from raw"
    return LakeError(f"{path} is damaged ({detail}): {fix}", day=day)


def detail_of(error: Exception) -> str:
    """Return in one line why a file could not be read."""
    text = (isinstance(error, OSError) and error.strerror) or str(error)  # without the system's number
    return (text.removeprefix(UNNAMED).splitlines() or [repr(error)])[0]


def rebuild_of_month(day: date) -> str:
    """Return the command that makes all days of a UTC day's month anew."""
    return f"engagement rebuild --from {day.replace(day=1)} --to {month_ends(day)}"


def _day_of(path: Path) -> date | None:
    """Return the UTC day that a file is of, None where its folder names none."""
    kind, _, day = path.parent.name.partition("=")
    return date.fromisoformat(day) if kind in {"day", "observed_on"} else None
