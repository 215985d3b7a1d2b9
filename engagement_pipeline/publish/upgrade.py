"""A lake of an older format, brought to this one in place: without a request, and without raw.

In: a lake. Out: its files as this program writes them, and what was changed.

    format 1  coverage did not say when a Tweet's day was pulled first
    format 2  `hour` had 8 bits, `day` had this name in the files of its folder too, and zeros of hours before their
              Tweet was posted were rows

Each file is written aside and renamed, those of a month together, and lake.json says the new format in the end. What
is upgraded already comes out the same, so an upgrade that was stopped anywhere is run again. A damaged file is left
as it is and named: only with the new format can it be made anew.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from engagement_pipeline.core.dated import A_DAY
from engagement_pipeline.core.endpoints import RECENT
from engagement_pipeline.core.errors import LakeError, advice
from engagement_pipeline.core.measured import HOURS, before_posted, first_hour, rows_before_posted
from engagement_pipeline.core.model import Progress, quiet
from engagement_pipeline.core.tables import COVERAGE, ENGAGEMENTS, MISSING, REVISIONS, STORED
from engagement_pipeline.lake.layout import FORMAT, LAKE_LOCK
from engagement_pipeline.lake.parquet import opened, read, write
from engagement_pipeline.publish import daily
from engagement_pipeline.publish.coverage import BEFORE_POSTED
from engagement_pipeline.publish.day_file import RowGroupWriter, SortedReader, made_by
from engagement_pipeline.publish.day_sums import SumsWriter
from engagement_pipeline.publish.merge import LAST_ID, Ints, daily_sums, of_table, to_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from engagement_pipeline.core.table import Table
    from engagement_pipeline.lake.layout import Lake


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgraded:
    """What an upgrade came to: the format from before, the days written anew, zeros dropped, and damaged files."""

    older: int
    days: int = 0
    dropped: int = 0
    damaged: tuple[LakeError, ...] = ()


def joined(upgrades: Sequence[Upgraded]) -> Upgraded:
    """Return what the upgrades of several lakes came to, with the oldest format of them."""
    return Upgraded(
        older=min(each.older for each in upgrades),
        days=sum(each.days for each in upgrades),
        dropped=sum(each.dropped for each in upgrades),
        damaged=tuple(damage for each in upgrades for damage in each.damaged),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Rows:
    """A day's rows, staged, with their daily sums; which Tweets have some, sorted, and how many."""

    staged: Path
    sums: Path
    tweets: Ints
    numbers: Ints
    dropped: int


def upgrade(lake: Lake, *, progress: Progress = quiet) -> Upgraded:
    """Bring a lake of an older format to this one; one that has it stays as it is.

    `progress` gets days done and days in all. Raises InputError where there is no lake, LakeError where a file cannot
    be written: run again, the upgrade goes on.
    """
    lake.open(create=False, older=True)
    with lake.locked(LAKE_LOCK, "a publication"):
        older = lake.open(create=False, older=True)
        if older == FORMAT:
            return Upgraded(older=older)
        try:
            days, dropped, damaged = _upgrade_tables(lake, progress)
        except OSError as error:
            raise LakeError(
                f"{error.filename or lake.root} cannot be used ({error.strerror or error}): what is upgraded stays so. "
                f"{advice(error, 'run engagement upgrade again: that goes on')}"
            ) from error
        lake.mark()
    return Upgraded(older=older, days=days, dropped=dropped, damaged=tuple(damaged))


def _upgrade_tables(lake: Lake, progress: Progress) -> tuple[int, int, list[LakeError]]:
    """Return how many days were written anew, how many zeros dropped, and what is damaged."""
    damaged = _upgrade_revisions(lake)
    files = [path for table in (ENGAGEMENTS, COVERAGE) for path in lake.storage.find(table.glob)]
    days = sorted({_day_of(path) for path in files})
    done = dropped = 0
    for _, of_month in groupby(days, lake.daily):
        month = [*of_month]
        dropped_of_month, damaged_of_month = _upgrade_month(lake, month)
        dropped += dropped_of_month
        damaged += damaged_of_month
        done += len(month)
        progress(done, len(days))
    try:
        dropped += _upgrade_recent(lake)
    except LakeError as error:
        damaged.append(error)
    return len(days), dropped, damaged


