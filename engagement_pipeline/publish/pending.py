"""What of a pull is not in the tables yet: its answers, beside what the lake knows of the same Tweets and days.

In: a lake, a pull and some of its days. Out: one Pending, which each stage of a publication reads and none changes.

Tweets are worked through in the order of their IDs, CHUNK_TWEETS at a time, whatever the size of the pull.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from engagement_pipeline.core.rows import TIMESTAMP
from engagement_pipeline.core.tables import COVERAGE
from engagement_pipeline.lake import forgotten
from engagement_pipeline.lake.parquet import read
from engagement_pipeline.publish.merge import HOURS, LAST_ID, NEVER, Ints
from engagement_pipeline.publish.newest import NewestAnswers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from engagement_pipeline.lake.layout import Lake
    from engagement_pipeline.lake.raw import Pull

OF_COVERAGE = ("tweet_id", "asked_at", "pulled_at", "rows", "answer_count", "kept_count")
CHUNK_TWEETS = 250  # of a day: 102,000 rows, which are a row group


class Index(NamedTuple):
    """What the coverage of a day knows of each Tweet, sorted by Tweet; times in microseconds, NEVER for none."""

    tweets: Ints
    asked_at: Ints
    pulled_at: Ints

    @classmethod
    def of(cls, coverage: pa.Table) -> Self:
        """Read it from a day's coverage."""
        times = (_microseconds(coverage[name]) for name in ("asked_at", "pulled_at"))
        return cls(coverage["tweet_id"].to_numpy(), *times)

    def of_tweets(self, wanted: Ints) -> Index:
        """Return what is known of some Tweets, NEVER of those that are not there."""
        place = np.searchsorted(self.tweets, wanted)
        found = place < len(self.tweets)
        found[found] = self.tweets[place[found]] == wanted[found]
        times = [np.full(len(wanted), NEVER), np.full(len(wanted), NEVER)]
        for here, there in zip(times, (self.asked_at, self.pulled_at), strict=True):
            here[found] = there[place[found]]
        return Index(wanted, *times)


class Told(NamedTuple):
    """What the coverage of a day tells of the rows: how many there are, and their sum; None where it lacks a Tweet."""

    rows: int
    total: int | None

    @classmethod
    def of(cls, coverage: pa.Table) -> Self:
        """Read it from a day's coverage."""
        stored = coverage.filter(pc.greater(coverage["rows"], 0))
        total = pc.sum(pc.add(coverage["answer_count"], coverage["kept_count"])).as_py() or 0
        return cls(pc.sum(stored["rows"]).as_py() or 0, None if stored["answer_count"].null_count else total)


class Chunk(NamedTuple):
    """A range of Tweet IDs, `low` excluded and `high` included, and the places of those that were answered for."""

    low: int
    high: int
    places: slice


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pending:
    """Some days of a pull, which follow one another, and which of its answers are newer than the lake's rows.

    `tweets` are those that were answered for, sorted, and `asked_at` is when, in microseconds. `known` and `told` are
    by day. `later` tells, by Tweet and day, whether the answer is newer than the lake's rows and not published yet.
    """

    pull: Pull
    days: Sequence[date]
    answers: NewestAnswers
    asked_at: Ints
    known: Sequence[Index]
    told: Sequence[Told]
    later: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, lake: Lake, pull: Pull, days: Sequence[date]) -> Self:
        """Read what the pull has landed and what the lake has of these days; LakeError where a file is damaged."""
        answers = NewestAnswers(pull, forgotten.load(lake))
        asked_at = _microseconds(pa.array(answers.answered_at(), TIMESTAMP))
        paths = [lake.coverage(pull.endpoint, day) for day in days]
        with lake.storage.ahead(paths):
            coverage = [read(lake, path, COVERAGE, columns=OF_COVERAGE) for path in paths]
        known, told = [Index.of(each) for each in coverage], [Told.of(each) for each in coverage]
        of_tweets = [index.of_tweets(answers.tweets) for index in known]
        later = [(asked_at > index.pulled_at) & (asked_at != index.asked_at) for index in of_tweets]
        by_tweet = np.array(later, np.bool_).reshape(len(days), len(asked_at)).T
        return cls(pull=pull, days=days, answers=answers, asked_at=asked_at, known=known, told=told, later=by_tweet)

    @property
    def tweets(self) -> Ints:
        """The Tweets that were answered for, sorted."""
        return self.answers.tweets

    @property
    def places(self) -> list[int]:
        """The days, by their place, of which any answer is newer."""
        found: list[int] = np.flatnonzero(self.later.any(axis=0)).tolist()
        return found

    def at(self, tweets: Ints) -> npt.NDArray[np.intp]:
        """Return the places of Tweets that were answered for."""
        return np.searchsorted(self.tweets, tweets)

    @property
    def most_rows(self) -> int:
        """How many rows are merged at the most: the newer ones, and those published of the same days."""
        newer = int(self.later.sum()) * len(self.pull.types) * HOURS
        return newer + sum(self.told[place].rows for place in self.places)

    def chunks(self, published: Sequence[Ints]) -> Iterator[Chunk]:
        """Yield ranges that together hold every Tweet ID there is; none where no file is to be merged.

        `published` are the Tweets of each file that is to be merged.
        """
        if not published:
            return
        tweets = np.unique(np.concatenate([self.tweets, *published]))
        for low, high in pairwise([NEVER, *tweets[CHUNK_TWEETS - 1 : -1 : CHUNK_TWEETS].tolist(), LAST_ID]):
            first, last = np.searchsorted(self.tweets, (low, high), "right").tolist()
            yield Chunk(low, high, slice(first, last))


def _microseconds(times: pa.Array | pa.ChunkedArray) -> Ints:
    """Return times as int64 microseconds since 1970, NEVER for null."""
    microseconds: Ints = times.cast(pa.int64()).fill_null(NEVER).to_numpy()
    return microseconds
