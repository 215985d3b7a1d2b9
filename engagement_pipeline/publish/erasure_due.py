"""Deleted Tweets that are forgotten by themselves, if the setting forget_deleted_days says after how many days.

In: the outer lake, the days and the time. Out: the Tweets that have been unavailable for so long, gone.

The clock of a Tweet starts with the first request that called it unavailable after the last one that gave counts. The
view `missing` shows that moment as `since`. Where there are two sources, a request to either counts. A pull that goes
on is not waited for: the next publication sees to it.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from engagement_pipeline.core.erased import nothing_beside
from engagement_pipeline.core.tables import COVERAGE, UNAVAILABLE
from engagement_pipeline.lake import set_aside
from engagement_pipeline.lake.layout import PULL_LOCK
from engagement_pipeline.lake.parquet import read
from engagement_pipeline.publish import erasure

if TYPE_CHECKING:
    from datetime import datetime

    from engagement_pipeline.core.erased import Beside
    from engagement_pipeline.lake.layout import Lake

logger = logging.getLogger(__name__)
COLUMNS = ("tweet_id", "asked_at", "outcome", "pulled_at")
SINCE = f"""
    with served as (select tweet_id, max(pulled_at) as served_at from words group by tweet_id)
    select tweet_id
    from words join served using (tweet_id)
    where outcome = '{UNAVAILABLE}' and (asked_at > served_at or served_at is null)
    group by tweet_id
    having min(asked_at) <= $before
    order by tweet_id
"""


def due(home: Lake, *, days: int, now: datetime) -> list[int]:
    """Return the Tweets that have been unavailable for so many days, sorted; LakeError where a file is damaged."""
    lakes = home.of_tweets
    gone = set[int]().union(*map(set_aside.unavailable, lakes))
    if not gone:
        return []
    wanted = pc.field("tweet_id").isin([*gone])
    words = [
        read(lake, path, COVERAGE, columns=COLUMNS, filters=wanted)
        for lake in lakes
        for path in lake.storage.find(COVERAGE.glob)
    ]
    with duckdb.connect() as connection:
        connection.register("words", pa.concat_tables([COVERAGE.schema.empty_table().select(COLUMNS), *words]))
        found = connection.execute(SINCE, {"before": now - timedelta(days=days)}).fetchall()
    return [tweet_id for (tweet_id,) in found]


def forget(home: Lake, *, days: int, now: datetime, beside: Beside = nothing_beside) -> None:
    """Forget the Tweets that are due, unless a pull goes on; tell how many. `beside` is as erasure.forget has it."""
    tweets = [] if home.storage.busy(PULL_LOCK) else due(home, days=days, now=now)
    if tweets:
        receipt = erasure.forget(home, tweets, now=now, beside=beside)
        logger.warning(
            "%d Tweets that have been unavailable for %d days are forgotten: %d files are changed; %s has the receipt",
            len(tweets),
            days,
            len(receipt.changes),
            receipt.path,
        )