def _day_of(path: Path) -> date:
    return date.fromisoformat(path.parent.name.removeprefix("day="))


def _upgrade_revisions(lake: Lake) -> list[LakeError]:
    """Write anew what each pull revised; a count that was not measured was not there. Return what is damaged."""
    damaged = []
    for path in lake.storage.find(REVISIONS.glob):
        try:
            rows = read(lake, path, REVISIONS)
        except LakeError as error:
            damaged.append(error)
            continue
        early = pa.array(rows_before_posted(rows))
        old = pc.if_else(pc.and_(early, pc.equal(rows["old"], 0).fill_null(fill_value=False)), None, rows["old"])
        rows = rows.set_column(rows.column_names.index("old"), REVISIONS.schema.field("old"), old)
        nothing = pc.and_(early, pc.and_(pc.is_null(rows["old"]), pc.equal(rows["new"], 0)))
        with lake.storage.staging(lake.staging):
            staged = lake.staging / "revisions.parquet"
            write(rows.filter(pc.invert(nothing)), staged, REVISIONS)
            lake.storage.swap({staged: path})
    return damaged


def _upgrade_month(lake: Lake, days: Sequence[date]) -> tuple[int, list[LakeError]]:
    """Write the rows, sums and coverage of a month's days anew; return how many zeros were dropped, what is damaged."""
    damaged: list[LakeError] = []
    made: dict[date, _Rows] = {}
    coverage: dict[Path, Path] = {}
    with lake.storage.staging(lake.staging):
        for day in days:
            try:
                if lake.storage.exists(lake.rows(ENGAGEMENTS, day)):
                    made[day] = _stage_rows(lake, day)
            except LakeError as error:
                damaged.append(error)
            for path in lake.storage.find(COVERAGE.glob_of(day)):
                staged = lake.staging / f"{day}.{path.parent.parent.name}.parquet"
                try:
                    rows = made.get(day) if path == lake.coverage(lake.hourly, day) else None
                    write(_recounted(_coverage(lake, path), day, rows), staged, COVERAGE)
                except LakeError as error:
                    damaged.append(error)
                else:
                    coverage[staged] = path
        try:
            months = daily.write_months(lake, {day: rows.sums for day, rows in made.items()}).files
        except LakeError as error:  # it is damaged, and so is a day that it could be made of
            damaged.append(error)
            months = {}
        lake.storage.swap(months, {rows.staged: lake.rows(ENGAGEMENTS, day) for day, rows in made.items()}, coverage)
    return sum(rows.dropped for rows in made.values()), damaged


def _stage_rows(lake: Lake, day: date) -> _Rows:
    """Stage a day's rows without the zeros that are not measured, and their sums."""
    staged, sums = lake.staging / f"{day}.rows.parquet", lake.staging / f"{day}.daily.arrow"
    tweets, numbers = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    dropped = 0
    path = lake.rows(ENGAGEMENTS, day)
    with (
        closing(SortedReader(lake, path, _as_written(lake, path, ENGAGEMENTS))) as published,
        closing(RowGroupWriter(staged, ENGAGEMENTS, made_by=made_by(published.newest_pull))) as rows_sink,
        closing(SumsWriter(sums)) as sums_sink,
    ):
        for tweet in published.row_group_ends(LAST_ID):
            found = of_table(published.up_to(tweet))
            early = before_posted(found.tweets, first_hour(day) + found.hours.astype(np.int64))
            rows = found.at(~(early & (found.counts == 0)))
            dropped += len(found.tweets) - len(rows.tweets)
            table = to_table(rows, day)
            rows_sink.append(table)
            sums_sink.append(daily_sums(rows, table))
            for all_found, some in zip((tweets, numbers), rows.by_tweet(), strict=True):
                all_found.append(some)
    return _Rows(
        staged=staged, sums=sums, tweets=np.concatenate(tweets), numbers=np.concatenate(numbers), dropped=dropped
    )


def _as_written(lake: Lake, path: Path, table: Table) -> Table:
    """Return a table as a file of it has been written: without nullable columns that came since, under older names."""
    with opened(lake, path) as file:
        names = {*file.schema_arrow.names}
    columns = (column if column.in_file in names else replace(column, in_file="") for column in table.columns)
    came_since = {name for name in table.schema.names if table.schema.field(name).nullable} - names
    return replace(table, columns=tuple(column for column in columns if column.name not in came_since))


