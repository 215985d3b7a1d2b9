"""What one worker does of a publication of hours: it reads some responses, and merges the rows of some days.

    a response ─> its rows, day after day: in memory, or in a file that every worker maps ─> merged into its days' files

In: responses that landed, and ranges of Tweets. Out: what the merge of a range came to, and the staged files of the
days. Each day is with one worker from its first Tweet to its last, so it comes out the same however many there are.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from engagement_pipeline.core.measured import before_posted, first_hour, youngest_from
from engagement_pipeline.core.tables import ENGAGEMENTS, TYPE_NAMES
from engagement_pipeline.publish import left_out
from engagement_pipeline.publish.by_day import ByDay, Part, Runs, joined, split_by_day
from engagement_pipeline.publish.day_file import DayFile
from engagement_pipeline.publish.newest import Reader

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from engagement_pipeline.core.model import NotServed
    from engagement_pipeline.lake.landed_file import Landed
    from engagement_pipeline.lake.layout import Lake
    from engagement_pipeline.lake.raw import Pull
    from engagement_pipeline.publish.day_file import StagedDay
    from engagement_pipeline.publish.left_out import AnswerSums
    from engagement_pipeline.publish.merge import Ints, Revised, Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What a response says of days: their rows, in memory or in a file, and why it does not serve some Tweets."""

    runs: Runs | Path
    ends: Sequence[int]
    not_served: Mapping[int, NotServed]

    def by_day(self) -> ByDay:
        """Return the rows."""
        return ByDay(self.runs if isinstance(self.runs, Runs) else Runs.mapped(self.runs), self.ends)

    def drop(self) -> None:
        """Remove the file."""
        if not isinstance(self.runs, Runs):
            self.runs.unlink()


class Share(NamedTuple):
    """A response that was read, and the Tweets of a range of which it is the newest answer.

    `whole` tells that it answers for no other Tweet of the range.
    """

    read: Read
    tweets: Ints
    whole: bool


class Range(NamedTuple):
    """The Tweets behind `low`, up to `high` and with it; `tweets` are those that were answered for, in order.

    `later` tells, by Tweet and day, whether the answer is newer than the lake's rows.
    """

    low: int
    high: int
    tweets: Ints
    later: npt.NDArray[np.bool_]
    shares: Sequence[Share]


class Merged(NamedTuple):
    """What a range of Tweets came to on one day.

    `stored` counts the newer rows of each Tweet, `early` those of hours before their Tweet was posted.
    """

    stored: npt.NDArray[np.int32]
    sums: AnswerSums
    revised: Revised
    early: int


class DayWorker:
    """Some of the days that a pull may change, by their places among all its `days`, and their files.

    `coming` are the responses that it is to read, in this order. `lock` is the name of the note that says which.
    """

    def __init__(
        self,
        lake: Lake,
        pull: Pull,
        *,
        days: Sequence[date],
        places: Sequence[int],
        coming: Sequence[Landed],
        lock: str,
    ) -> None:
        self._asked = [TYPE_NAMES.index(name) for name in pull.types]
        self._days = days
        with ExitStack() as stack:
            self._reader = stack.enter_context(closing(Reader(pull.storage, coming, lock)))
            with lake.storage.ahead(lake.rows(ENGAGEMENTS, days[place]) for place in places):
                self._files = {
                    place: stack.enter_context(closing(DayFile(lake, days[place], newest_pull=pull.name)))
                    for place in places
                }
            self._open = stack.pop_all()

    def read(self, landed: Landed, into: Path | None) -> Read:
        """Read a response, into a file where one is named."""
        flat = self._reader.read(landed)
        by_day = split_by_day(flat.rows, self._days[0], len(self._days))
        if into:
            by_day.runs.save(into)
        return Read(runs=into or by_day.runs, ends=by_day.ends, not_served=flat.not_served)

    def merge(self, part: Range) -> dict[int, Merged]:
        """Merge a range of Tweets, which follows the one before, into the files of the days."""
        shares = [
            (share, share.read.by_day(), part.later[np.searchsorted(part.tweets, share.tweets)])
            for share in part.shares
        ]
        merged = {}
        for place, file in self._files.items():
            fresh = joined([_newer(share, rows, place, later[:, place], part) for share, rows, later in shares])
            rows, revised = file.take(part.high, fresh)
            merged[place] = Merged(
                stored=_stored(part.tweets, rows, fresh),
                sums=left_out.compared(part.tweets, rows, fresh, asked=self._asked),
                revised=revised,
                early=_early(fresh, self._days[place]),
            )
        return merged

    def finish(self) -> dict[int, StagedDay]:
        """Write the end of the files, and return what is staged."""
        return {place: file.finish() for place, file in self._files.items()}

    def close(self) -> None:
        """Give the files back."""
        self._open.close()


def _newer(share: Share, rows: ByDay, place: int, later: npt.NDArray[np.bool_], part: Range) -> Part:
    """Return the rows of a day that are newer than the lake's; `later` tells so of each of the share's Tweets."""
    wanted = None if share.whole and later.all() else share.tweets[later]
    return rows.of(place, part.low, part.high, wanted)


def _stored(tweets: Ints, rows: Rows, fresh: Rows) -> npt.NDArray[np.int32]:
    """Count the rows that each Tweet has now, if any of them is fresh."""
    stored = np.zeros(len(tweets), np.int32)
    found, numbers = rows.by_tweet()
    named = slice(None) if rows is fresh else np.isin(found, fresh.by_tweet()[0])
    stored[np.searchsorted(tweets, found[named])] = numbers[named]
    return stored


def _early(rows: Rows, day: date) -> int:
    """Count the rows of hours before their Tweet was posted."""
    first = first_hour(day)
    young = rows.at(slice(int(np.searchsorted(rows.tweets, youngest_from(first))), None))
    return int(np.count_nonzero(before_posted(young.tweets, first + young.hours.astype(np.int64))))
