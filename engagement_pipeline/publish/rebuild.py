"""Tables made anew from what has landed: no request, and no row lost whose response is gone.

In: a lake, one of its tables, and days. Out: the days' files, and what was found of each. The days of a month of
engagements are replaced together, with the month's file of daily sums; those of the other tables one after another.

    what is not published yet ──> published
    raw ──> published again into .rebuild/, a lake of its own without rows ──> merged over what is published

The second line takes nearly all of the time, and needs no lock: rebuilds of other days, and publications, may be at
work beside it. The lake's lock is held where files are put in their places, and only if what they were made from is
still there (turns.py). Else all that is left is made once more, under the lock from its first read to its last rename.

What landed is published there in the order in which it was pulled, so counts, coverage and revisions come out as they
once did. Where an answer is gone that the tables hold (rebuild_gaps.py), what was published stays. No row
(rebuild_days.py) and no revision (rebuild_revisions.py) is put down to the answers around such a gap. The report
counts the gaps. set_aside.parquet is changed by what is published first alone.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from engagement_pipeline import sources
from engagement_pipeline.core.dated import A_DAY
from engagement_pipeline.core.errors import LakeError, advice
from engagement_pipeline.core.model import Progress, quiet
from engagement_pipeline.core.table import Merge
from engagement_pipeline.lake import forgotten, raw, rebuilds
from engagement_pipeline.lake.layout import LAKE_LOCK, Lake
from engagement_pipeline.lake.looking import MemoryLackError
from engagement_pipeline.lake.parquet import is_sound, write
from engagement_pipeline.lake.recovery import recover
from engagement_pipeline.publish import daily, rebuild_days, rebuild_revisions
from engagement_pipeline.publish.publisher import publish_part, publish_sound
from engagement_pipeline.publish.rebuild_days import Known
from engagement_pipeline.publish.rebuild_gaps import Answered
from engagement_pipeline.publish.retention import reaches
from engagement_pipeline.publish.turns import Turns
from engagement_pipeline.publish.workers import WorkerEndedError, Workers

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from engagement_pipeline.core.endpoints import Endpoint
    from engagement_pipeline.lake.raw import Pull
    from engagement_pipeline.publish.turns import Turn

logger = logging.getLogger(__name__)
ROWS_A_BYTE = 10  # of a file of hours, about: most counts are zero


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What rebuilding one day of a table came to.

    `rows` are all that it has now; of recent.parquet, the first day's are those of all days. `kept` has the Tweets
    with rows that stay though raw no longer proves them, and the number of these rows. `lost` are the Tweets with rows
    that stood only in a damaged or missing file. `gaps` counts the Tweets of which raw lacks an answer that was,
    or may have been, published. `changed` tells whether the table has another content than before, `damaged` names the
    files that could not be read.
    """

    endpoint: Endpoint
    day: date
    rows: int
    kept: dict[int, int]
    lost: tuple[int, ...]
    gaps: int
    changed: bool
    damaged: tuple[Path, ...]


def rebuild_table(
    lake: Lake,
    endpoint: Endpoint,
    *,
    first: date | None = None,
    last: date | None = None,
    workers: int = 1,
    progress: Progress = quiet,
) -> list[Rebuilt]:
    """Make the table of an endpoint anew for the UTC days `first` to `last`, by default for all that it has.

    Several at once, of other days or the same, come to what they come to one after another. Up to so many `workers` are
    processes of their own, where the rows are worth it; what they write is the same.

    `progress` gets pulls done and pulls in all. Raises LakeError where a response is damaged or a file cannot be
    written; the months that are not done yet are then as they were.
    """
    lake.open(create=False)
    try:
        with Workers(workers) as shared:
            return _rebuilt(lake, endpoint, first, last, workers=shared, progress=progress)
    except OSError as error:
        raise LakeError(
            f"{error.filename or lake.root} cannot be used: {error.strerror}; days may be new already, the "
            f"others are as they were. {advice(error, 'rebuild again: that makes all of them anew')}"
        ) from error