def _coverage(lake: Lake, path: Path) -> pa.Table:
    """Read a day's coverage as this program writes it; in a column that came since, nothing is known."""
    rows = read(lake, path, _as_written(lake, path, COVERAGE))
    columns = {
        field.name: rows[field.name] if field.name in rows.column_names else pa.nulls(len(rows), field.type)
        for field in COVERAGE.schema
    }
    # In format 1, the only pull that coverage knew of.
    columns["first_pulled_at"] = pc.coalesce(columns["first_pulled_at"], columns["pulled_at"])
    return pa.table(columns, schema=COVERAGE.schema)


def _recounted(coverage: pa.Table, day: date, stored: _Rows | None) -> pa.Table:
    """Return a day's coverage with the rows that its Tweets have, of those that were posted in its course or later."""
    tweets = coverage["tweet_id"].to_numpy()
    rows = coverage["rows"].to_numpy().copy()
    if stored:
        young = before_posted(tweets, first_hour(day))
        rows[young] = 0
        counted = np.isin(stored.tweets, tweets[young])
        rows[np.searchsorted(tweets, stored.tweets[counted])] = stored.numbers[counted]
    return _with_rows(coverage, day, rows)


def _with_rows(coverage: pa.Table, day: date, rows: npt.NDArray[np.int32]) -> pa.Table:
    """Return a day's coverage with these numbers of rows; a Tweet that has none any more says why."""
    known = coverage["rows"].to_numpy()
    whole_day = before_posted(coverage["tweet_id"].to_numpy(), first_hour(day) + HOURS - 1)
    none = pa.array((rows == 0) & ((known > 0) | whole_day))
    told = pc.is_in(coverage["outcome"], pa.array([STORED, MISSING]))
    why = pc.if_else(pa.array(whole_day), BEFORE_POSTED, MISSING)
    columns = dict(zip(coverage.column_names, coverage.columns, strict=True))
    columns["outcome"] = pc.if_else(pc.and_(none, told), why, coverage["outcome"])
    for name in ("first_pulled_at", "pulled_at", "source"):
        columns[name] = pc.if_else(none, pa.scalar(None, coverage.schema.field(name).type), coverage[name])
    columns["rows"] = pa.array(rows)
    return pa.table(columns, schema=COVERAGE.schema)


def _upgrade_recent(lake: Lake) -> int:
    """Write recent.parquet anew, after the coverage of its answers; return how many zeros were dropped."""
    target = lake.rows(RECENT.table, date.min)
    if not lake.storage.exists(target):
        return 0
    rows = read(lake, target, RECENT.table)
    measured = pa.array(~(rows_before_posted(rows) & (rows["count"].to_numpy() == 0)))
    answers = rows.select(["tweet_id", "observed_at"]).append_column("stored", measured.cast(pa.int32()))
    stored = answers.group_by(["tweet_id", "observed_at"]).aggregate([("stored", "sum")])
    with lake.storage.staging(lake.staging):
        files = {}
        for path in lake.storage.find(f"coverage/endpoint={RECENT}/day={A_DAY}/coverage.parquet"):
            staged = lake.staging / f"{path.parent.name}.parquet"
            write(_of_answers(_coverage(lake, path), _day_of(path), stored), staged, COVERAGE)
            files[staged] = path
        staged = lake.staging / "rows.parquet"
        with closing(RowGroupWriter(staged, RECENT.table)) as sink:
            sink.append(rows.filter(measured))
        lake.storage.swap(files, {staged: target})
    return len(rows) - int(pc.sum(measured).as_py() or 0)


def _of_answers(coverage: pa.Table, day: date, stored: pa.Table) -> pa.Table:
    """Return coverage of /28hr with the rows that are stored of its answers; of older answers it is as it was."""
    places = pc.index_in(coverage["tweet_id"], stored["tweet_id"])
    answered = stored.take(places)
    same = pc.equal(answered["observed_at"], coverage["pulled_at"]).fill_null(fill_value=False)
    rows = pc.if_else(same, answered["stored_sum"].cast(pa.int32()), coverage["rows"])
    return _with_rows(coverage, day, rows.to_numpy())
