"""Landed responses -> the tables; the newest answer wins, and nothing is ever added up.

In: the pulls whose responses are not all in the tables. Out: the days' Parquet files, replaced together.

A publication runs under the lake lock from its first read to its last rename, so two never interleave. A count of
/historical is replaced only by a later answer for the same Tweet, type, day and hour, so a later pull of fewer
types, or one that the API answers in part, takes nothing away; what it changes goes to revisions/, and a day that it
leaves as it was is not written. The other two tables are observations: there, a Tweet's later answer replaces its
earlier one whole. What was asked for and what came of it goes to coverage/, which is the index: it tells which
answers are newer than the tables, without a look into older responses.

Whatever says what came is renamed before the coverage that says when it was asked for: stopped in between, the next
publication finds the coverage older than what has landed and writes the same again.

Tweets are worked through in the order of their IDs, CHUNK_TWEETS at a time, whatever the size of the pull.
"""

from __future__ import annotations

import logging
import shutil
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from engagement_pipeline.core.endpoints import HISTORICAL, RECENT
from engagement_pipeline.core.errors import LakeError, PublishError
from engagement_pipeline.core.model import Progress, quiet
from engagement_pipeline.core.tables import COVERAGE, STORED, TIMESTAMP
from engagement_pipeline.lake import raw, set_aside
from engagement_pipeline.lake.parquet import opened, read, write
from engagement_pipeline.lake.set_aside import UNAVAILABLE, SetAside
from engagement_pipeline.publish import daily, revisions
from engagement_pipeline.publish.coverage import Index, Ints, merged_coverage, microseconds
from engagement_pipeline.publish.day_file import DayFile, RowGroupWriter
from engagement_pipeline.publish.merge import LAST_ID, NEVER, in_order, split_by_day
from engagement_pipeline.publish.newest import NewestAnswers, of_tweets
from engagement_pipeline.publish.snapshots import RECENT_PERIOD, observed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date
    from pathlib import Path

    from engagement_pipeline.lake.layout import Lake
    from engagement_pipeline.lake.raw import Pull

