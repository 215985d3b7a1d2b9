"""Counts that a newer answer changed: what was there, what is there now, and when each was pulled.

In: what merging a day's rows revised. Out: revisions/pulled_on=…/PULL.parquet, one file a pull that changed any. A
count that a later answer adds to a Tweet's day, which had rows before, is one too: its `old` is null. The first
answer for a Tweet's day revises nothing.

Files are only ever added. A file holds what its pull has changed since it began. So a publication that is made again
after an interruption adds to the file what is not in it yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from engagement_pipeline.core.rows import TIMESTAMP
from engagement_pipeline.core.tables import REVISIONS
from engagement_pipeline.lake.parquet import read, write
from engagement_pipeline.publish.day_file import RowGroupWriter
from engagement_pipeline.publish.merge import NEVER, Revised, to_table

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from engagement_pipeline.lake.layout import Lake

KNOWN_FIRST = """
    select * from known
    union all
    select * from (from found anti join known using (tweet_id, engagement_type, day, hour))
    order by tweet_id, engagement_type, day, hour
"""


class Writer:
    """The revisions of one pull, staged as they are found."""

    def __init__(self, lake: Lake, staged: Path) -> None:
        self._lake = lake
        self._staged = staged
        self._sink: RowGroupWriter | None = None

    def append(
        self, revised: Revised, day: date, *, old_pulled_at: npt.NDArray[np.int64], new_pulled_at: npt.NDArray[np.int64]
    ) -> None:
        """Append what was revised of a day; the times are in microseconds since 1970, NEVER for none."""
        if not len(revised.old):
            return
        self._sink = self._sink or RowGroupWriter(self._staged, REVISIONS)
        table = to_table(revised.rows, day).rename_columns({"count": "new"})
        table = table.add_column(4, REVISIONS.schema.field("old"), pa.array(revised.old, mask=~revised.known))
        for name, times in (("old_pulled_at", old_pulled_at), ("new_pulled_at", new_pulled_at)):
            table = table.append_column(
                REVISIONS.schema.field(name), pa.array(times, mask=times == NEVER).cast(TIMESTAMP)
            )
        self._sink.append(table)

    def close(self) -> None:
        """Give the file back."""
        if self._sink:
            self._sink.close()

    def finish(self, target: Path) -> dict[Path, Path]:
        """Return what to rename to `target`, together with what is known there already."""
        self.close()
        if not self._sink:
            return {}
        if self._lake.storage.exists(target):
            both = joined(*(read(self._lake, path, REVISIONS) for path in (target, self._staged)))
            write(both, self._staged, REVISIONS)
        return {self._staged: target}


def joined(known: pa.Table, found: pa.Table) -> pa.Table:
    """Return the revisions of one pull that are known, and those found that are not."""
    with duckdb.connect() as connection:
        connection.register("known", known)
        connection.register("found", found)
        return connection.sql(KNOWN_FIRST).to_arrow_table().cast(REVISIONS.schema)
