"""Landed responses -> the tables, by day; the newest answer for a Tweet wins, and nothing is ever added up.

In: the pulls whose responses are not all in the tables. Out: the days' Parquet files, replaced together.

A publication runs under the lake lock from its first read to its last rename, so two never interleave. Of a
day, it replaces a Tweet's rows only by an answer that was asked for later, and leaves every other row as it is.
The rows are renamed before the coverage that says when they were asked for: stopped in between, the next
publication finds the coverage older than what has landed and writes the same rows again.

Tweets are worked through in the order of their IDs, some hundred at a time, so memory stays the same however
many there are.
"""

from __future__ import annotations

import json
import logging
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engagement_pipeline import raw
from engagement_pipeline.errors import LakeError, ResponseError
from engagement_pipeline.flatten import SCHEMA, TYPE_NAMES, Flat, flatten
from engagement_pipeline.lake import COVERAGE, FORMAT, STORED, TIMESTAMP, Lake, read
from engagement_pipeline.pull import quiet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path

    import numpy.typing as npt

    from engagement_pipeline.plan import Window
    from engagement_pipeline.pull import Progress
    from engagement_pipeline.raw import Landed, Pull

    Ints = npt.NDArray[np.int64]

logger = logging.getLogger(__name__)

CHUNK_TWEETS = 250  # of 28 days: 2.9 million rows, about 60 MB
NEVER, LAST_ID = np.iinfo(np.int64).min, np.iinfo(np.int64).max
REFUSED, UNAVAILABLE, MISSING = "refused", "unavailable", "missing from the response"
# What a later request says replaces what an earlier one said; stored rows stay until later rows come.
MERGE_COVERAGE = """
    select
        coalesce(new.tweet_id, old.tweet_id) as tweet_id,
        coalesce(new.day, old.day) as day,
        if(later, new.asked_at, old.asked_at) as asked_at,
        if(later, new.outcome, old.outcome) as outcome,
        if(later, new.text, old.text) as text,
        if(stores, new.pulled_at, old.pulled_at) as pulled_at,
        if(stores, new.rows, coalesce(old.rows, 0)) as rows,
        if(stores, new.source, old.source) as source
    from (
        select
            new, old,
            new.tweet_id is not null and (old.tweet_id is null or new.asked_at >= old.asked_at) as later,
            new.pulled_at is not null and (old.pulled_at is null or new.pulled_at >= old.pulled_at) as stores
        from new full outer join old using (tweet_id)
    )
    order by tweet_id
"""
OUTCOMES = f"""
    select tweet_id, bool_or(outcome = '{STORED}') as stored, max(coalesce(text, outcome)) as reason
    from coverage semi join asked using (tweet_id)
    group by tweet_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What publishing one pull came to: Tweets asked for = stored + set aside with a reason."""

    window: Window
    requested: int
    stored: frozenset[int]
    set_aside: dict[int, str]


def publish(lake: Lake, *, progress: Progress = quiet) -> list[Publication]:
    """Bring the tables up to what has landed; one Publication for each pull that was not in them yet.

    `progress` gets Tweets done and Tweets in all, anew for each pull. Raises LakeError where a file cannot be
    read or written; the tables are then as they were.
    """
    lake.open()
    publications = []
    with lake.locked("lake", "a publication"):
        for pull in raw.open_pulls(lake.raw):
            publications.append(_Publisher(lake, pull, progress).publish())
            if pull.finished:
                pull.marked(published=True)
    return publications


