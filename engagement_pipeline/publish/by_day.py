"""The rows of a response, which are sorted by Tweet, sorted into its days.

In: a table of ENGAGEMENTS, sorted by its key. Out: the rows of each day, and those of several responses joined.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from engagement_pipeline.core.tables import EPOCH
from engagement_pipeline.publish.merge import HOURS, Rows, of_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    import numpy.typing as npt


class ByDay(NamedTuple):
    """Rows of days that follow one another: those of the first, then those of the next; each day's end with `ends`."""

    rows: Rows
    ends: Sequence[int]

    def of(self, place: int) -> Rows:
        """Return the rows of a day, by its place."""
        return self.rows.at(slice(self.ends[place - 1] if place else 0, self.ends[place]))


def split_by_day(table: pa.Table, first: date, days: int) -> ByDay:
    """Sort rows of a table that is sorted by its key into so many days, the first of which is `first`.

    Rows of other days are left out.
    """
    rows = of_table(table)
    day = (table["day"].cast(pa.int32()).to_numpy() - (first - EPOCH).days).astype(np.uint16)  # large before it
    if _are_whole(day, rows, days):
        by_day = _whole_days(rows, days)
        return ByDay(by_day, range(len(day) // days, len(day) + 1, len(day) // days))
    order = np.argsort(day, kind="stable")  # of 16 bits: a radix sort
    ends = np.searchsorted(day[order], np.arange(days), "right").tolist()
    return ByDay(rows.at(order[: ends[-1]]), ends)


def _are_whole(day: npt.NDArray[np.uint16], rows: Rows, days: int) -> bool:
    """Tell whether each Tweet has as many rows, and each of its types has 24 of each day, day after day."""
    _, number = rows.by_tweet()
    if not len(number) or (number != number[0]).any() or number[0] % (days * HOURS):
        return False
    return bool((day.reshape(-1, days, HOURS) == np.arange(days, dtype=np.uint16)[:, np.newaxis]).all())


def _whole_days(rows: Rows, days: int) -> Rows:
    """Sort whole days: their rows move in blocks, which takes a third of the time of a sort."""
    return Rows._make(column.reshape(-1, days, HOURS).transpose(1, 0, 2).reshape(-1) for column in rows)


def joined_by_tweet(parts: Sequence[Rows]) -> Rows:
    """Return the rows of all parts, sorted; each part is sorted, and no Tweet is in two."""
    rows = Rows.joined(parts)
    tweets, numbers = rows.by_tweet()
    if (tweets[1:] > tweets[:-1]).all():
        return rows
    order = np.argsort(tweets)
    ends = np.cumsum(numbers[order])
    shift = (np.cumsum(numbers) - numbers)[order] - (ends - numbers[order])
    return rows.at(np.repeat(shift, numbers[order]) + np.arange(len(rows.tweets)))
