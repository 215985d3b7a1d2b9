"""Which hours a Tweet can have counts of: none before the hour in which it was posted.

In: Tweet IDs and hours. Out: what the time in the IDs says of them. Pure. A zero of an earlier hour is not measured,
so it is no row; any other count is one, whatever the ID says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engagement_pipeline.core.model import FIRST_SNOWFLAKE, SNOWFLAKE_EPOCH
from engagement_pipeline.core.tables import EPOCH
from engagement_pipeline.core.tweet_ids import LARGEST

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date

HOURS = 24  # of a day
_MILLISECONDS = 3_600_000  # of an hour
_SNOWFLAKE_EPOCH = round(SNOWFLAKE_EPOCH.timestamp() * 1000)


def first_hour(day: date) -> int:
    """Return the first hour of a UTC day, in hours since 1970."""
    return (day - EPOCH).days * HOURS


def youngest_from(hour: int) -> int:
    """Return the least ID that says that its Tweet was posted after an hour since 1970: such IDs sort by their time."""
    milliseconds = (hour + 1) * _MILLISECONDS - _SNOWFLAKE_EPOCH
    return min(max(milliseconds << 22, FIRST_SNOWFLAKE), LARGEST)


def hour_posted(tweets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the hour since 1970 in which each Tweet was posted; that of the first ID for one without a time in it."""
    return ((tweets >> 22) + _SNOWFLAKE_EPOCH) // _MILLISECONDS


def before_posted(tweets: npt.NDArray[np.int64], hours: npt.NDArray[np.int64] | int) -> npt.NDArray[np.bool_]:
    """Tell which hours since 1970 end before their Tweet was posted; none of a Tweet that has no time in its ID."""
    early: npt.NDArray[np.bool_] = (hour_posted(tweets) > hours) & (tweets >= FIRST_SNOWFLAKE)
    return early


def rows_before_posted(rows: pa.Table) -> npt.NDArray[np.bool_]:
    """Tell which rows are of an hour that ends before their Tweet was posted, of rows with day and hour."""
    hours = rows["day"].cast(pa.int32()).to_numpy().astype(np.int64) * HOURS + rows["hour"].to_numpy()
    return before_posted(rows["tweet_id"].to_numpy(), hours)


def hours_of(rows: pa.Table) -> npt.NDArray[np.int32]:
    """Return the hour of each row with day and hour, in hours since 1970."""
    hours: npt.NDArray[np.int32] = rows["day"].cast(pa.int32()).to_numpy() * np.int32(HOURS) + rows["hour"].to_numpy()
    return hours


def since_posted(rows: pa.Table, tweet_ids: Collection[int], *, first: int) -> tuple[pa.Table, int]:
    """Drop the zeros of hours before their Tweet was posted; return with how many other counts such hours have.

    `rows` are sorted by Tweet. No row is looked at unless a Tweet was posted since `first`, an hour since 1970.
    """
    young = np.array(sorted(tweet for tweet in tweet_ids if tweet >= youngest_from(first)), np.int64)
    if not len(young):
        return rows, 0
    begins, ends = (np.searchsorted(rows["tweet_id"].to_numpy(), young, side).tolist() for side in ("left", "right"))
    hours, zero = hours_of(rows), rows["count"].to_numpy() == 0
    kept, number = np.ones(len(rows), np.bool_), 0
    for begin, end, posted in zip(begins, ends, hour_posted(young).tolist(), strict=True):
        early = hours[begin:end] < posted
        kept[begin:end] = ~(early & zero[begin:end])
        number += int(np.count_nonzero(early & kept[begin:end]))
    return rows.filter(pa.array(kept)), number
