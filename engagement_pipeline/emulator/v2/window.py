"""The window of an analytics request, and the buckets into which a granularity parts it.

In: query parameters, the API's present time, the limits. Out: whole UTC hours and their buckets, or a `Problem` (400).
Ours: a window is widened to whole hours; days begin at midnight, weeks at the start of the window; the hour that has
begun may be asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from engagement_pipeline.emulator.dials import Whole
from engagement_pipeline.emulator.rules import hour_after, hour_of, wire_time
from engagement_pipeline.emulator.v2 import query
from engagement_pipeline.emulator.v2.metrics import Counts, Hours
from engagement_pipeline.emulator.v2.problems import invalid

FIRST_MOMENT = datetime(2014, 9, 1, tzinfo=UTC)  # ours: that of the Engagement API


@dataclass(frozen=True)
class Limits:
    """The dials that say which windows are refused; 0 is no limit."""

    longest_window_days: Whole = 28
    longest_hourly_days: Whole = 0  # of the granularity hourly, where it differs
    oldest_days: Whole = 0


@dataclass(frozen=True)
class Window:
    """Whole hours, and how they are summed."""

    hours: Hours
    granularity: str

    @property
    def starts(self) -> NDArray[np.intp]:
        """Return the place of each bucket's first hour."""
        number, first = self.hours.number, self.hours.start.hour
        if self.granularity == "hourly":
            return np.arange(number)
        if self.granularity == "daily":
            return np.unique(np.maximum(np.arange(-first, number, 24), 0))
        return np.arange(0, number, 7 * 24 if self.granularity == "weekly" else number)

    def summed(self, counts: Counts) -> Counts:
        """Return counts [resource, metric, hour] as [resource, bucket, metric]."""
        sums: Counts = np.add.reduceat(counts, self.starts, axis=2).transpose(0, 2, 1)
        return sums

    @property
    def timestamps(self) -> list[str]:
        """Return the start of each bucket as the API writes it."""
        return [wire_time(self.hours.start + timedelta(hours=int(place))) for place in self.starts]


def read(params: Mapping[str, str], *, granularity: str, now: datetime, limits: Limits) -> Window:
    """Return the window that the parameters ask for. Raises Problem (400)."""
    start, end = _required(params, "start_time"), _required(params, "end_time")
    if end > now:
        raise _refused(params, "end_time", f"'end_time' must not be in the future. It is {wire_time(now)} now")
    if start >= end:
        raise _refused(params, "start_time", "'start_time' must be before 'end_time'")
    first, last = hour_of(start), hour_after(end)
    longest = limits.longest_window_days
    if granularity == "hourly" and limits.longest_hourly_days:
        longest = limits.longest_hourly_days
    if longest and last - first > timedelta(days=longest):
        text = f"The time between 'start_time' and 'end_time' must not exceed {longest} days"
        raise _refused(params, "start_time", f"{text} for granularity '{granularity}'")
    oldest = FIRST_MOMENT
    if limits.oldest_days:
        oldest = max(oldest, hour_of(now) - timedelta(days=limits.oldest_days))
    if first < oldest:
        raise _refused(params, "start_time", f"'start_time' must be on or after {wire_time(oldest)}")
    return Window(Hours(first, int((last - first).total_seconds()) // 3600), granularity)


def _required(params: Mapping[str, str], name: str) -> datetime:
    found = query.moment(params, name)
    if found is None:
        raise invalid(name, [], f"The `{name}` query parameter can not be empty")
    return found


def _refused(params: Mapping[str, str], name: str, why: str) -> Exception:
    return invalid(name, [params[name]], f"Invalid '{name}':'{params[name]}'. {why}")