def _rebuilt(
    lake: Lake, endpoint: Endpoint, first: date | None, last: date | None, *, workers: Workers, progress: Progress
) -> list[Rebuilt]:
    """Make days anew beside others at work; where these change what they are made of, once more under the lock."""
    done: list[Rebuilt] = []
    with ExitStack() as held:
        with lake.locked(LAKE_LOCK, "a publication"):
            recover(lake, sources.read)
            part = _begun(lake, endpoint, _asked(lake, endpoint, first, last), workers=workers)
            name = held.enter_context(rebuilds.place(lake))
            turns = Turns(lake, endpoint, part.days, _pulls_of(lake, endpoint, part.days))
        make = partial(_made_anew, lake, endpoint, name=name, workers=workers, progress=progress)
        try:
            done += make(part, turn=turns.take)
        except (WorkerEndedError, MemoryLackError):
            raise
        except (LakeError, OSError) as error:
            with lake.locked(LAKE_LOCK, "a publication"):
                if not turns.changed():
                    raise
                logger.warning("what is left is made anew while others wait: %s", error)
                recover(lake, sources.read)
                left = _left(endpoint, part, done)
                done = [each for each in done if each.day not in left.days]
                done += make(_begun(lake, endpoint, left, workers=workers), turn=nullcontext)
    return done


class _Part(NamedTuple):
    """The days that a rebuild makes anew, whether they are all that there are, and those that it published first."""

    days: Sequence[date]
    whole: bool
    written: frozenset[date] = frozenset()


def _asked(lake: Lake, endpoint: Endpoint, first: date | None, last: date | None) -> _Part:
    """Return which days of a table are asked for; one of a single file has no part."""
    all_days = _days(lake, endpoint)
    days = [day for day in all_days if (first is None or first <= day) and (last is None or day <= last)]
    if endpoint.table.merge is Merge.LATEST and days:
        days = all_days
    return _Part(days, days == all_days)


def _left(endpoint: Endpoint, part: _Part, done: Sequence[Rebuilt]) -> _Part:
    """Return what is left of a part, once some days are done; of a table of a single file, that is all."""
    if endpoint.table.merge is Merge.LATEST:
        return part._replace(written=part.written | {each.day for each in done if each.changed})
    return part._replace(days=[day for day in part.days if day not in {each.day for each in done}])


def _begun(lake: Lake, endpoint: Endpoint, part: _Part, *, workers: Workers) -> _Part:
    """Publish first what has landed of a part, under the lake's lock."""
    return part._replace(written=part.written | _publish_first(lake, endpoint, part.days, workers=workers))


def _made_anew(
    lake: Lake, endpoint: Endpoint, part: _Part, *, name: str, turn: Turn, workers: Workers, progress: Progress
) -> Iterator[Rebuilt]:
    """Yield the days of a part, each once it is in its place; a `turn` is taken to put files there."""
    with _shadow(lake, name) as shadow:
        pulls = _pulls_of(lake, endpoint, part.days)
        known = _known(lake, endpoint, part.days, _pulls(lake, endpoint), workers=workers)
        _publish_again(shadow, pulls, known, workers=workers, progress=progress)
        by_cell = endpoint.table.merge is Merge.CELL
        with turn():
            healed = _revise(lake, shadow, pulls, known)
            if by_cell and part.whole:
                rebuild_revisions.drop_damaged(lake, pulls)
        together = groupby(known.values(), lambda each: lake.daily(each.day) if by_cell else each.day)
        put_back = partial(_put_back, lake, shadow, healed=healed, written=part.written, turn=turn, workers=workers)
        for _, group in together:
            yield from put_back([*group])


def _publish_first(lake: Lake, endpoint: Endpoint, days: Sequence[date], *, workers: Workers) -> set[date]:
    """Publish what has landed of the days, and return those whose rows it changes.

    Only beside what is published is it known what these answers revise. What a damaged file keeps from it is published
    with the rest of raw.
    """
    written: set[date] = set()
    for pull in raw.open_pulls(lake):
        if pull.endpoint != endpoint:
            continue
        of_pull = [day for day in pull.days() if day in days]
        try:
            publications, _ = publish_sound(lake, pull, of_pull, workers=workers)
        except WorkerEndedError:
            raise
        except LakeError:
            continue
        written |= {day for publication in publications for day in publication.days_written}
    return written


def _days(lake: Lake, endpoint: Endpoint) -> list[date]:
    """Return the days of a table of which there is a pull or coverage, or a sound file of rows alone, in order."""
    pulled = {day for pull in _pulls(lake, endpoint) for day in pull.days()}
    covered = lake.storage.find(f"day={A_DAY}", within=lake.coverage(endpoint, date.min).parent.parent)
    known = pulled | {_day_of(folder) for folder in covered}
    if endpoint.table.merge is Merge.LATEST:
        return sorted(known)
    rows = {_day_of(path.parent): path for path in lake.storage.find(endpoint.table.glob)}
    # One with rows of another day is a copy, or the only place of them: it is for a person to move.
    return sorted(known | {day for day in rows.keys() - known if is_sound(lake, rows[day], endpoint.table)})


