"""UTC days, as people write them, those of a month, and those that follow one another."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def parse_day(text: str) -> date:
    """Read `2026-01-31`; raise ValueError with the fix."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:  # Python accepts more: weeks, and digits with a suffix
        raise ValueError(f"{text!r} is not a day such as 2026-01-31")
    return day


def month_ends(day: date) -> date:
    """Return the last day of a day's month."""
    return day.replace(day=monthrange(day.year, day.month)[1])


def of_month(day: date) -> list[date]:
    """Return all days of a day's month."""
    return [day.replace(day=number) for number in range(1, month_ends(day).day + 1)]


def spans(days: Iterable[date]) -> list[tuple[date, date]]:
    """Return the first and last day of each run of UTC days that follow one another."""
    found: list[tuple[date, date]] = []
    for day in sorted(days):
        if found and day - found[-1][1] == timedelta(days=1):
            found[-1] = found[-1][0], day
        else:
            found.append((day, day))
    return found
