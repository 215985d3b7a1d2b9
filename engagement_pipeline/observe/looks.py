"""What a file of a table holds, as far as the doctor must know.

In: a lake, and the path of a Parquet file in it. Out: a Look: its rows, the sums of its counts by day, and of coverage
what it says. A quick look reads the end of a file and the columns that must agree, a thorough one all pages.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engagement_pipeline.core.errors import raise_not_given
from engagement_pipeline.core.table import Merge
from engagement_pipeline.core.tables import (
    COVERAGE,
    DAILY,
    ENGAGEMENTS,
    SET_ASIDE,
    TOTALS,
    TWEETS,
    WINDOW_TOTALS,
)
from engagement_pipeline.lake.parquet import OF_OTHER_DAYS, check_columns, detail_of, plausible
from engagement_pipeline.query import files

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from engagement_pipeline.core.table import Table
    from engagement_pipeline.lake.layout import Lake

DAY_IN_FILE = ENGAGEMENTS.in_file["day"]
READ_ALWAYS = {  # columns of these tables, of which the others' pages are read in a thorough look alone
    ENGAGEMENTS: ("count",),
    DAILY: ("day", "count"),
    TOTALS: ("observed_at",),
    WINDOW_TOTALS: ("observed_at",),
    COVERAGE: ("tweet_id", "asked_at", "outcome", "pulled_at", "rows", "source", "answer_count", "kept_count"),
    SET_ASIDE: ("tweet_id",),
    TWEETS: ("tweet_id", "followed"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """What a day's coverage says: the rows in all, the responses that gave them, and of each Tweet what came of it.

    `total` is the sum of their counts, None where that is not known of each Tweet. `pulled_at` is when the newest rows
    were asked for. `outcomes` has tweet_id, asked_at and outcome.
    """

    rows: int
    total: int | None
    pulled_at: datetime | None
    sources: frozenset[str]
    outcomes: pa.Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a file of a table holds; `problem` says why it cannot be read.

    `sums` are by UTC day, `observed_at` is the newest moment of a snapshot.
    """

    path: Path
    table: Table
    problem: str = ""
    rows: int = 0
    sums: dict[date, int] = field(default_factory=dict)
    tweets: frozenset[int] = frozenset()
    observed_at: datetime | None = None
    covered: Covered | None = None


def look_at(lake: Lake, path: Path, table: Table, *, reader: duckdb.DuckDBPyConnection | None) -> Look | None:
    """Look into a file; None where it may not be read.

    With a `reader` the file is read whole, by DuckDB too; without, its end and the columns that are read always.
    """
    names = table.schema.names if reader else READ_ALWAYS.get(table, ())
    in_file = [table.in_file.get(name, name) for name in names]
    sums: Counter[date] = Counter()
    kept = []
    try:
        with lake.storage.source(path) as source, pq.ParquetFile(source, page_checksum_verification=True) as file:
            check_columns(file.schema_arrow, table.file_schema)
            _check_days(file, day_of(path))
            for group in range(file.num_row_groups) if names else ():
                found = file.read_row_group(group, columns=in_file).select(in_file)
                _check_statistics(file, group, found)
                rows = plausible(found.rename_columns(names), path)
                sums.update(_sums(path, table, rows))
                kept += [rows] if table in (COVERAGE, TOTALS, TWEETS, WINDOW_TOTALS) else []
            number = file.metadata.num_rows
        if reader:
            files.read_through(reader.cursor(), lake, path, in_file)
    except (FileNotFoundError, PermissionError):  # gone since, or told by its rights
        return None
    except (MemoryError, duckdb.OutOfMemoryException):  # among the errors below, and no damage
        raise
    except (OSError, pa.ArrowException, duckdb.Error, ArithmeticError, ValueError, KeyError) as error:
        raise_not_given(error, path)
        return Look(path=path, table=table, problem=detail_of(error))
    look = Look(path=path, table=table, rows=number, sums=dict(sums))
    if table is TWEETS:
        return replace(look, tweets=frozenset(t for rows in kept for t in _followed(rows)))
    if table.merge is Merge.SNAPSHOT and kept:
        return replace(look, observed_at=max(pc.max(rows["observed_at"]).as_py() for rows in kept))
    return replace(look, covered=_covered(kept)) if table is COVERAGE else look


def _check_days(file: pq.ParquetFile, day: date | None) -> None:
    """Raise where the statistics of a day's file tell of rows of other days: somebody has renamed a copy's folder."""
    groups = map(file.metadata.row_group, range(file.num_row_groups))
    columns = (group.column(place) for group in groups for place in range(group.num_columns))
    days = (c.statistics for c in columns if c.path_in_schema == DAY_IN_FILE and c.is_stats_set)
    if any({found.min, found.max} != {day} for found in days):
        raise ValueError(OF_OTHER_DAYS)


def _check_statistics(file: pq.ParquetFile, group: int, rows: pa.Table) -> None:
    """Raise where a row group's statistics are not those of its Tweets and days: a filter would leave rows out."""
    about = file.metadata.row_group(group)
    for place in range(about.num_columns):
        column = about.column(place)
        if column.path_in_schema in {"tweet_id", "day", "date"} & {*rows.column_names} and column.is_stats_set:
            true = pc.min_max(rows[column.path_in_schema]).as_py()
            if (column.statistics.min, column.statistics.max) != (true["min"], true["max"]):
                raise ValueError(f"its statistics of {column.path_in_schema} are wrong")


def _sums(path: Path, table: Table, rows: pa.Table) -> dict[date, int]:
    """Return the counts of some rows of ENGAGEMENTS or DAILY, summed by UTC day; nothing of another table."""
    if table is ENGAGEMENTS:
        return {date.fromisoformat(path.parent.name.partition("=")[2]): pc.sum(rows["count"]).as_py() or 0}
    if table is DAILY:
        summed = rows.group_by("day").aggregate([("count", "sum")])
        return dict(zip(summed["day"].to_pylist(), summed["count_sum"].to_pylist(), strict=True))
    return {}


def _followed(rows: pa.Table) -> list[int]:
    found: list[int] = rows.filter(pc.fill_null(rows["followed"], False))["tweet_id"].to_pylist()
    return found


def _covered(parts: list[pa.Table]) -> Covered:
    names = READ_ALWAYS[COVERAGE]
    rows = pa.concat_tables([COVERAGE.schema.empty_table().select(names), *(part.select(names) for part in parts)])
    stored = rows.filter(pc.greater(rows["rows"], 0))
    counts = pc.add(rows["answer_count"], rows["kept_count"])
    known = stored["answer_count"].null_count == 0
    return Covered(
        rows=pc.sum(rows["rows"]).as_py() or 0,
        total=(pc.sum(counts).as_py() or 0) if known else None,
        pulled_at=pc.max(stored["pulled_at"]).as_py(),
        sources=frozenset(pc.unique(rows["source"].drop_null()).to_pylist()),
        outcomes=rows.select(["tweet_id", "asked_at"]).append_column("outcome", rows["outcome"].dictionary_encode()),
    )


def day_of(path: Path) -> date | None:
    """Return the UTC day that a file is of, None where its folder names none."""
    day = path.parent.name.partition("=")[2]
    return date.fromisoformat(day) if day else None
