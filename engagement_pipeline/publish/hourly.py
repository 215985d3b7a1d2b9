"""The table of hours, engagements: a pull's newer answers merged into the files of their days, count by count.

In: what is pending. Out: staged, what the pull revised, the months' daily sums, and the days' rows, in this order.

Only a later answer for the same Tweet, type, day and hour replaces a count. So a later pull of fewer types takes
nothing away, nor does one that the API answers in part. A day that a pull leaves as it was is not written.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from engagement_pipeline.core.errors import LakeError
from engagement_pipeline.core.measured import before_posted, first_hour, youngest_from
from engagement_pipeline.core.tables import ENGAGEMENTS, TYPE_NAMES
from engagement_pipeline.publish import daily, left_out, revisions
from engagement_pipeline.publish.day_file import DayFile
from engagement_pipeline.publish.left_out import AnswerSums
from engagement_pipeline.publish.merge import split_by_day
from engagement_pipeline.publish.staging import Staged

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from engagement_pipeline.core.model import NotServed, Progress
    from engagement_pipeline.lake.layout import Lake
    from engagement_pipeline.publish.day_file import StagedDay
    from engagement_pipeline.publish.merge import Rows
    from engagement_pipeline.publish.pending import Chunk, Pending


def stage(lake: Lake, pending: Pending, *, sums: bool, progress: Progress) -> Staged:
    """Stage each day that newer answers change, and what they revise; the months' daily sums too, if `sums`."""
    pull, days, places = pending.pull, pending.days, pending.places
    stored = np.zeros(pending.later.shape, np.int32)
    sums_by_day = {place: AnswerSums.none(len(pending.tweets)) for place in places}
    revised = early = 0
    not_served: dict[int, NotServed] = {}
    with closing(revisions.Writer(lake, lake.staging / "revisions.parquet")) as sink, ExitStack() as stack:
        files = {
            place: stack.enter_context(closing(DayFile(lake, days[place], newest_pull=pull.name))) for place in places
        }
        for chunk in pending.chunks([pending.known[place].tweets for place in places], progress):
            merged = _merge_chunk(pending, chunk, files, sink)
            stored[chunk.places] = merged.stored
            for place, of_day in merged.sums.items():
                sums_by_day[place].fill(chunk.places, of_day)
            not_served |= merged.not_served
            revised += merged.revised
            early += merged.early
        before = sink.finish(lake.revisions(pull))
        finished = [file.finish() for file in files.values()]
    if sums:
        _of_one_time(lake, pending, finished)
    # Before the rows, and the sums too: with them an interrupted publication, which finds the rows older, begins anew.
    if sums:
        before |= daily.write_months(lake, {day.day: day.sums for day in finished if day.sums}, days=days)
    rows = {staged: target for day in finished for staged, target in day.files.items()}
    written = tuple(day.day for day in finished if day.changed)
    return Staged(
        groups=(before, rows),
        stored=stored,
        not_served=not_served,
        sums=sums_by_day,
        revised=revised,
        days_written=written,
        early=early,
    )


def _of_one_time(lake: Lake, pending: Pending, finished: Sequence[StagedDay]) -> None:
    """Raise where the rows of a day are not those of its coverage: what was revised would be told of a wrong pull.

    So they are, too, where a publication of this pull was stopped between the two; this one makes it good.
    """
    told = dict(zip(pending.days, pending.told, strict=True))
    for day in finished:
        rows, total = told[day.day]
        agree = day.old_rows == rows and total in {None, day.old_total}
        if not agree and day.old_pull != pending.pull.name:
            raise LakeError(
                f"{lake.rows(ENGAGEMENTS, day.day)} and its coverage are not of the same time, as if an older copy of "
                f"one was put back: put the newer one back, or engagement rebuild --from {day.day} --to {day.day} "
                "makes both anew from raw",
                day=day.day,
            )


class _Merged(NamedTuple):
    """A range of Tweets, merged, as Staged has it."""

    stored: npt.NDArray[np.int32]
    not_served: dict[int, NotServed]
    sums: dict[int, AnswerSums]
    revised: int
    early: int


def _merge_chunk(pending: Pending, chunk: Chunk, files: Mapping[int, DayFile], revised: revisions.Writer) -> _Merged:
    """Merge a range of Tweets into the files of the days."""
    tweets = pending.tweets[chunk.places]
    stored = np.zeros((len(tweets), len(pending.days)), np.int32)
    asked = [TYPE_NAMES.index(name) for name in pending.pull.types]
    sums = {}
    number = early = 0
    parts = pending.answers.parts(chunk.low, chunk.high)
    fresh = split_by_day([part.rows for part in parts], pending.days[0], pending.later[chunk.places], tweets)
    for place, file in files.items():
        rows, changed = file.take(chunk.high, fresh[place])
        found, numbers = rows.by_tweet()
        named = np.isin(found, fresh[place].by_tweet()[0])
        stored[np.searchsorted(tweets, found[named]), place] = numbers[named]
        sums[place] = left_out.compared(tweets, rows, fresh[place], asked=asked)
        revised.append(
            changed,
            pending.days[place],
            old_pulled_at=pending.known[place].of_tweets(changed.rows.tweets).pulled_at,
            new_pulled_at=pending.asked_at[pending.at(changed.rows.tweets)],
        )
        number += len(changed.old)
        early += _early(fresh[place], pending.days[place])
    not_served = {tweet: why for part in parts for tweet, why in part.not_served.items()}
    return _Merged(stored, not_served, sums, number, early)


def _early(rows: Rows, day: date) -> int:
    """Count the rows of hours before their Tweet was posted."""
    first = first_hour(day)
    young = rows.at(slice(int(np.searchsorted(rows.tweets, youngest_from(first))), None))
    return int(np.count_nonzero(before_posted(young.tweets, first + young.hours.astype(np.int64))))
