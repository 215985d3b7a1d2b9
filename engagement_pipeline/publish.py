"""Landed responses -> the tables; the newest answer wins, and nothing is ever added up.

In: the pulls whose responses are not all in the tables. Out: the days' Parquet files, replaced together.

A publication runs under the lake lock from its first read to its last rename, so two never interleave. A count of
/historical is replaced only by a later answer for the same Tweet, type, day and hour, so a later pull of fewer
types, or one that the API answers in part, takes nothing away. The other two tables are observations: there, a
Tweet's later answer replaces its earlier one whole. Whatever says what came is renamed before the coverage that says
when it was asked for: stopped in between, the next publication finds the coverage older than what has landed and
writes the same again.

Tweets are worked through in the order of their IDs, some hundred at a time. In memory are their rows, and the
responses that hold them: few where handles post in turns, more where many handles do.
"""

from __future__ import annotations

import json
import logging
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engagement_pipeline import raw, set_aside
from engagement_pipeline.errors import LakeError, ResponseError
from engagement_pipeline.flatten import TYPE_NAMES, flatten
from engagement_pipeline.lake import COVERAGE, FORMAT, OBSERVED_AT, STORED, TABLES, TIMESTAMP, Lake, read
from engagement_pipeline.metrics import HISTORICAL, RECENT
from engagement_pipeline.pull import quiet
from engagement_pipeline.set_aside import FORBIDDEN, PROTECTED, UNAVAILABLE, SetAside

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path

    import numpy.typing as npt

    from engagement_pipeline.pull import Progress
    from engagement_pipeline.raw import Landed, Pull

    Ints = npt.NDArray[np.int64]

logger = logging.getLogger(__name__)