def _day_of(folder: Path) -> date:
    return date.fromisoformat(folder.name.partition("=")[2])


def _pulls(lake: Lake, endpoint: Endpoint) -> list[Pull]:
    """Return the pulls that the table is made of, oldest first."""
    pulls = raw.all_pulls(lake, endpoint)
    return [pull for pull in pulls if reaches(pull, pulls[-1].started_at)]


def _pulls_of(lake: Lake, endpoint: Endpoint, days: Sequence[date]) -> list[Pull]:
    """Return those of the pulls that have any of these days."""
    return [pull for pull in _pulls(lake, endpoint) if not {*days}.isdisjoint(pull.days())]


def _known(
    lake: Lake, endpoint: Endpoint, days: Sequence[date], pulls: Sequence[Pull], *, workers: Workers
) -> dict[date, Known]:
    """Return what is known of each day."""
    sizes = (lake.storage.size(lake.rows(endpoint.table, day)) for day in days)
    calls = [partial(rebuild_days.damaged, lake, endpoint, day) for day in days]
    with (
        workers.calling(calls, rows=ROWS_A_BYTE * sum(sizes)) as found,
        closing(Answered(lake, endpoint, pulls, {*days})) as answered,
    ):
        return {
            day: Known.of(lake, endpoint, day, answered=answered, damaged=damaged)
            for day, damaged in zip(days, found, strict=True)
        }


@contextmanager
def _shadow(lake: Lake, name: str) -> Iterator[Lake]:
    """Have an empty lake within the lake, and none afterwards; it is staged, and so on the disk in any storage."""
    with lake.storage.staging(lake.rebuilding(name)) as folder:
        shadow = Lake(folder, source=lake.source, notes=name)
        shadow.open()
        forgotten.save(shadow, forgotten.load(lake))  # raw may be of a backup
        yield shadow


def _publish_again(
    shadow: Lake, pulls: Sequence[Pull], known: Mapping[date, Known], *, workers: Workers, progress: Progress
) -> None:
    """Publish into the shadow lake what landed of the days, as if they had no rows but those that raw has lost."""
    for day in known.values():
        day.cover(shadow)
    for done, pull in enumerate(pulls, start=1):
        of_pull = [day for day in pull.days() if day in known]
        if of_pull:
            publish_part(shadow, pull, of_pull, workers=workers, sums=False)
        progress(done, len(pulls))
    for day in known.values():
        table = day.endpoint.table
        made = shadow.rows(table, day.day)
        if table.merge is Merge.LATEST and day.target in day.damaged and not shadow.storage.exists(made):
            write(table.schema.empty_table(), made, table)  # of nothing in raw: it becomes one without rows


def _revise(lake: Lake, shadow: Lake, pulls: Sequence[Pull], known: Mapping[date, Known]) -> dict[date, list[Path]]:
    """Add what the pulls are found to revise; return the damaged files made anew, by the first of their days."""
    healed: dict[date, list[Path]] = {}
    for pull in pulls:
        days = [known[day] for day in pull.days() if day in known]
        for path in rebuild_revisions.add_found(lake, shadow, pull, days):
            healed.setdefault(days[0].day, []).append(path)
    return healed


def _put_back(
    lake: Lake,
    shadow: Lake,
    days: Sequence[Known],
    *,
    healed: Mapping[date, Sequence[Path]],
    written: Collection[date],
    turn: Turn,
    workers: Workers,
) -> list[Rebuilt]:
    """Put days that were made again over the published ones, all at once, and say what came of each."""
    of_month = days[0].merge is Merge.CELL
    calls = [partial(rebuild_days.stage, known, shadow) for known in days]
    with shadow.storage.staging(shadow.staging) as aside:
        with workers.calling(calls, rows=sum(known.told for known in days)) as staged:
            remade = [*zip(days, staged, strict=True)]
        sums = {known.day: made.sums for known, made in remade}
        months = daily.write_months(lake, sums, aside=aside) if of_month else daily.Months({}, [])
        rows = {staged: target for _, made in remade for staged, target in made.files.items()}
        coverage = {staged: target for _, made in remade for staged, target in made.coverage.items()}
        with turn():
            lake.storage.swap(months.files, rows, coverage)
    return [
        Rebuilt(
            endpoint=known.endpoint,
            day=known.day,
            rows=made.rows,
            kept=made.kept,
            lost=tuple(sorted(made.lost)),
            gaps=len(known.unproven),
            changed=made.changed or known.day in written,
            damaged=(*known.damaged, *healed.get(known.day, ()), *(months.damaged if known is days[0] else ())),
        )
        for known, made in remade
    ]
