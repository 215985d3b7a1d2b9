"""The rows of one day of /historical: merged with newer ones, and written where that changes them.

In: a day's published file, and newer rows in order of their Tweets. Out: the file as it is to become, written
aside, with its daily sums beside it; what was revised; or nothing, where the newer rows say what was there.

    published file ─> Rows ─┐
    newer answers ──> Rows ─┴─> merged ─> rows and daily sums ─> what to rename
                                      └─> Revised ─> revisions.py

A count is replaced by a later one for the same Tweet, type and hour, and by nothing else, so what a later answer
does not hold stays. Files are read and written by row groups; in memory are a few of them.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engagement_pipeline import flatten
from engagement_pipeline.flatten import EPOCH, SCHEMA, TYPE_NAMES
from engagement_pipeline.lake import DAILY, FORMAT, Lake, damaged, plausible
from engagement_pipeline.metrics import HISTORICAL

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date
    from pathlib import Path
    from typing import Self

    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]

MADE_BY = "engagement_pipeline"  # the key of a file's metadata that says what it holds
ROW_GROUP = 100_000  # rows; of 28 days, two megabytes a day in memory, and small enough to find one Tweet by
DAILY_ROW_GROUP = 5_000  # of a day's sums, of which 31 are merged at a time
NEVER, LAST_ID = np.iinfo(np.int64).min, np.iinfo(np.int64).max  # before every Tweet's ID, and behind
NO_TWEET, NO_OWNER = np.empty(0, np.int64), np.empty(0, np.uint16)
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
    def joined(cls, parts: list[Self]) -> Self:
        """Return the rows of all parts, one after another."""
        return cls(*(np.concatenate(columns) for columns in zip(cls.none(), *parts, strict=True)))

    def by_tweet(self) -> tuple[Ints, Ints]:
        """Return the Tweets, and how many rows each has."""
        begins = np.flatnonzero(np.diff(self.tweets, prepend=NEVER))
        return self.tweets[begins], np.diff(begins, append=len(self.tweets))

    def at(self, places: npt.NDArray[np.bool_] | Ints | slice) -> Rows:
        """Return some of the rows."""
        return Rows(self.tweets[places], self.types[places], self.hours[places], self.counts[places])


class Revised(NamedTuple):
    """Rows that a newer answer changed, with their new counts; `old` is what was there, if `known`."""

    rows: Rows
    old: Ints
    known: npt.NDArray[np.bool_]


def of_table(table: pa.Table) -> Rows:
    """Return the Rows of a table with SCHEMA, whatever dictionary it was written with."""
    return Rows(
        table["tweet_id"].to_numpy(),
        codes(table["engagement_type"]),
        table["hour"].to_numpy(),
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
    """Return Rows of a day as a table with SCHEMA."""
    days = np.full(len(rows.tweets), (day - EPOCH).days, np.int32)
    return flatten.table(rows.tweets, rows.types, days, rows.hours, rows.counts)


def by_day(tables: Sequence[pa.Table], first: date, wanted: npt.NDArray[np.bool_], tweets: Ints) -> list[Rows]:
    """Sort rows into their days, the first of which is `first`; each Tweet's are together in one table, and sorted.

    `wanted` tells, by place in `tweets`, which hold all of them, and by day, which rows are to be kept.
    """
    parts, ids, numbers, days = [], [NO_TWEET], [NO_TWEET], [NO_OWNER]
    for table in tables:
        parts.append(of_table(table))
        found, rows_of_each = parts[-1].by_tweet()
        ids.append(found)
        numbers.append(rows_of_each)
        days.append(table["day"].cast(pa.int32()).to_numpy() - (first - EPOCH).days)  # below zero before it
    rows, day = Rows.joined(parts), np.concatenate(days).astype(np.uint16)
    owner, number = np.searchsorted(tweets, np.concatenate(ids)).astype(np.uint16), np.concatenate(numbers)
    if wanted.all() and _are_whole(day, number, wanted.shape[1]):
        return _by_whole_day(rows, owner, wanted.shape[1])
    owner = np.repeat(owner, number)
    assert wanted.size < np.iinfo(np.uint16).max, "a key of 16 bits tells so many Tweets and days apart"
    if not wanted.all() or (day >= wanted.shape[1]).any():
        kept = np.flatnonzero(day < wanted.shape[1])
        kept = kept[wanted[owner[kept], day[kept]]]
        rows, owner, day = rows.at(kept), owner[kept], day[kept]
    keys = day * np.uint16(len(tweets)) + owner
    order = np.argsort(keys, kind="stable")  # of 16 bits: a radix sort
    rows, keys = rows.at(order), keys[order]
    bounds = np.searchsorted(keys, np.arange(wanted.shape[1] + 1) * len(tweets))
    return [rows.at(slice(begin, end)) for begin, end in pairwise(bounds.tolist())]


def _are_whole(day: npt.NDArray[np.uint16], number: Ints, days: int) -> bool:
    """Tell whether each Tweet has as many rows, and each of its types has 24 of each day, day after day."""
    if not len(number) or (number != number[0]).any() or number[0] % (days * HOURS):
        return False
    return bool((day.reshape(-1, days, HOURS) == np.arange(days, dtype=np.uint16)[:, np.newaxis]).all())


def _by_whole_day(rows: Rows, owner: npt.NDArray[np.uint16], days: int) -> list[Rows]:
    """Do what by_day does with whole days: their rows move in blocks, which takes a third of the time of a sort."""
    order = np.argsort(owner)
    blocks = [column.reshape(len(owner), -1, days, HOURS) for column in rows]
    sorted_blocks = [column[order].transpose(2, 0, 1, 3).reshape(days, -1) for column in blocks]
    return [Rows(*(column[day] for column in sorted_blocks)) for day in range(days)]


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
    old_keys, new_keys = _keys(old, tweets), _keys(new, tweets)
    places = np.searchsorted(old_keys, new_keys)
    known = np.isin(new_keys, old_keys, assume_unique=True)
    before = np.zeros(len(new_keys), np.int64)
    before[known] = old.counts[places[known]]
    changed = np.flatnonzero(np.where(known, before != new.counts, np.isin(new.tweets, old.tweets)))
    stays = ~np.isin(old_keys, new_keys, assume_unique=True)
    both = Rows.joined([old.at(stays), new])
    order = np.argsort(np.concatenate([old_keys[stays], new_keys]))
    return both.at(order), Revised(new.at(changed), before[changed], known[changed])


def _keys(rows: Rows, tweets: Ints) -> Ints:
    """Return a number for each row that sorts as its key does."""
    keys: Ints = (np.searchsorted(tweets, rows.tweets) * len(TYPE_NAMES) + rows.types) * 24 + rows.hours
    return keys


class Sink:
    """A Parquet file that is written in row groups of some size or a little more, whatever is appended at a time."""

    def __init__(self, path: Path, schema: pa.Schema, *, row_group: int = 0) -> None:
        self._row_group = row_group or ROW_GROUP
        self._writer = pq.ParquetWriter(
            path,
            schema,
            compression="zstd",
            write_page_checksum=True,
            # Row groups are found by these two; statistics of the others take a quarter of the time to write.
            write_statistics=[name for name in ("tweet_id", "day") if name in schema.names],
            use_dictionary=[name for name in schema.names if name != "hour"],  # 0 to 23 again and again is small
        )
        self._waiting: list[pa.Table] = []
        self._rows = 0

    def append(self, table: pa.Table) -> None:
        """Append rows, which are on the disk once the sink is closed."""
        self._waiting.append(table)
        self._rows += len(table)
        if self._rows >= self._row_group:
            self._flush()

    def close(self) -> None:
        """Write what waits, and the end of the file."""
        try:
            if self._rows:
                self._flush()
        finally:
            self._writer.close()

    def _flush(self) -> None:
        table, rows = pa.concat_tables(self._waiting), self._rows
        self._waiting, self._rows = [], 0
        groups = max(1, rows // self._row_group)
        self._writer.write_table(table, row_group_size=-(-rows // groups))


class Published:
    """A file sorted by Tweet, as it is, read once from its first Tweet to its last; no rows where there is none."""

    def __init__(self, path: Path, schema: pa.Schema = SCHEMA) -> None:
        self.path = path
        self._schema = schema
        self._row_group = 0
        self._waiting = schema.empty_table()
        self._file: pq.ParquetFile | None = None
        if path.exists():
            try:
                self._file = pq.ParquetFile(path, page_checksum_verification=True)
            except (OSError, pa.ArrowException) as error:
                raise damaged(path, error) from None

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
        if self._file:
            self._file.close()

    def _next_row_group(self, file: pq.ParquetFile) -> pa.Table:
        try:
            rows = file.read_row_group(self._row_group, columns=self._schema.names).cast(self._schema)
            plausible(rows, self.path)
        except (OSError, pa.ArrowException, ValueError, KeyError) as error:
            raise damaged(self.path, error) from None
        self._row_group += 1
        return rows


def _reaches(rows: pa.Table, tweet: int) -> bool:
    """Tell whether more rows of Tweets up to this one may follow."""
    return len(rows) == 0 or rows["tweet_id"][-1].as_py() <= tweet


class DayFile:
    """One day on its way from what is published to what it is to become.

    It is written where newer rows change it, and with `anew` in any case; the file names `newest_pull`, else that which
    the published one names. `published` is the day's file, unless another is to be read instead.
    """

    def __init__(
        self, lake: Lake, day: date, *, newest_pull: str = "", published: Path | None = None, anew: bool = False
    ) -> None:
        self.day = day
        self.changed = False
        self._target = lake.rows(HISTORICAL, day)
        self._aside = lake.aside
        self._published = Published(published or self._target)
        self._newest_pull = newest_pull
        self._unchanged_to = NEVER
        self._sinks: tuple[Sink, Sink] | None = None
        if anew and self._target.exists():
            self._sinks = self._begun()

    def take(self, tweet: int, new: Rows) -> tuple[Rows, Revised]:
        """Merge the newer rows of Tweets up to this one and with it; return the rows as they are to become."""
        old = of_table(self._published.up_to(tweet))
        if not len(new.tweets):
            rows, revised = old, Revised(new, new.counts, np.empty(0, np.bool_))
        elif not len(old.tweets):
            rows, revised = new, Revised(old, old.counts, np.empty(0, np.bool_))
        else:
            rows, revised = merged(old, new)
        if len(rows.tweets) > len(old.tweets) or len(revised.old):
            self.changed = True
            self._sinks = self._sinks or self._begun()
        if self._sinks:
            self._write(rows)
        else:
            self._unchanged_to = tweet
        return rows, revised

    def finish(self) -> dict[Path, Path]:
        """Return what to rename; `daily` is where the sums lie then, for daily.write_months."""
        self.close()
        return {self._file("rows"): self._target} if self._sinks else {}

    @property
    def daily(self) -> Path | None:
        """Where the daily sums lie, once it is finished, of a day that is written."""
        return self._file("daily") if self._sinks else None

    def close(self) -> None:
        """Give all files back."""
        with ExitStack() as stack:
            for file in (self._published, *(self._sinks or ())):
                stack.callback(file.close)

    def _begun(self) -> tuple[Sink, Sink]:
        """Begin to write, with the rows that were passed over because nothing was new of them."""
        self._sinks = (
            Sink(self._file("rows"), SCHEMA.with_metadata({MADE_BY: self._made_by()})),
            Sink(self._file("daily"), DAILY, row_group=DAILY_ROW_GROUP),
        )
        if self._unchanged_to > NEVER:
            again = Published(self._target)
            for tweet in again.row_group_ends(self._unchanged_to):
                self._write(of_table(again.up_to(tweet)))
            again.close()
        return self._sinks

    def _made_by(self) -> str:
        pull = self._newest_pull or self._published.newest_pull
        return json.dumps({"format": FORMAT, "newest_pull": pull})

    def _write(self, rows: Rows) -> None:
        if self._sinks and len(rows.tweets):
            table = to_table(rows, self.day)
            self._sinks[0].append(table)
            self._sinks[1].append(daily_sums(rows, table))

    def _file(self, kind: str) -> Path:
        return self._aside / f"{self.day}.{kind}.parquet"


def daily_sums(rows: Rows, table: pa.Table) -> pa.Table:
    """Return one row a Tweet and type: the hours summed."""
    begins = (np.diff(rows.tweets, prepend=NEVER) != 0) | (np.diff(rows.types, prepend=np.int8(-1)) != 0)
    places = np.flatnonzero(begins)
    sums = np.add.reduceat(rows.counts, places)
    return table.select(DAILY.names[:-1]).take(places).append_column(DAILY.field("count"), pa.array(sums))
