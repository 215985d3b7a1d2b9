"""The table of hours, engagements: a pull's newer answers merged into the files of their days, count by count.

In: what is pending. Out: staged, what the pull revised, the months' daily sums, and the days' rows, in this order.

Only a later answer for the same Tweet, type, day and hour replaces a count. So a later pull of fewer types takes
nothing away, nor does one that the API answers in part. A day that a pull leaves as it was is not written.
"""

from __future__ import annotations

from collections import deque
from contextlib import closing
from functools import partial
from itertools import count, cycle
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from engagement_pipeline.core.errors import LakeError
from engagement_pipeline.core.tables import ENGAGEMENTS
from engagement_pipeline.lake.looking import of_worker
from engagement_pipeline.publish import revisions
from engagement_pipeline.publish.day_worker import DayWorker, Range, Share
from engagement_pipeline.publish.left_out import AnswerSums
from engagement_pipeline.publish.newest import Opened, reasons_of
from engagement_pipeline.publish.staging import Staged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from engagement_pipeline.core.model import NotServed, Progress
    from engagement_pipeline.lake.landed_file import Landed
    from engagement_pipeline.lake.layout import Lake
    from engagement_pipeline.publish.day_file import StagedDay
    from engagement_pipeline.publish.day_worker import Merged, Read
    from engagement_pipeline.publish.merge import Revised
    from engagement_pipeline.publish.newest import Part
    from engagement_pipeline.publish.pending import Chunk, Pending
    from engagement_pipeline.publish.workers import Answer, Worker, Workers

T = TypeVar("T")
AHEAD = 2  # ranges of Tweets that are read, and that are merged, before the one that is waited for


def stage(lake: Lake, pending: Pending, *, sums: bool, workers: Workers, progress: Progress) -> Staged:
    """Stage each day that newer answers change, and what they revise; the days' sums too, if `sums`."""
    pull = pending.pull
    stored = np.zeros(pending.later.shape, np.int32)
    sums_by_day = {place: AnswerSums.none(len(pending.tweets)) for place in pending.places}
    revised = early = 0
    not_served: dict[int, NotServed] = {}
    with closing(revisions.Writer(lake, lake.staging / "revisions.parquet")) as sink:
        with workers.each(_made_of(lake, pending, workers)) as members:
            for chunk, merged, reasons in _merged(lake, pending, members):
                for place, of_day in merged.items():
                    stored[chunk.places, place] = of_day.stored
                    sums_by_day[place].fill(chunk.places, of_day.sums)
                    _append(sink, of_day.revised, pending, place)
                    revised += len(of_day.revised.old)
                    early += of_day.early
                not_served |= reasons
                progress(chunk.places.stop, len(pending.tweets))
            finished = [*_in_order(member.ask(DayWorker.finish) for member in members).values()]
        before = sink.finish(lake.revisions(pull))
    if sums:
        _of_one_time(lake, pending, finished)
    written = tuple(day.day for day in finished if day.changed)
    return Staged(
        files={staged: target for day in finished for staged, target in day.files.items()},
        before=before,
        stored=stored,
        not_served=not_served,
        daily={day.day: day.sums for day in finished if day.sums} if sums else None,
        sums=sums_by_day,
        revised=revised,
        days_written=written,
        early=early,
    )


def _made_of(lake: Lake, pending: Pending, workers: Workers) -> list[Callable[[], DayWorker]]:
    """Return what makes each worker's object: days are dealt out in turn, since the first ones have fewer rows."""
    number = max(1, min(workers.number(pending.most_rows), len(pending.places)))
    coming = pending.answers.in_order() if pending.places else []
    locks = [of_worker(lake.notes, place) for place in range(number)] if number > 1 else [lake.notes]
    return [
        partial(
            DayWorker,
            lake,
            pending.pull,
            days=pending.days,
            places=pending.places[place::number],
            coming=coming[place::number],
            lock=lock,
        )
        for place, lock in enumerate(locks)
    ]


class _Asked(NamedTuple):
    """A range of Tweets that the workers were asked to merge."""

    chunk: Chunk
    shares: list[Share]
    spent: list[Answer[Read]]
    merged: list[Answer[dict[int, Merged]]]


def _merged(
    lake: Lake, pending: Pending, members: Sequence[Worker[DayWorker]]
) -> Iterator[tuple[Chunk, dict[int, Merged], dict[int, NotServed]]]:
    """Yield each range of Tweets, what it came to by the day's place, and which Tweets were not served.

    Of several workers, each has the next responses to read and the next range to merge while the others end theirs.
    """
    ahead = AHEAD if len(members) > 1 else 0
    turn, numbers = cycle(members), count()

    def opening(landed: Landed) -> Answer[Read]:
        into = lake.staging / f"{next(numbers)}.response.arrow" if ahead else None
        return next(turn).ask(DayWorker.read, landed, into)

    opened = Opened(pending.answers, opening)
    chunks = pending.chunks([pending.known[place].tweets for place in pending.places])
    planned = ((chunk, *opened.parts(chunk.low, chunk.high)) for chunk in chunks)
    asked = (_ask(pending, members, *each) for each in _behind(planned, ahead))
    for each in _behind(asked, ahead):
        yield _come(each)


def _behind(items: Iterable[T], ahead: int) -> Iterator[T]:
    """Yield items, each once so many that follow it are there."""
    waiting: deque[T] = deque()
    for item in items:
        waiting.append(item)
        if len(waiting) > ahead:
            yield waiting.popleft()
    yield from waiting


def _ask(
    pending: Pending,
    members: Sequence[Worker[DayWorker]],
    chunk: Chunk,
    parts: list[Part[Answer[Read]]],
    spent: list[Answer[Read]],
) -> _Asked:
    """Ask the workers to merge a range, once the responses are read."""
    shares = [Share(part.opened.result(), part.tweets, part.whole) for part in parts]
    part = Range(chunk.low, chunk.high, pending.tweets[chunk.places], pending.later[chunk.places], shares)
    return _Asked(chunk, shares, spent, [member.ask(DayWorker.merge, part) for member in members])


def _come(asked: _Asked) -> tuple[Chunk, dict[int, Merged], dict[int, NotServed]]:
    """Return what a range of Tweets came to, and give back the responses that are spent."""
    merged = _in_order(asked.merged)
    for spent in asked.spent:
        spent.result().drop()
    reasons: dict[int, NotServed] = {}
    for share in asked.shares:
        reasons |= reasons_of(share.tweets, share.read.not_served)
    return asked.chunk, merged, reasons


def _in_order(answers: Iterable[Answer[dict[int, T]]]) -> dict[int, T]:
    """Return what all workers answered, by the place of the day."""
    found = [*answers]  # all are asked before the first is waited for
    return dict(sorted(item for answer in found for item in answer.result().items()))


def _append(sink: revisions.Writer, revised: Revised, pending: Pending, place: int) -> None:
    sink.append(
        revised,
        pending.days[place],
        old_pulled_at=pending.known[place].of_tweets(revised.rows.tweets).pulled_at,
        new_pulled_at=pending.asked_at[pending.at(revised.rows.tweets)],
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
