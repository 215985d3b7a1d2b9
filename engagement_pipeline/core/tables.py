"""The tables: the schema of each, and where its files lie in a lake.

In: nothing. Out: Arrow schemas, and the views' sources. Every room that reads or writes rows asks here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING

import pyarrow as pa

from engagement_pipeline.core.endpoints import HISTORICAL, RECENT, TOTALS
from engagement_pipeline.core.metrics import METRICS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Sources = Mapping[str, tuple[str, pa.Schema, Mapping[str, str]]]
TYPE_NAMES = tuple(sorted(metric.name for metric in METRICS))  # the dictionary of engagement_type
ENGAGEMENTS = pa.schema(
    [
        pa.field("tweet_id", pa.int64(), nullable=False),
        pa.field("engagement_type", pa.dictionary(pa.int8(), pa.string()), nullable=False),
        pa.field("day", pa.date32(), nullable=False),
        pa.field("hour", pa.uint8(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
    ]
)
PARTIAL = pa.field("partial", pa.bool_(), nullable=False)  # only a part of the hour was asked for
LIFETIME = pa.schema([ENGAGEMENTS.field(name) for name in ("tweet_id", "engagement_type", "count")])
EPOCH = date(1970, 1, 1)
TIMESTAMP = pa.timestamp("us", "UTC")
STORED = "stored"
COVERAGE = pa.schema(
    [
        pa.field("tweet_id", pa.int64(), nullable=False),
        pa.field("day", pa.date32(), nullable=False),
        pa.field("asked_at", TIMESTAMP, nullable=False),  # the newest request that named the Tweet
        pa.field("outcome", pa.string(), nullable=False),  # of that request: stored, or why not
        pa.field("text", pa.string()),  # the API's own words for a refusal
        pa.field("first_pulled_at", TIMESTAMP),  # the first request that gave rows of the Tweet's day
        pa.field("pulled_at", TIMESTAMP),  # the request that gave the stored rows; null: there are none
        pa.field("rows", pa.int32(), nullable=False),  # stored rows
        pa.field("source", pa.string()),  # the raw response that holds them, relative to the lake
    ]
)
DAILY = pa.schema([ENGAGEMENTS.field(name) for name in ("tweet_id", "engagement_type", "day", "count")])
OBSERVED_AT = pa.field("observed_at", TIMESTAMP, nullable=False)  # when the answer was asked for
TABLES = {  # what each endpoint fills
    HISTORICAL: ENGAGEMENTS,
    TOTALS: LIFETIME.append(OBSERVED_AT),
    RECENT: ENGAGEMENTS.append(PARTIAL).append(OBSERVED_AT),
}
KEY = [ENGAGEMENTS.field(name) for name in ("tweet_id", "engagement_type", "day", "hour")]
REVISIONS = pa.schema(
    [
        *KEY,
        pa.field("old", pa.int64()),  # null: the API had given other counts of the Tweet's day, and not this one
        pa.field("new", pa.int64(), nullable=False),
        pa.field("old_pulled_at", TIMESTAMP),  # when the Tweet's day was pulled before
        pa.field("new_pulled_at", TIMESTAMP, nullable=False),
    ]
)
SET_ASIDE = pa.schema(
    [
        pa.field("tweet_id", pa.int64(), nullable=False),
        pa.field("handle", pa.string(), nullable=False),  # whose tokens asked; empty for the bearer token
        pa.field("endpoint", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("text", pa.string()),  # the API's own words, where it refused the request
        pa.field("asked_at", TIMESTAMP, nullable=False),
        pa.field("tokens", pa.string(), nullable=False),  # the fingerprint of those that it was refused to
    ]
)
TWEETS = pa.schema(
    [("tweet_id", pa.int64()), ("handle", pa.string()), ("posted_at", TIMESTAMP), ("followed", pa.bool_())]
)
REQUESTS = {  # of request_log.py
    "asked_at": "timestamptz",
    "endpoint": "varchar",
    "handle": "varchar",
    "tweet_ids": "bigint[]",
    "first_day": "date",
    "last_day": "date",
    "status": "integer",
    "tries": "integer",
    "bytes": "bigint",
    "seconds": "double",
}
SOURCES: Sources = {  # view: its files, their columns, and those that come from the names of folders
    "engagements": ("engagements/day=*/*.parquet", TABLES[HISTORICAL], {}),
    "daily": ("daily/*.parquet", DAILY, {}),
    "revisions": ("revisions/*/*.parquet", REVISIONS, {"pulled_on": "date"}),
    "totals": ("totals/*/*.parquet", TABLES[TOTALS], {"observed_on": "date"}),
    "recent": ("recent.parquet", TABLES[RECENT], {}),
    "coverage": ("coverage/*/day=*/*.parquet", COVERAGE, {"endpoint": "varchar"}),
    "set_aside": ("set_aside.parquet", SET_ASIDE, {}),
    "tweets": ("tweets.parquet", TWEETS, {}),
    "requests": ("requests/*.jsonl", pa.schema([]), REQUESTS),
}
OF_A_DAY = ("engagements", "daily", "coverage", "set_aside", "tweets")


def engagements_table(
    tweets: npt.NDArray[np.int64],
    types: npt.NDArray[np.int8],
    days: npt.NDArray[np.int32],
    hours: npt.NDArray[np.uint8],
    counts: npt.NDArray[np.int64],
) -> pa.Table:
    """Return columns of one length as a table with ENGAGEMENTS; `types` are places in TYPE_NAMES, `days` since 1970."""
    arrays = [
        pa.array(tweets),
        type_column(types),
        pa.array(days).view(pa.date32()),
        pa.array(hours),
        pa.array(counts),
    ]
    return pa.Table.from_arrays(arrays, schema=ENGAGEMENTS)


def type_column(codes: npt.NDArray[np.int8]) -> pa.DictionaryArray:
    """Return places in TYPE_NAMES as the column engagement_type."""
    return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(TYPE_NAMES))