class _Publisher:
    """One pull on its way into the tables."""

    def __init__(self, lake: Lake, pull: Pull, progress: Progress) -> None:
        self.lake = lake
        self.pull = pull
        self.progress = progress
        self.days = list(pull.window.days())
        self.answers: dict[int, Landed] = {}  # by Tweet; the newest of this pull
        self.refusals: dict[int, Landed] = {}
        for landed in sorted(pull.landed(), key=lambda landed: landed.asked_at):
            of_kind = self.refusals if landed.refusal else self.answers
            of_kind.update(dict.fromkeys(landed.tweet_ids, landed))
        self.asked = np.array(sorted(self.answers), np.int64)
        self.asked_at = _microseconds(pa.array((self.answers[t].asked_at for t in self.asked.tolist()), TIMESTAMP))
        self.coverage = {day: read(lake.coverage(day), COVERAGE) for day in self.days}
        self.later = {day: self.asked[self.asked_at > self._pulled_at(day)] for day in self.days}
        self.unavailable: set[int] = set()
        self.new_rows: dict[date, dict[int, int]] = {day: {} for day in self.days}  # how many, by Tweet
        self.flats: dict[Landed, Flat] = {}  # what this chunk needs, and perhaps the next

    def publish(self) -> Publication:
        """Write everything aside, then rename it."""
        shutil.rmtree(self.lake.aside, ignore_errors=True)  # of a publication that was killed
        try:
            self.lake.aside.mkdir()
            self.lake.replace(self._write_rows() | self._write_coverage())
        except OSError as error:
            raise LakeError(
                f"{self.lake.root} cannot be written ({error.strerror or error}): the tables are as they were and "
                "what has landed is kept; make room or mend the rights, then run again"
            ) from error
        finally:
            shutil.rmtree(self.lake.aside, ignore_errors=True)
        return self._publication()

    def _write_rows(self) -> dict[Path, Path]:
        """Write aside each day of which this pull has later answers; return what to rename."""
        days = [day for day in self.days if len(self.later[day])]
        aside = {day: self.lake.aside / f"{day}.engagements.parquet" for day in days}
        newest = str(self.pull.path.relative_to(self.lake.root))
        schema = SCHEMA.with_metadata({"engagement_pipeline": json.dumps({"format": FORMAT, "newest_pull": newest})})
        with ExitStack() as stack:
            writers = {
                day: stack.enter_context(pq.ParquetWriter(aside[day], schema, compression="zstd")) for day in days
            }
            for low, high in self._chunks(days):
                fresh = self._fresh(low, high)
                for day in days:
                    self._write_day(writers[day], day, fresh, low, high)
                self.progress(int(np.searchsorted(self.asked, high, "right")), len(self.asked))
        return {aside[day]: self.lake.engagements(day) for day in days if self.new_rows[day]}

    def _pulled_at(self, day: date) -> Ints:
        """Return, for each Tweet asked, when the rows that the lake holds of it were asked for."""
        table = self.coverage[day]
        known = table["tweet_id"].to_numpy()
        pulled_at = _microseconds(table["pulled_at"])
        place = np.searchsorted(known, self.asked)
        found = place < len(known)
        found[found] = known[place[found]] == self.asked[found]
        result = np.full(len(self.asked), NEVER)
        result[found] = pulled_at[place[found]]
        return result

    def _chunks(self, days: list[date]) -> Iterator[tuple[int, int]]:
        """Yield ranges of Tweet IDs, low excluded and high included, that together hold every ID there is."""
        tweets = np.unique(np.concatenate([self.asked, *(self.coverage[day]["tweet_id"].to_numpy() for day in days)]))
        bounds = [NEVER, *tweets[CHUNK_TWEETS - 1 : -1 : CHUNK_TWEETS].tolist(), LAST_ID]
        return pairwise(bounds) if days else iter(())

    def _fresh(self, low: int, high: int) -> pa.Table:
        """Return this pull's rows of a range of Tweets, each from its newest answer."""
        first, last = np.searchsorted(self.asked, (low, high), "right")
        wanted: dict[Landed, list[int]] = {}
        for tweet in self.asked[first:last].tolist():
            wanted.setdefault(self.answers[tweet], []).append(tweet)
        self.flats = {landed: self.flats.get(landed) or self._flatten(landed) for landed in wanted}
        parts = [_of_tweets(self.flats[landed].rows, pa.array(tweets)) for landed, tweets in wanted.items()]
        return pa.concat_tables([SCHEMA.empty_table(), *parts])

    def _flatten(self, landed: Landed) -> Flat:
        try:
            flat = flatten(landed.body(), tweet_ids=landed.tweet_ids, types=landed.types, window=landed.window)
        except ResponseError as error:
            raise LakeError(f"{landed.path}: {error}: move it away and pull {landed.window} again") from None
        self.unavailable |= flat.unavailable
        return flat

    def _write_day(self, writer: pq.ParquetWriter, day: date, fresh: pa.Table, low: int, high: int) -> None:
        """Append a range of Tweets to a day's file: the fresh rows, and the published ones of all other Tweets."""
        rows = _of_tweets(fresh.filter(pc.equal(fresh["day"], pa.scalar(day))), pa.array(self.later[day]))
        counted = rows["tweet_id"].value_counts()
        self.new_rows[day] |= dict(
            zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True)
        )
        in_range = (pc.field("tweet_id") > low) & (pc.field("tweet_id") <= high)
        kept = read(self.lake.engagements(day), SCHEMA, filters=in_range)
        kept = kept.filter(pc.invert(pc.is_in(kept["tweet_id"], counted.field("values"))))
        rows = _in_order(pa.concat_tables([kept, rows]))
        if rows.num_rows:
            writer.write_table(rows, row_group_size=rows.num_rows)

    def _write_coverage(self) -> dict[Path, Path]:
        """Write aside each day's coverage that this pull changes; return what to rename."""
        files = {}
        with duckdb.connect() as connection:
            for day in self.days:
                connection.register("old", self.coverage[day])
                connection.register("new", self._new_coverage(day))
                merged = connection.sql(MERGE_COVERAGE).to_arrow_table().cast(COVERAGE)
                if not merged.equals(self.coverage[day]):
                    self.coverage[day] = merged
                    aside = self.lake.aside / f"{day}.coverage.parquet"
                    pq.write_table(merged, aside, compression="zstd")
                    files[aside] = self.lake.coverage(day)
        return files

    def _new_coverage(self, day: date) -> pa.Table:
        """Return what this pull says of each Tweet that the lake has not heard of since."""
        records = []
        for tweet in sorted({*self.later[day].tolist(), *self.refusals}):
            answer, refusal, rows = (
                self.answers.get(tweet),
                self.refusals.get(tweet),
                self.new_rows[day].get(tweet, 0),
            )
            newest = max(filter(None, (answer, refusal)), key=lambda landed: landed.asked_at)
            record = {
                "tweet_id": tweet,
                "day": day,
                "asked_at": newest.asked_at,
                "text": newest.refusal or None,
            }
            if newest is refusal:
                record["outcome"] = REFUSED
            elif tweet in self.unavailable:
                record["outcome"] = UNAVAILABLE
            else:
                record["outcome"] = STORED if rows else MISSING
            if answer and rows:
                source = str(answer.path.relative_to(self.lake.root))
                record |= {"pulled_at": answer.asked_at, "source": source}
            records.append({**record, "rows": rows})
        return pa.Table.from_pylist(records, schema=COVERAGE)

    def _publication(self) -> Publication:
        """Sum up by Tweet, from the coverage as it now is."""
        asked = pa.table({"tweet_id": pa.array([*self.answers, *self.refusals], pa.int64())})  # noqa: F841 - in the SQL
        coverage = pa.concat_tables([COVERAGE.empty_table(), *self.coverage.values()])  # noqa: F841 - in the SQL
        with duckdb.connect() as connection:
            outcomes = connection.sql(OUTCOMES).fetchall()
        return Publication(
            window=self.pull.window,
            requested=len(self.answers.keys() | self.refusals.keys()),
            stored=frozenset(tweet for tweet, stored, _ in outcomes if stored),
            set_aside={tweet: reason for tweet, stored, reason in outcomes if not stored},
        )


def _of_tweets(rows: pa.Table, tweets: pa.Array) -> pa.Table:
    return rows.filter(pc.is_in(rows["tweet_id"], tweets))


def _in_order(rows: pa.Table) -> pa.Table:
    """Sort by tweet_id, engagement_type and hour; Arrow itself does not sort by a dictionary."""
    codes = pc.index_in(rows["engagement_type"].cast(pa.string()), pa.array(TYPE_NAMES))
    return rows.take(np.lexsort([column.to_numpy() for column in (rows["hour"], codes, rows["tweet_id"])]))


def _microseconds(times: pa.Array | pa.ChunkedArray) -> Ints:
    """Return times as int64 microseconds since 1970, NEVER for null."""
    microseconds: Ints = times.cast(pa.int64()).fill_null(NEVER).to_numpy()
    return microseconds
