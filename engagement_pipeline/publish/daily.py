"""The table `daily`, which is /historical with its hours summed: a file a month, sorted by Tweet, type and day.

In: the sums of days that are to change, as a DayFile stages them. Out: the files of their months, staged.

    the days' sums ─────────────────────┬─> merged by Tweet ─> what to rename
    the month's file, less these days ──┘

One Tweet's life in a year is in 12 files; of a file a day, it would be in 365, whose opening takes longer than all the
rest. In memory is a row group of each file.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack, closing
from itertools import groupby
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from engagement_pipeline.core.days import of_month as days_of_month
from engagement_pipeline.core.errors import LakeError
from engagement_pipeline.core.tables import DAILY, ENGAGEMENTS
from engagement_pipeline.lake.parquet import is_sound, rebuild_of_month
from engagement_pipeline.publish.day_file import DAILY_ROW_GROUP, RowGroupWriter, SortedReader
from engagement_pipeline.publish.merge import LAST_ID, daily_sums, in_order, of_table

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from engagement_pipeline.lake.layout import Lake

logger = logging.getLogger(__name__)


def write_months(
    lake: Lake, fresh: Mapping[date, Path | None], *, days: Sequence[date] = (), aside: Path | None = None
) -> dict[Path, Path]:
    """Stage the months of some days, and return what to rename; of `days`, those that have no file.

    `fresh` says where the sums of each of these days lie, None where it has no rows; of the other days, those in the
    published file stay. Where that is missing or damaged, they are summed anew from the days' rows; raises LakeError
    where a file of these is damaged. They are staged in the folder `aside`, by default the lake's.
    """
    aside = aside or lake.staging
    months = {day: lake.daily(day) for day in {*days, *fresh}}
    there = lake.storage.those(months.values(), lake.storage.exists)
    changing = {day for day, path in months.items() if day in fresh or path not in there}
    by_month = {target: [*of_month] for target, of_month in groupby(sorted(changing), lake.daily)}
    renamed: dict[Path, Path] = {}
    with lake.storage.ahead(target for target in by_month if target in there):
        for target, month in by_month.items():
            sums = {day: fresh[day] for day in month if day in fresh}
            renamed |= _stage_month(lake, target, month[0], sums, aside, there=target in there)
    return renamed


def _stage_month(
    lake: Lake, target: Path, of_month: date, sums: Mapping[date, Path | None], aside: Path, *, there: bool
) -> dict[Path, Path]:
    """Stage the file of a month, with the `sums` of some of its days, and return what to rename."""
    sound = not there or is_sound(lake, target, DAILY)
    if not sound:
        logger.warning("%s is damaged: it is made anew of the rows of its days", target)
    kept = [target] if there and sound else [_summed(lake, day, aside) for day in _others(lake, of_month, sums)]
    parts = [path for path in sums.values() if path] + kept
    if not parts:
        return {}
    into = aside / f"month.{target.name}"
    _merge(lake, parts, into, leave_out=pa.array([*sums], pa.date32()), of=target)
    return {into: target}


def _others(lake: Lake, of_month: date, new: Collection[date]) -> list[date]:
    """Return the days of a day's month that have rows, but for the new ones."""
    rows = {day: lake.rows(ENGAGEMENTS, day) for day in days_of_month(of_month) if day not in new}
    there = lake.storage.those(rows.values(), lake.storage.exists)
    return [day for day, path in rows.items() if path in there]


def _summed(lake: Lake, day: date, aside: Path) -> Path:
    """Sum the rows of a published day into a staged file."""
    rows, into = lake.rows(ENGAGEMENTS, day), aside / f"{day}.summed.parquet"
    if not is_sound(lake, rows, ENGAGEMENTS):
        raise LakeError(
            f"{rows} is damaged, and {lake.daily(day)} cannot be made without it: {rebuild_of_month(day)} makes both "
            "anew from raw"
        )
    with (
        closing(SortedReader(lake, rows)) as published,
        closing(RowGroupWriter(into, DAILY, row_group=DAILY_ROW_GROUP)) as sink,
    ):
        for tweet in published.row_group_ends(LAST_ID):
            table = published.up_to(tweet)
            sink.append(daily_sums(of_table(table), table))
    return into


def _merge(lake: Lake, sources: list[Path], into: Path, *, leave_out: pa.Array, of: Path) -> None:
    """Merge files that are sorted by Tweet; of the published one, these days are left out."""
    with ExitStack() as stack:
        files = [stack.enter_context(closing(SortedReader(lake, path, DAILY))) for path in sources]
        sink = stack.enter_context(closing(RowGroupWriter(into, DAILY)))
        for tweet in sorted({end for file in files for end in file.row_group_ends(LAST_ID)}):
            parts = [DAILY.schema.empty_table()]
            for file in files:
                rows = file.up_to(tweet)
                if file.path == of:
                    rows = rows.filter(pc.invert(pc.is_in(rows["day"], leave_out)))
                parts.append(rows)
            sink.append(in_order(pa.concat_tables(parts).combine_chunks()))