CHUNK_TWEETS = 250  # of 28 days: 2.9 million rows, about 60 MB
NEVER, LAST_ID = np.iinfo(np.int64).min, np.iinfo(np.int64).max
MISSING = "missing from the response"
RECENT_PERIOD = timedelta(hours=28)  # of /28hr: what was observed before has nothing of it
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
    select
        tweet_id,
        bool_or(outcome = '{STORED}') as stored,
        max(if(outcome = '{UNAVAILABLE}', outcome, coalesce(text, outcome))) as reason
    from coverage semi join asked using (tweet_id)
    group by tweet_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What publishing one pull came to: Tweets asked for = stored + set aside with a reason."""

    pull: Pull
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
        self.schema = TABLES[pull.endpoint]
        self.days = list(pull.window.days()) if pull.window else [pull.started_at.date()]
        self.answers: dict[int, Landed] = {}  # by Tweet; the newest of this pull
        self.refusals: dict[int, Landed] = {}
        for landed in sorted(pull.landed(), key=lambda landed: landed.asked_at):
            of_kind = self.refusals if landed.refusal else self.answers
            of_kind.update(dict.fromkeys(landed.request.tweet_ids, landed))
        self.asked = np.array(sorted(self.answers), np.int64)
        self.asked_at = _microseconds(pa.array((self.answers[t].asked_at for t in self.asked.tolist()), TIMESTAMP))
        self.coverage = {day: read(lake.coverage(pull.endpoint, day), COVERAGE) for day in self.days}
        self.later = {day: self.asked[self._is_later(day)] for day in self.days}
        self.unavailable: dict[int, str] = {}  # and what the API said
        self.new_rows: dict[date, dict[int, int]] = {day: {} for day in self.days}  # how many, by Tweet
        self.flats: dict[Landed, pa.Table] = {}  # what this chunk needs, and perhaps the next

    def publish(self) -> Publication:
        """Write everything aside, then rename it."""
        shutil.rmtree(self.lake.aside, ignore_errors=True)  # of a publication that was killed
        try:
            self.lake.aside.mkdir()
            self.lake.replace(self._write_rows() | self._write_set_aside() | self._write_coverage())
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
        aside = {day: self.lake.aside / f"{day}.rows.parquet" for day in days}
        newest = str(self.pull.path.relative_to(self.lake.root))
        made_by = {"engagement_pipeline": json.dumps({"format": FORMAT, "newest_pull": newest})}
        with ExitStack() as stack:
            writers = {
                day: stack.enter_context(
                    pq.ParquetWriter(aside[day], self.schema.with_metadata(made_by), compression="zstd")
                )
                for day in days
            }
            for low, high in self._chunks(days):
                fresh = self._fresh(low, high)
                for day in days:
                    self._write_day(writers[day], day, fresh, low, high)
                self.progress(int(np.searchsorted(self.asked, high, "right")), len(self.asked))
        return {aside[day]: self.lake.rows(self.pull.endpoint, day) for day in days if self.new_rows[day]}

    def _is_later(self, day: date) -> npt.NDArray[np.bool_]:
        """Tell, for each Tweet asked, whether its answer is newer than the lake's rows and not published yet."""
        table = self.coverage[day]
        pulled_at, asked_at = (
            _looked_up(self.asked, table["tweet_id"].to_numpy(), _microseconds(table[name]))
            for name in ("pulled_at", "asked_at")
        )
        later: npt.NDArray[np.bool_] = (self.asked_at > pulled_at) & (self.asked_at != asked_at)
        return later

    def _chunks(self, days: list[date]) -> Iterator[tuple[int, int]]:
        """Yield ranges of Tweet IDs, low excluded and high included, that together hold every ID there is."""
        tweets = np.unique(np.concatenate([self.asked, *(self._published(day) for day in days)]))
        bounds = [NEVER, *tweets[CHUNK_TWEETS - 1 : -1 : CHUNK_TWEETS].tolist(), LAST_ID]
        return pairwise(bounds) if days else iter(())

    def _published(self, day: date) -> Ints:
        """Return the Tweets that may have rows in the day's file."""
        if self.pull.endpoint == RECENT:  # one file for all days
            tweets: Ints = pc.unique(read(self.lake.rows(RECENT, day), self.schema)["tweet_id"]).to_numpy()
        else:
            tweets = self.coverage[day]["tweet_id"].to_numpy()
        return tweets

    def _fresh(self, low: int, high: int) -> pa.Table:
        """Return this pull's rows of a range of Tweets, each from its newest answer."""
        first, last = np.searchsorted(self.asked, (low, high), "right")
        wanted: dict[Landed, list[int]] = {}
        for tweet in self.asked[first:last].tolist():
            wanted.setdefault(self.answers[tweet], []).append(tweet)
        self.flats = {landed: self.flats[landed] if landed in self.flats else self._rows(landed) for landed in wanted}
        parts = [_of_tweets(self.flats[landed], pa.array(tweets)) for landed, tweets in wanted.items()]
        return pa.concat_tables([self.schema.empty_table(), *parts])

    def _rows(self, landed: Landed) -> pa.Table:
        """Return what a response gives to the table."""
        try:
            flat = flatten(landed.body(), landed.request)
        except ResponseError as error:
            raise LakeError(f"{landed.path}: {error}: move it away and pull {self.pull} again") from None
        self.unavailable |= dict.fromkeys(flat.unavailable, flat.said)
        rows = flat.rows
        if OBSERVED_AT.name in self.schema.names:
            rows = rows.append_column(OBSERVED_AT, pa.repeat(pa.scalar(landed.asked_at, TIMESTAMP), len(rows)))
        return rows

    def _write_day(self, writer: pq.ParquetWriter, day: date, fresh: pa.Table, low: int, high: int) -> None:
        """Append a range of Tweets to a day's file: the fresh rows, and the published ones that they do not replace."""
        if self.pull.endpoint == HISTORICAL:
            fresh = fresh.filter(pc.equal(fresh["day"], pa.scalar(day)))
        fresh = _of_tweets(fresh, pa.array(self.later[day]))
        in_range = (pc.field("tweet_id") > low) & (pc.field("tweet_id") <= high)
        published = read(self.lake.rows(self.pull.endpoint, day), self.schema, filters=in_range)
        rows = _in_order(pa.concat_tables([self._kept(published, fresh), fresh]))
        counted = _of_tweets(rows, fresh["tweet_id"])["tweet_id"].value_counts()
        self.new_rows[day] |= dict(
            zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True)
        )
        if rows.num_rows:
            writer.write_table(rows, row_group_size=rows.num_rows)

    def _kept(self, published: pa.Table, fresh: pa.Table) -> pa.Table:
        """Return the published rows that stay."""
        if self.pull.endpoint == HISTORICAL:
            return published.filter(~_same_cells(published, fresh))
        stay = pc.invert(pc.is_in(published["tweet_id"], fresh["tweet_id"]))
        if self.pull.endpoint == RECENT:
            oldest = pa.scalar(self.pull.started_at - RECENT_PERIOD, TIMESTAMP)
            stay = pc.and_(stay, pc.greater(published["observed_at"], oldest))
        return published.filter(stay)

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
                    files[aside] = self.lake.coverage(self.pull.endpoint, day)
        return files

    def _new_coverage(self, day: date) -> pa.Table:
        """Return what this pull says of each Tweet that the lake has not heard of since."""
        records = []
        refused = {tweet for tweet in self.refusals if self._newest(tweet).refusal}
        for tweet in sorted({*self.later[day].tolist(), *refused}):
            rows = self.new_rows[day].get(tweet, 0)
            newest = self._newest(tweet)
            record = {
                "tweet_id": tweet,
                "day": day,
                "asked_at": newest.asked_at,
                "outcome": self._outcome(tweet) or (STORED if rows else MISSING),
                "text": self._said(tweet),
                "rows": rows,
            }
            if rows:
                answer = self.answers[tweet]
                source = str(answer.path.relative_to(self.lake.root))
                record |= {"pulled_at": answer.asked_at, "source": source}
            records.append(record)
        return pa.Table.from_pylist(records, schema=COVERAGE)

    def _newest(self, tweet: int) -> Landed:
        """Return the newest word of the API about a Tweet."""
        words = filter(None, (self.answers.get(tweet), self.refusals.get(tweet)))
        return max(words, key=lambda landed: landed.asked_at)

    def _outcome(self, tweet: int) -> str | None:
        """Return why the API would not serve a Tweet, None where it did."""
        newest = self._newest(tweet)
        if newest.refusal:
            return FORBIDDEN if newest.refusal.startswith("403") else PROTECTED
        return UNAVAILABLE if tweet in self.unavailable else None

    def _said(self, tweet: int) -> str | None:
        """Return the API's own words for not serving a Tweet."""
        return self._newest(tweet).refusal or self.unavailable.get(tweet) or None

    def _write_set_aside(self) -> dict[Path, Path]:
        """Write aside the list of Tweets that the API would not serve, as far as this pull changes it."""
        heard = {}
        for tweet in {*self.refusals, *np.unique(np.concatenate([*self.later.values()])).tolist()}:
            newest, reason = self._newest(tweet), self._outcome(tweet)
            heard[tweet] = SetAside(
                tweet_id=tweet,
                handle=newest.request.handle,
                endpoint=self.pull.endpoint,
                reason=reason or "",
                text=self._said(tweet),
                asked_at=newest.asked_at,
                tokens=newest.tokens,
            )
        aside = self.lake.aside / self.lake.set_aside.name
        return {aside: self.lake.set_aside} if set_aside.merge(self.lake, heard, into=aside) else {}

    def _publication(self) -> Publication:
        """Sum up by Tweet, from the coverage as it now is."""
        asked = pa.table({"tweet_id": pa.array([*self.answers, *self.refusals], pa.int64())})  # noqa: F841 - in the SQL
        coverage = pa.concat_tables([COVERAGE.empty_table(), *self.coverage.values()])  # noqa: F841 - in the SQL
        with duckdb.connect() as connection:
            outcomes = connection.sql(OUTCOMES).fetchall()
        return Publication(
            pull=self.pull,
            requested=len(self.answers.keys() | self.refusals.keys()),
            stored=frozenset(tweet for tweet, stored, _ in outcomes if stored),
            set_aside={tweet: reason for tweet, stored, reason in outcomes if not stored},
        )


