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
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from engagement_pipeline.core.days import of_month as days_of_month
from engagement_pipeline.core.errors import LakeError
from engagement_pipeline.core.tables import DAILY, ENGAGEMENTS
from engagement_pipeline.lake.parquet import is_sound, rebuild_of_month
from engagement_pipeline.publish.day_file import RowGroupWriter, SortedReader
from engagement_pipeline.publish.day_sums import SumsReader, SumsWriter
from engagement_pipeline.publish.merge import LAST_ID, daily_sums, in_order, of_table

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from engagement_pipeline.lake.layout import Lake

logger = logging.getLogger(__name__)


class Months(NamedTuple):
    """Staged files of months to rename, and the published ones that are damaged."""

    files: dict[Path, Path]
    damaged: list[Path]


def write_months(
    lake: Lake, fresh: Mapping[date, Path | None], *, days: Sequence[date] = (), aside: Path | None = None
) -> Months:
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
    found = Months({}, [])
    with lake.storage.ahead(target for target in by_month if target in there):
        for target, month in by_month.items():
            new = [day for day in month if day in fresh]
            sums = [path for path in (fresh[day] for day in new) if path]
            into = aside / f"month.{target.name}"
            leave_out = pa.array(new, pa.date32())
            whole = target in there and _is_merged(lake, sums, into, published=target, leave_out=leave_out)
            if target in there and not whole:
                logger.warning("%s is damaged: it is made anew of the rows of its days", target)
                found.damaged.append(target)
            if not whole:
                sums += [_summed(lake, day, aside) for day in _others(lake, month[0], new)]
                _merge(lake, sums, into, published=None, leave_out=leave_out)
            if whole or sums:
                found.files[into] = target
    return found


def _others(lake: Lake, of_month: date, new: Collection[date]) -> list[date]:
    """Return the days of a day's month that have rows, but for the new ones."""
    rows = {day: lake.rows(ENGAGEMENTS, day) for day in days_of_month(of_month) if day not in new}
    there = lake.storage.those(rows.values(), lake.storage.exists)
    return [day for day, path in rows.items() if path in there]


def _summed(lake: Lake, day: date, aside: Path) -> Path:
    """Sum the rows of a published day into a staged file."""
    rows, into = lake.rows(ENGAGEMENTS, day), aside / f"{day}.summed.arrow"
    if not is_sound(lake, rows, ENGAGEMENTS):
        raise LakeError(
            f"{rows} is damaged, and {lake.daily(day)} cannot be made without it: {rebuild_of_month(day)} makes both "
            "anew from raw"
        )
    with closing(SortedReader(lake, rows)) as published, closing(SumsWriter(into)) as sink:
        for tweet in published.row_group_ends(LAST_ID):
            table = published.up_to(tweet)
            sink.append(daily_sums(of_table(table), table))
    return into


def _is_merged(lake: Lake, sums: list[Path], into: Path, *, published: Path, leave_out: pa.Array) -> bool:
    """Merge the sums of days with the published file of their month; tell whether that could be read to its end."""
    try:
        _merge(lake, sums, into, published=published, leave_out=leave_out)
    except LakeError:
        return False
    return True


def _merge(lake: Lake, sums: list[Path], into: Path, *, published: Path | None, leave_out: pa.Array) -> None:
    """Merge the sums of days with the published file of their month, of which some days are left out."""
    with ExitStack() as stack:
        days = [stack.enter_context(closing(SumsReader(path))) for path in sums]
        month = stack.enter_context(closing(SortedReader(lake, published, DAILY))) if published else None
        sink = stack.enter_context(closing(RowGroupWriter(into, DAILY)))
        ends = [end for day in days for end in day.ends]
        if month:
            ends += month.row_group_ends(LAST_ID)
        for tweet in _steps(ends, len(days) + 1):
            parts = [DAILY.schema.empty_table(), *(day.up_to(tweet) for day in days)]
            if month:
                rows = month.up_to(tweet)
                parts.append(rows.filter(pc.invert(pc.is_in(rows["day"], leave_out))))
            sink.append(in_order(pa.concat_tables(parts).combine_chunks()))


def _steps(ends: Sequence[int], files: int) -> list[int]:
    """Return up to which Tweets so many files are read, so that a step takes about one piece of each; these end so."""
    return sorted({*sorted(ends)[files - 1 :: files], LAST_ID})
