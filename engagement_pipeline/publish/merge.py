"""The rows of one day of /historical: merged with newer ones, and written where that changes them.

In: a day's published file, and newer rows in order of their Tweets. Out: the file as it is to become, staged, with
its daily sums beside it; what was revised; or nothing, where the newer rows say what was there.

    published file ─> Rows ─┐
    newer answers ──> Rows ─┴─> merged ─> rows and daily sums ─> what to rename
                                      └─> Revised ─> revisions.py

A count is replaced by a later one for the same Tweet, type and hour, and by nothing else, so what a later answer
does not hold stays. Files are read and written by row groups; in memory are a few of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engagement_pipeline.core.rows import engagements_table
from engagement_pipeline.core.tables import DAILY, EPOCH, TYPE_NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

Ints = npt.NDArray[np.int64]
NEVER, LAST_ID = np.iinfo(np.int64).min, np.iinfo(np.int64).max  # before every Tweet's ID, and behind
HOURS = 24


class Rows(NamedTuple):
    """Rows of one day as arrays of one length, sorted by Tweet, type and hour; `types` are places in TYPE_NAMES."""

    tweets: Ints
    types: npt.NDArray[np.int8]
    hours: npt.NDArray[np.uint8]
    counts: Ints

    @classmethod
    def none(cls) -> Self:
        """Return no rows."""
        return cls(np.empty(0, np.int64), np.empty(0, np.int8), np.empty(0, np.uint8), np.empty(0, np.int64))

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Return the rows of all parts, one after another."""
        return cls(*(np.concatenate(columns) for columns in zip(cls.none(), *parts, strict=True)))

    def by_tweet(self) -> tuple[Ints, Ints]:
        """Return the Tweets, and how many rows each has."""
        begins = np.flatnonzero(changes(self.tweets))
        return self.tweets[begins], np.diff(begins, append=len(self.tweets))

    def at(self, places: npt.NDArray[np.bool_] | Ints | slice) -> Rows:
        """Return some of the rows."""
        return Rows(self.tweets[places], self.types[places], self.hours[places], self.counts[places])


def changes(values: npt.NDArray[np.signedinteger]) -> npt.NDArray[np.bool_]:
    """Tell of each value whether it is another than the one before."""
    begins = np.ones(len(values), np.bool_)
    np.not_equal(values[1:], values[:-1], out=begins[1:])
    return begins


class Revised(NamedTuple):
    """Rows that a newer answer changed, with their new counts; `old` is what was there, if `known`."""

    rows: Rows
    old: Ints
    known: npt.NDArray[np.bool_]


def of_table(table: pa.Table) -> Rows:
    """Return the Rows of a table of ENGAGEMENTS, whatever dictionary it was written with."""
    return Rows(
        table["tweet_id"].to_numpy(),
        codes(table["engagement_type"]),
        table["hour"].to_numpy().astype(np.uint8),  # an eighth of what is sorted and moved
        table["count"].to_numpy(),
    )


def codes(types: pa.ChunkedArray) -> npt.NDArray[np.int8]:
    """Return each row's place in TYPE_NAMES, whatever dictionary its type was written with."""
    found = [
        np.array([TYPE_NAMES.index(name) for name in chunk.dictionary.to_pylist()], np.int8)[chunk.indices.to_numpy()]
        for chunk in types.chunks
    ]
    return np.concatenate([np.empty(0, np.int8), *found])


def to_table(rows: Rows, day: date) -> pa.Table:
    """Return Rows of a day as a table of ENGAGEMENTS with their day."""
    days = np.full(len(rows.tweets), (day - EPOCH).days, np.int32)
    return engagements_table(rows.tweets, rows.types, days, rows.hours, rows.counts)


def in_order(rows: pa.Table) -> pa.Table:
    """Sort by tweet_id, engagement_type and, where there are such, day and hour."""
    times = [rows[name].cast(pa.int32()).to_numpy() for name in ("hour", "day") if name in rows.column_names]
    return rows.take(np.lexsort([*times, codes(rows["engagement_type"]), rows["tweet_id"].to_numpy()]))


def merged(old: Rows, new: Rows) -> tuple[Rows, Revised]:
    """Return the rows of both, the newer where both have one, and what that changes of Tweets that had rows."""
    if len(old.tweets) == len(new.tweets) and all(np.array_equal(old[key], new[key]) for key in range(3)):
        places = np.flatnonzero(old.counts != new.counts)
        return new, Revised(new.at(places), old.counts[places], np.ones(len(places), np.bool_))
    tweets = np.unique(np.concatenate([old.tweets, new.tweets]))
    old_keys, new_keys = keys_of(old, tweets), keys_of(new, tweets)
    places = np.searchsorted(old_keys, new_keys)
    known = np.isin(new_keys, old_keys, assume_unique=True)
    before = np.zeros(len(new_keys), np.int64)
    before[known] = old.counts[places[known]]
    changed = np.flatnonzero(np.where(known, before != new.counts, np.isin(new.tweets, old.tweets)))
    stays = ~np.isin(old_keys, new_keys, assume_unique=True)
    both = Rows.joined([old.at(stays), new])
    order = np.argsort(np.concatenate([old_keys[stays], new_keys]))
    return both.at(order), Revised(new.at(changed), before[changed], known[changed])


def keys_of(rows: Rows, tweets: Ints) -> Ints:
    """Return a number for each row that sorts as its key does."""
    keys: Ints = (np.searchsorted(tweets, rows.tweets) * len(TYPE_NAMES) + rows.types) * 24 + rows.hours
    return keys


def daily_sums(rows: Rows, table: pa.Table) -> pa.Table:
    """Return one row a Tweet and type: the hours summed."""
    places = np.flatnonzero(changes(rows.tweets) | changes(rows.types))
    sums = np.add.reduceat(rows.counts, places)
    return table.select(DAILY.schema.names[:-1]).take(places).append_column(DAILY.schema.field("count"), pa.array(sums))
