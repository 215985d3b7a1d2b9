"""Which days can be trusted, as the calendars and their tables show it.

In: rows of `completeness`. Out: a row for each day, its state, and runs of days that are alike.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    Row = dict[str, Any]

COUNTED = ("expected", "stored", "partial", "set_aside", "failed", "not_asked")
NOT_ASKED = "no request has asked for the day"


def each_day(rows: Iterable[Row], days: Iterable[date]) -> list[Row]:
    """Return what is known of each day, also of those that nobody asked for."""
    known = {row["day"]: row for row in rows}
    unknown = dict.fromkeys(COUNTED) | {"trusted": False, "reason": NOT_ASKED}
    return [known.get(day) or {"day": day, **unknown} for day in days]


def doubtful(days: Iterable[Row]) -> list[tuple[date, date, Row]]:
    """Return the first and the last of the days in a row that are alike, and what is known of them."""

    def alike(row: Row) -> tuple[object, ...]:
        return tuple(value for name, value in row.items() if name != "day")

    runs = ([*run] for _, run in groupby(days, alike))
    return [(run[0]["day"], run[-1]["day"], run[0]) for run in runs if not run[0]["trusted"]]


def state(row: Row) -> str:
    """Return how much of a day is there, as the calendar names it."""
    if row["trusted"]:
        return "whole"
    return "part" if row["stored"] or row["partial"] else "nothing"
