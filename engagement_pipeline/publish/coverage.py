"""What was asked for and what came of it: the coverage of a day, as a publication reads and changes it.

In: a day's published coverage, and what a pull says of each Tweet. Out: the coverage as it is to become.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from engagement_pipeline.core.tables import COVERAGE, TIMESTAMP
from engagement_pipeline.lake.parquet import read
from engagement_pipeline.publish.merge import NEVER

if TYPE_CHECKING:
    from datetime import date

    from engagement_pipeline.core.endpoints import Endpoint
    from engagement_pipeline.lake.layout import Lake

Ints = npt.NDArray[np.int64]


class Index(NamedTuple):
    """What the coverage of a day knows of each Tweet, sorted by Tweet; times in microseconds, NEVER for none."""

    tweets: Ints
    asked_at: Ints
    pulled_at: Ints

    @classmethod
    def of(cls, lake: Lake, endpoint: Endpoint, day: date) -> Index:
        """Read it from a day's coverage."""
        table = read(lake.coverage(endpoint, day), COVERAGE.schema, columns=["tweet_id", "asked_at", "pulled_at"])
        return cls(table["tweet_id"].to_numpy(), microseconds(table["asked_at"]), microseconds(table["pulled_at"]))

    def of_tweets(self, wanted: Ints) -> Index:
        """Return what is known of some Tweets, NEVER of those that are not there."""
        place = np.searchsorted(self.tweets, wanted)
        found = place < len(self.tweets)
        found[found] = self.tweets[place[found]] == wanted[found]
        times = [np.full(len(wanted), NEVER), np.full(len(wanted), NEVER)]
        for here, there in zip(times, (self.asked_at, self.pulled_at), strict=True):
            here[found] = there[place[found]]
        return Index(wanted, *times)


def merged_coverage(old: pa.Table, new: pa.Table) -> pa.Table:
    """Return what is known of a day's Tweets with what a pull says of them.

    What a later request says replaces what an earlier one said; stored rows stay until later rows come.
    """
    tweets = pa.array(np.union1d(old["tweet_id"].to_numpy(), new["tweet_id"].to_numpy()))
    old, new = (table.take(pc.index_in(tweets, table["tweet_id"])) for table in (old, new))  # null where it has none
    later, stores = (_at_least(new[name], old[name]) for name in ("asked_at", "pulled_at"))
    first = new["pulled_at"], old["first_pulled_at"]
    columns = {
        "tweet_id": tweets,
        "day": pc.coalesce(new["day"], old["day"]),
        **{name: pc.if_else(later, new[name], old[name]) for name in ("asked_at", "outcome", "text")},
        "first_pulled_at": pc.min_element_wise(*(times.cast(pa.int64()) for times in first)).cast(TIMESTAMP),
        "pulled_at": pc.if_else(stores, new["pulled_at"], old["pulled_at"]),
        "rows": pc.if_else(stores, new["rows"], old["rows"].fill_null(0)),
        "source": pc.if_else(stores, new["source"], old["source"]),
    }
    return pa.table(columns, schema=COVERAGE.schema)


def _at_least(some: pa.ChunkedArray, others: pa.ChunkedArray) -> pa.ChunkedArray:
    """Tell where times are not before others; any is after none."""
    return pc.coalesce(pc.greater_equal(some, others), pc.is_valid(some))


def microseconds(times: pa.Array | pa.ChunkedArray) -> Ints:
    """Return times as int64 microseconds since 1970, NEVER for null."""
    microseconds: Ints = times.cast(pa.int64()).fill_null(NEVER).to_numpy()
    return microseconds