logger = logging.getLogger(__name__)
CHUNK_TWEETS = 125  # of 28 days: 1.4 million rows
MISSING = "missing from the response"


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What publishing one pull came to: Tweets asked for = stored + set aside with a reason.

    `revised` counts the counts that were there with another value, or not there beside others of their Tweet's day;
    `days_written` are those whose rows it changed.
    """

    pull: Pull
    requested: int
    stored: frozenset[int]
    set_aside: dict[int, str]
    revised: int
    days_written: tuple[date, ...]


def publish_pulls(lake: Lake, *, progress: Progress = quiet) -> list[Publication]:
    """Bring the tables up to what has landed; one Publication for each pull that was not in them yet.

    `progress` gets Tweets done and Tweets in all, anew for each pull. Raises LakeError where a file cannot be
    read or written; the tables are then as they were. Where it is a file of one day, that day alone is, and
    PublishError tells so in the end: its pulls stay open, so that the next publication takes the day up.
    """
    lake.open()
    publications = []
    failures: dict[date, LakeError] = {}
    with lake.locked("lake", "a publication"):
        for pull in raw.open_pulls(lake.raw):
            publications += _but_for_damaged(lake, pull, pull.days(), failures, progress=progress)
            if pull.finished and failures.keys().isdisjoint(pull.days()):
                pull.marked(published=True)
    if failures:
        raise PublishError(failures)
    return publications


def _but_for_damaged(
    lake: Lake, pull: Pull, days: list[date], failures: dict[date, LakeError], *, progress: Progress
) -> list[Publication]:
    """Publish these days of a pull; those with a damaged file are added to `failures`, and the days around published.

    A Publisher takes days that follow one another, so there is one for those before and one for those after.
    """
    try:
        return [Publisher(lake, pull, days, progress=progress).publish()] if days else []
    except LakeError as error:
        if error.day is None or error.day not in days:
            raise
        failures[error.day] = error
        place = days.index(error.day)
        parts = days[:place], days[place + 1 :]
        return [made for part in parts for made in _but_for_damaged(lake, pull, part, failures, progress=progress)]


class Publisher:
    """One pull on its way into the tables, as far as these `days` of it go, which follow one another.

    Without `sums`, `daily` is left alone.
    """

    def __init__(
        self, lake: Lake, pull: Pull, days: Sequence[date], *, sums: bool = True, progress: Progress = quiet
    ) -> None:
        self.lake = lake
        self.pull = pull
        self.days = days
        self.sums = sums
        self.progress = progress
        self.answers = NewestAnswers(pull)
        self.asked = self.answers.tweets
        self.asked_at = microseconds(pa.array(self.answers.answered_at(), TIMESTAMP))
        self.known = [Index.of(lake, pull.endpoint, day) for day in days]
        if self.sums and pull.endpoint != RECENT:  # its one file may be moved away
            self._miss_none()
        later = [self._is_later(index) for index in self.known]
        self.later = np.array(later, np.bool_).reshape(len(days), len(self.asked)).T  # by Tweet and day
        self.stored_rows = np.zeros(self.later.shape, np.int32)  # how many, where this pull gave some
        self.newest_words = COVERAGE.schema.empty_table()  # of the Tweets of which no later pull has said anything
        self.revised = 0
        self.days_written: tuple[date, ...] = ()

    def _miss_none(self) -> None:
        """Raise where rows that were published are gone: taken for none, they would be lost without a word."""
        for day, known in zip(self.days, self.known, strict=True):
            path = self.lake.rows(self.pull.endpoint.table, day)
            if (known.pulled_at > NEVER).any() and not path.exists():
                raise LakeError(
                    f"{path} is missing, and its coverage tells of rows: engagement rebuild --from {day} --to {day} "
                    "makes it anew from raw",
                    day=day,
                )

    def publish(self) -> Publication:
        """Write everything aside, then rename it."""
        shutil.rmtree(self.lake.aside, ignore_errors=True)  # of a publication that was killed
        try:
            self.lake.aside.mkdir()
            days = [place for place in range(len(self.days)) if self.later[:, place].any()]
            rows = self._write_history(days) if self.pull.endpoint == HISTORICAL else self._write_observed(days)
            coverage, publication = self._write_coverage()
            self.lake.replace(rows | self._write_set_aside() | coverage)
        except OSError as error:
            raise LakeError(
                f"{self.lake.root} cannot be written ({error.strerror or error}): the tables are as they were and "
                "what has landed is kept; make room or mend the rights, then run again"
            ) from error
        finally:
            shutil.rmtree(self.lake.aside, ignore_errors=True)
        return publication

    def _is_later(self, index: Index) -> npt.NDArray[np.bool_]:
        """Tell, for each Tweet asked, whether its answer is newer than the lake's rows and not published yet."""
        known = index.of_tweets(self.asked)
        later: npt.NDArray[np.bool_] = (self.asked_at > known.pulled_at) & (self.asked_at != known.asked_at)
        return later

    def _write_history(self, places: list[int]) -> dict[Path, Path]:
        """Write aside each day that later answers change, and what they revise; return what to rename."""
        with closing(revisions.Writer(self.lake.aside / "revisions.parquet")) as revised, ExitStack() as stack:
            files = {
                place: stack.enter_context(closing(DayFile(self.lake, self.days[place], newest_pull=self.pull.name)))
                for place in places
            }
            for low, high in self._chunks([self.known[place].tweets for place in places]):
                self._write_chunk(files, revised, low, high)
                self.progress(int(np.searchsorted(self.asked, high, "right")), len(self.asked))
            self.revised = revised.number
            renamed = revised.finish(self.lake.revisions(self.pull))
            rows: dict[Path, Path] = {}
            for file in files.values():
                rows |= file.finish()
            self.days_written = tuple(file.day for file in files.values() if file.changed)
        # The sums before the rows: with them an interrupted publication, which finds the rows older, begins anew.
        if self.sums:
            sums = {file.day: file.daily for file in files.values() if file.daily}
            renamed |= daily.write_months(self.lake, sums, days=self.days)
        return renamed | rows

    def _write_chunk(self, files: dict[int, DayFile], revised: revisions.Writer, low: int, high: int) -> None:
        """Write a range of Tweets into the files of the days."""
        first, last = np.searchsorted(self.asked, (low, high), "right").tolist()
        tweets = self.asked[first:last]
        tables = [table for _, table in self.answers.tables(low, high)]
        fresh = split_by_day(tables, self.days[0], self.later[first:last], tweets)
        for place, file in files.items():
            rows, changed = file.take(high, fresh[place])
            found, numbers = rows.by_tweet()
            named = np.isin(found, fresh[place].by_tweet()[0])
            self.stored_rows[np.searchsorted(self.asked, found[named]), place] = numbers[named]
            revised.append(
                changed,
                self.days[place],
                old_pulled_at=self.known[place].of_tweets(changed.rows.tweets).pulled_at,
                new_pulled_at=self.asked_at[np.searchsorted(self.asked, changed.rows.tweets)],
            )

    def _chunks(self, published: Sequence[Ints]) -> Iterator[tuple[int, int]]:
        """Yield ranges of Tweet IDs, low excluded and high included, that together hold every ID there is."""
        tweets = np.unique(np.concatenate([self.asked, *published]))
        bounds = [NEVER, *tweets[CHUNK_TWEETS - 1 : -1 : CHUNK_TWEETS].tolist(), LAST_ID]
        return pairwise(bounds) if published else iter(())

    def _write_observed(self, places: list[int]) -> dict[Path, Path]:
        """Write aside the one file of an endpoint that knows the present alone; return what to rename."""
        schema = self.pull.endpoint.table.schema
        aside = self.lake.aside / "rows.parquet"
        renamed = {}
        for place in places:  # at most the one day on which the pull was begun
            target = self.lake.rows(self.pull.endpoint.table, self.days[place])
            later = pa.array(self.asked[self.later[:, place]])
            with closing(RowGroupWriter(aside, schema)) as sink:
                for low, high in self._chunks([self._observed_tweets(target, place)]):
                    parts = [observed(rows, landed) for landed, rows in self.answers.tables(low, high)]
                    fresh = of_tweets(pa.concat_tables([schema.empty_table(), *parts]), later)
                    rows = pa.concat_tables([self._kept(target, fresh, low, high), fresh])
                    sink.append(in_order(rows))
                    counted = fresh["tweet_id"].value_counts()
                    at = np.searchsorted(self.asked, counted.field("values").to_numpy())
                    self.stored_rows[at, place] = counted.field("counts").to_numpy()
                    self.progress(int(np.searchsorted(self.asked, high, "right")), len(self.asked))
            if self.stored_rows[:, place].any():
                renamed[aside] = target
        return renamed

    def _observed_tweets(self, target: Path, place: int) -> Ints:
        """Return the Tweets that may have rows in the file."""
        if self.pull.endpoint != RECENT:
            return self.known[place].tweets
        if not target.exists():
            return np.empty(0, np.int64)
        with opened(target) as file:  # recent.parquet holds what the coverage of several days tells of
            groups = (file.read_row_group(group, columns=["tweet_id"]) for group in range(file.num_row_groups))
            return np.concatenate([np.empty(0, np.int64), *(np.unique(rows["tweet_id"]) for rows in groups)])

    def _kept(self, target: Path, fresh: pa.Table, low: int, high: int) -> pa.Table:
        """Return the published rows of a range of Tweets that stay."""
        in_range = (pc.field("tweet_id") > low) & (pc.field("tweet_id") <= high)
        published = read(target, self.pull.endpoint.table.schema, filters=in_range)
        stay = pc.invert(pc.is_in(published["tweet_id"], fresh["tweet_id"]))
        if self.pull.endpoint == RECENT:
            oldest = pa.scalar(self.pull.started_at - RECENT_PERIOD, TIMESTAMP)
            stay = pc.and_(stay, pc.greater(published["observed_at"], oldest))
        return published.filter(stay)

    def _write_coverage(self) -> tuple[dict[Path, Path], Publication]:
        """Write aside each day's coverage that this pull changes; return what to rename, and the sum by Tweet."""
        files = {}
        words = self._words()
        tweets = words["tweet_id"]
        stored, newest = np.zeros(len(words), np.bool_), np.ones(len(words), np.bool_)
        reasons: dict[int, str] = {}
        for place, day in enumerate(self.days):
            old = read(self.lake.coverage(self.pull.endpoint, day), COVERAGE.schema)
            merged = merged_coverage(old, self._new_coverage(words, place))
            if not merged.equals(old):
                aside = self.lake.aside / f"{day}.coverage.parquet"
                write(merged, aside)
                files[aside] = self.lake.coverage(self.pull.endpoint, day)
            of_pull = merged.take(pc.index_in(tweets, merged["tweet_id"]))
            newest &= pc.equal(of_pull["asked_at"], words["asked_at"]).to_numpy()
            served = pc.equal(of_pull["outcome"], STORED)
            stored |= served.to_numpy()
            for word in of_pull.filter(pc.invert(served)).select(["tweet_id", "outcome", "text"]).to_pylist():
                reason = word["outcome"] if word["outcome"] == UNAVAILABLE else word["text"] or word["outcome"]
                reasons[word["tweet_id"]] = max(reason, reasons.get(word["tweet_id"], ""))
        self.newest_words = of_pull.filter(pa.array(newest))  # of the last day; who was refused is so on each
        served_tweets = frozenset(tweets.filter(pa.array(stored)).to_pylist())
        return files, Publication(
            pull=self.pull,
            requested=len(words),
            stored=served_tweets,
            set_aside={tweet: reason for tweet, reason in reasons.items() if tweet not in served_tweets},
            revised=self.revised,
            days_written=self.days_written,
        )

    def _words(self) -> pa.Table:
        """Return what this pull says of each Tweet that it asked for, whatever the day."""
        rows = []
        for tweet in self.answers.all_tweets.tolist():
            newest, answer = self.answers.newest(tweet), self.answers.answer(tweet)
            rows.append(
                {
                    "tweet_id": tweet,
                    "asked_at": newest.asked_at,
                    "outcome": self.answers.outcome(tweet),
                    "text": self.answers.said(tweet),
                    "pulled_at": answer and answer.asked_at,
                    "source": answer and f"{self.pull.name}/{answer.path.name}",
                }
            )
        fields = [
            COVERAGE.schema.field(name).with_nullable(True)
            for name in ("tweet_id", "asked_at", "outcome", "text", "pulled_at", "source")
        ]
        return pa.Table.from_pylist(rows, schema=pa.schema(fields))

    def _new_coverage(self, words: pa.Table, place: int) -> pa.Table:
        """Return what this pull says of each Tweet and day that the lake has not heard of since."""
        tweets = words["tweet_id"].to_numpy()
        at = np.searchsorted(tweets, self.asked)
        told = np.isin(tweets, np.array(sorted(self.answers.refused), np.int64))
        told[at] |= self.later[:, place]
        rows = np.zeros(len(tweets), np.int32)
        rows[at] = self.stored_rows[:, place]
        some = pa.array(rows > 0)
        nothing = pa.scalar(None)
        columns = {
            "tweet_id": words["tweet_id"],
            "day": pa.repeat(pa.scalar(self.days[place], pa.date32()), len(tweets)),
            "asked_at": words["asked_at"],
            "outcome": pc.coalesce(words["outcome"], pc.if_else(some, STORED, MISSING)),
            "text": words["text"],
            "first_pulled_at": pa.nulls(len(tweets), TIMESTAMP),
            "pulled_at": pc.if_else(some, words["pulled_at"], nothing.cast(TIMESTAMP)),
            "rows": pa.array(rows),
            "source": pc.if_else(some, words["source"], nothing.cast(pa.string())),
        }
        return pa.table(columns).cast(COVERAGE.schema).filter(pa.array(told))

    def _write_set_aside(self) -> dict[Path, Path]:
        """Write aside the list of Tweets that the API would not serve, as far as this pull has the newest word."""
        heard = {}
        for word in self.newest_words.select(["tweet_id", "outcome", "text"]).to_pylist():
            tweet, newest = word["tweet_id"], self.answers.newest(word["tweet_id"])
            heard[tweet] = SetAside(
                tweet_id=tweet,
                handle=newest.request.handle,
                endpoint=self.pull.endpoint.name,
                reason="" if word["outcome"] in (STORED, MISSING) else word["outcome"],
                text=word["text"],
                asked_at=newest.asked_at,
                tokens=newest.tokens,
            )
        aside = self.lake.aside / self.lake.set_aside.name
        return {aside: self.lake.set_aside} if set_aside.merge(self.lake, heard, into=aside) else {}
