"""One day's file: read once by Tweet, merged with newer rows, staged where that changes it.

In: a day's published file, and newer rows in order of their Tweets. Out: a StagedDay. In memory are a few row groups.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engagement_pipeline.core.tables import ENGAGEMENTS
from engagement_pipeline.lake.layout import FORMAT, Lake
from engagement_pipeline.lake.parquet import as_in_file, damaged, opened, read_row_group
from engagement_pipeline.publish.day_sums import SumsWriter
from engagement_pipeline.publish.merge import NEVER, Revised, Rows, daily_sums, merged, of_table, to_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path

    from engagement_pipeline.core.table import Table

MADE_BY = "engagement_pipeline"  # the key of a file's metadata that says what it holds
ROW_GROUP = 100_000  # rows; of 28 days, two megabytes a day in memory, and small enough to find one Tweet by


def made_by(newest_pull: str | None) -> str:
    """Return what the metadata of a day's file say: its format, and the newest pull of which it holds rows."""
    return json.dumps({"format": FORMAT, "newest_pull": newest_pull})


class RowGroupWriter:
    """A table's file that is written in row groups of some size or a little more, whatever is appended at a time.

    `made_by` is what its metadata say of it.
    """

    def __init__(self, path: Path, table: Table, *, made_by: str = "") -> None:
        self._table = table
        self._writer = pq.ParquetWriter(
            path,
            table.file_schema.with_metadata({MADE_BY: made_by} if made_by else None),
            compression="zstd",
            write_page_checksum=True,
            # Row groups are found by these two; statistics of the others take a quarter of the time to write.
            write_statistics=[
                table.in_file.get(name, name) for name in ("tweet_id", "day") if name in table.schema.names
            ],
            use_dictionary=[
                name for name in table.file_schema.names if name != "hour"
            ],  # 0 to 23 over and over is small
        )
        self._waiting: list[pa.Table] = []
        self._rows = 0

    def append(self, table: pa.Table) -> None:
        """Append rows, which are on the disk once the sink is closed."""
        self._waiting.append(table)
        self._rows += len(table)
        if self._rows >= ROW_GROUP:
            self._flush()

    def close(self) -> None:
        """Write what waits, and the end of the file."""
        try:
            if self._rows:
                self._flush()
        finally:
            self._writer.close()

    def _flush(self) -> None:
        table, rows = as_in_file(pa.concat_tables(self._waiting), self._table), self._rows
        self._waiting, self._rows = [], 0
        groups = max(1, rows // ROW_GROUP)
        self._writer.write_table(table, row_group_size=-(-rows // groups))


class SortedReader:
    """A file sorted by Tweet, as it is, read once from its first Tweet to its last; no rows where there is none."""

    def __init__(self, lake: Lake, path: Path, table: Table = ENGAGEMENTS) -> None:
        self.path = path
        self._table = table
        self._row_group = 0
        self._waiting = table.schema.empty_table()
        self._open = ExitStack()
        self._file: pq.ParquetFile | None = None
        if lake.storage.exists(path):
            self._file = self._open.enter_context(opened(lake, path))

    def up_to(self, tweet: int) -> pa.Table:
        """Return the rows that were not returned yet, up to a Tweet and with it."""
        parts = [self._waiting]
        while self._file and self._row_group < self._file.num_row_groups and _reaches(parts[-1], tweet):
            parts.append(self._next_row_group(self._file))
        rows = pa.concat_tables(parts)
        end = int(np.searchsorted(rows["tweet_id"].to_numpy(), tweet, "right"))
        self._waiting = rows.slice(end)
        return rows.slice(0, end)

    @property
    def newest_pull(self) -> str | None:
        """The pull that the file names as the newest of which it holds rows."""
        metadata = (self._file.metadata.metadata or {}) if self._file else {}
        pull: str | None = json.loads(metadata.get(MADE_BY.encode(), b"{}")).get("newest_pull")
        return pull

    def row_group_ends(self, tweet: int) -> Iterator[int]:
        """Yield the Tweets with which row groups end, as far as this one, so that `up_to` takes one at a time."""
        for group in range(self._file.num_row_groups) if self._file else ():
            ids = self._file.metadata.row_group(group).column(0)  # type: ignore[union-attr]
            if (ids.path_in_schema, ids.physical_type, ids.is_stats_set) != ("tweet_id", "INT64", True):
                raise damaged(self.path, ValueError("its row groups do not say which Tweets they hold"))
            if ids.statistics.max >= tweet:
                break
            yield ids.statistics.max
        yield tweet

    def close(self) -> None:
        """Give the file back."""
        self._open.close()

    def _next_row_group(self, file: pq.ParquetFile) -> pa.Table:
        try:
            rows = read_row_group(file, self._row_group, self.path, self._table)
        except MemoryError:  # one of Arrow's exceptions too, and no damage
            raise
        except (OSError, pa.ArrowException, ValueError, KeyError) as error:
            raise damaged(self.path, error) from None
        self._row_group += 1
        return rows


def _reaches(rows: pa.Table, tweet: int) -> bool:
    """Tell whether more rows of Tweets up to this one may follow."""
    return len(rows) == 0 or rows["tweet_id"][-1].as_py() <= tweet


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedDay:
    """One day, staged: what to rename, and whether newer rows changed it.

    `sums` is where its daily sums lie, for daily.write_months; None where it is not written. Of the published file,
    `old_rows` and `old_total` are the number and the sum of its rows, and `old_pull` is the newest pull that it names.
    """

    day: date
    files: dict[Path, Path]
    sums: Path | None
    changed: bool
    old_rows: int
    old_total: int
    old_pull: str | None


class DayFile:
    """One day on its way from what is published to what it is to become.

    It is written where newer rows change it, and with `anew` in any case; the file names `newest_pull`, else that which
    the published one names. `published` is the day's file, unless another is to be read instead. `aside` is the folder
    in which it is staged, by default the lake's.
    """

    def __init__(
        self,
        lake: Lake,
        day: date,
        *,
        newest_pull: str = "",
        published: Path | None = None,
        anew: bool = False,
        aside: Path | None = None,
    ) -> None:
        self._lake = lake
        self._day = day
        aside = aside or lake.staging
        self._rows, self._sums = aside / f"{day}.rows.parquet", aside / f"{day}.daily.arrow"
        self._changed = False
        self._target = lake.rows(ENGAGEMENTS, day)
        self._published = SortedReader(lake, published or self._target)
        self._newest_pull = newest_pull
        self._unchanged_to = NEVER
        self._old_rows = self._old_total = 0
        self._sinks: tuple[RowGroupWriter, SumsWriter] | None = None
        if anew and lake.storage.exists(self._target):
            self._sinks = self._begun()

    def take(self, tweet: int, new: Rows) -> tuple[Rows, Revised]:
        """Merge the newer rows of Tweets up to this one and with it; return the rows as they are to become."""
        old = of_table(self._published.up_to(tweet))
        self._old_rows += len(old.counts)
        self._old_total += int(old.counts.sum())
        if not len(new.tweets):
            rows, revised = old, Revised(new, new.counts, np.empty(0, np.bool_))
        elif not len(old.tweets):
            rows, revised = new, Revised(old, old.counts, np.empty(0, np.bool_))
        else:
            rows, revised = merged(old, new)
        if len(rows.tweets) > len(old.tweets) or len(revised.old):
            self._changed = True
            self._sinks = self._sinks or self._begun()
        if self._sinks:
            self._write(rows)
        else:
            self._unchanged_to = tweet
        return rows, revised

    def finish(self) -> StagedDay:
        """Write the end of the files, and return what is staged."""
        old_pull = self._published.newest_pull
        self.close()
        return StagedDay(
            day=self._day,
            files={self._rows: self._target} if self._sinks else {},
            sums=self._sums if self._sinks else None,
            changed=self._changed,
            old_rows=self._old_rows,
            old_total=self._old_total,
            old_pull=old_pull,
        )

    def close(self) -> None:
        """Give all files back."""
        with ExitStack() as stack:
            for file in (self._published, *(self._sinks or ())):
                stack.callback(file.close)

    def _begun(self) -> tuple[RowGroupWriter, SumsWriter]:
        """Begin to write, with the rows that were passed over because nothing was new of them."""
        self._sinks = (
            RowGroupWriter(self._rows, ENGAGEMENTS, made_by=made_by(self._newest_pull or self._published.newest_pull)),
            SumsWriter(self._sums),
        )
        if self._unchanged_to > NEVER:
            again = SortedReader(self._lake, self._target)
            for tweet in again.row_group_ends(self._unchanged_to):
                self._write(of_table(again.up_to(tweet)))
            again.close()
        return self._sinks

    def _write(self, rows: Rows) -> None:
        if self._sinks and len(rows.tweets):
            table = to_table(rows, self._day)
            self._sinks[0].append(table)
            self._sinks[1].append(daily_sums(rows, table))