def _looked_up(wanted: Ints, known: Ints, values: Ints) -> Ints:
    """Return the value of each wanted key among sorted known ones, NEVER where it is not known."""
    place = np.searchsorted(known, wanted)
    found = place < len(known)
    found[found] = known[place[found]] == wanted[found]
    result = np.full(len(wanted), NEVER)
    result[found] = values[place[found]]
    return result


def _same_cells(rows: pa.Table, others: pa.Table) -> npt.NDArray[np.bool_]:
    """Tell, for each row of a day, whether `others` has one of the same Tweet, type and hour."""
    tweets = np.unique(others["tweet_id"].to_numpy())
    keys = [
        (np.searchsorted(tweets, table["tweet_id"].to_numpy()) * len(TYPE_NAMES) + _codes(table)) * 24
        + table["hour"].to_numpy()
        for table in (rows, others)
    ]
    return np.isin(*keys) & np.isin(rows["tweet_id"].to_numpy(), tweets)


def _codes(rows: pa.Table) -> Ints:
    """Return each row's place in TYPE_NAMES; Arrow itself does not sort by a dictionary."""
    codes: Ints = pc.index_in(rows["engagement_type"].cast(pa.string()), pa.array(TYPE_NAMES)).to_numpy()
    return codes


def _of_tweets(rows: pa.Table, tweets: pa.Array) -> pa.Table:
    return rows.filter(pc.is_in(rows["tweet_id"], tweets))


def _in_order(rows: pa.Table) -> pa.Table:
    """Sort by tweet_id, engagement_type and, where there are such, day and hour."""
    times = [rows[name].cast(pa.int32()).to_numpy() for name in ("hour", "day") if name in rows.column_names]
    return rows.take(np.lexsort([*times, _codes(rows), rows["tweet_id"].to_numpy()]))


def _microseconds(times: pa.Array | pa.ChunkedArray) -> Ints:
    """Return times as int64 microseconds since 1970, NEVER for null."""
    microseconds: Ints = times.cast(pa.int64()).fill_null(NEVER).to_numpy()
    return microseconds
