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

if TYPE_CHECKING:
    from datetime import date

HOURS = 24  # of a day
_MILLISECONDS = 3_600_000  # of an hour
_SNOWFLAKE_EPOCH = round(SNOWFLAKE_EPOCH.timestamp() * 1000)


def first_hour(day: date) -> np.int64:
    """Return the first hour of a UTC day, in hours since 1970, to which hours of 8 bits can be added."""
    return np.int64((day - EPOCH).days * HOURS)


def before_posted(tweets: npt.NDArray[np.int64], hours: npt.NDArray[np.int64] | np.int64) -> npt.NDArray[np.bool_]:
    """Tell which hours since 1970 end before their Tweet was posted; none of a Tweet that has no time in its ID."""
    posted = ((tweets >> 22) + _SNOWFLAKE_EPOCH) // _MILLISECONDS
    early: npt.NDArray[np.bool_] = (posted > hours) & (tweets >= FIRST_SNOWFLAKE)
    return early


def rows_before_posted(rows: pa.Table) -> npt.NDArray[np.bool_]:
    """Tell which rows are of an hour that ends before their Tweet was posted, of rows with day and hour."""
    hours = rows["day"].cast(pa.int32()).to_numpy().astype(np.int64) * HOURS + rows["hour"].to_numpy()
    return before_posted(rows["tweet_id"].to_numpy(), hours)
