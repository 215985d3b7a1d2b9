"""Tables of which a Tweet's later answer replaces its earlier one whole: of /totals, /28hr and /analytics_totals.

In: what is pending. Out: staged, the one file of the pull's day. Its rows say when they were observed.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engagement_pipeline.core.measured import rows_before_posted
from engagement_pipeline.core.rows import TIMESTAMP
from engagement_pipeline.core.tables import OBSERVED_AT
from engagement_pipeline.lake.parquet import opened as opened_file
from engagement_pipeline.lake.parquet import read
from engagement_pipeline.publish.day_file import RowGroupWriter
from engagement_pipeline.publish.merge import in_order
from engagement_pipeline.publish.newest import Opened, Reader, between, of_tweets, reasons_of
from engagement_pipeline.publish.staging import Staged

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from engagement_pipeline.core.model import Flat, NotServed, Progress
    from engagement_pipeline.core.table import Table
    from engagement_pipeline.lake.layout import Lake
    from engagement_pipeline.publish.merge import Ints
    from engagement_pipeline.publish.newest import Part
    from engagement_pipeline.publish.pending import Chunk, Pending


def stage(lake: Lake, pending: Pending, *, progress: Progress) -> Staged:
    """Stage the file with the newer answers; of the published rows, those that are older than the period go."""
    endpoint = pending.pull.endpoint
    behind = pending.pull.started_at - endpoint.period if endpoint.period else None
    table, into = endpoint.table, lake.staging / "rows.parquet"
    target = lake.rows(table, pending.days[0])
    stored = np.zeros(pending.later.shape, np.int32)
    not_served: dict[int, NotServed] = {}
    early = 0
    if not pending.places:
        return Staged(files={}, stored=stored, not_served=not_served)
    later = pa.array(pending.tweets[pending.later[:, 0]])
    with (
        closing(Reader(pending.pull.storage, pending.answers.in_order(), lake.notes)) as reader,
        closing(RowGroupWriter(into, table)) as sink,
    ):
        opened = Opened(pending.answers, reader.read)
        for chunk in pending.chunks([_tweets(lake, target)]):
            parts, _ = opened.parts(chunk.low, chunk.high)
            observed = (_observed(part, chunk) for part in parts)
            fresh = of_tweets(pa.concat_tables([table.schema.empty_table(), *observed]), later)
            kept = _kept(_published(lake, target, table, chunk), fresh, behind)
            sink.append(in_order(pa.concat_tables([kept, fresh])))
            early += _early(fresh)
            counted = fresh["tweet_id"].value_counts()
            stored[pending.at(counted.field("values").to_numpy()), 0] = counted.field("counts").to_numpy()
            for part in parts:
                not_served |= reasons_of(part.tweets, part.opened.not_served)
            progress(chunk.places.stop, len(pending.tweets))
    files, written = ({into: target}, (pending.days[0],)) if stored.any() else ({}, ())
    return Staged(files=files, stored=stored, not_served=not_served, days_written=written, early=early)


def _early(rows: pa.Table) -> int:
    """Count the rows of hours before their Tweet was posted; none where rows have no hour."""
    return int(np.count_nonzero(rows_before_posted(rows))) if "hour" in rows.column_names else 0


def _observed(part: Part[Flat], chunk: Chunk) -> pa.Table:
    """Return the rows of the Tweets of which a response is the newest answer, each with when it was asked for."""
    rows = between(part.opened.rows, chunk.low, chunk.high)
    if not part.whole:
        rows = of_tweets(rows, pa.array(part.tweets))
    return rows.append_column(OBSERVED_AT.field, pa.repeat(pa.scalar(part.landed.asked_at, TIMESTAMP), len(rows)))


def _tweets(lake: Lake, published: Path) -> Ints:
    """Return the Tweets that have rows in a file."""
    if not lake.storage.exists(published):
        return np.empty(0, np.int64)
    with opened_file(lake, published) as file:
        groups = (file.read_row_group(group, columns=["tweet_id"]) for group in range(file.num_row_groups))
        return np.concatenate([np.empty(0, np.int64), *(np.unique(rows["tweet_id"]) for rows in groups)])


def _published(lake: Lake, path: Path, table: Table, chunk: Chunk) -> pa.Table:
    in_range = (pc.field("tweet_id") > chunk.low) & (pc.field("tweet_id") <= chunk.high)
    return read(lake, path, table, filters=in_range)


def _kept(published: pa.Table, fresh: pa.Table, behind: datetime | None) -> pa.Table:
    """Return the published rows that stay."""
    stay = pc.invert(pc.is_in(published["tweet_id"], fresh["tweet_id"]))
    if behind:
        stay = pc.and_(stay, pc.greater(published["observed_at"], pa.scalar(behind, TIMESTAMP)))
    return published.filter(stay)
