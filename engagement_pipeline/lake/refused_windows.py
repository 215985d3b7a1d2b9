"""Which windows an API has refused, remembered, so that the same refusal is not asked for again each day.

In: what a refusal says of the days that a window may have, and of the day with which the data begin. Out: the same, for
whoever plans windows. It lies in lake.json: of a lake's windows, the most days; of each endpoint, how far it goes back.

An API that goes back a number of days refuses one day more each day, so what it said moves with the time. One that has
a fixed beginning would be asked for too little then. So what is remembered holds for AGAIN alone: then the same days
are asked for once more, and windows as long as before. What the API says then is remembered anew.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engagement_pipeline.core.endpoints import Endpoint
    from engagement_pipeline.lake.layout import Lake

AGAIN = timedelta(days=7)  # until what was refused is asked for again
LONGEST, OLDEST = "longest_days", "oldest"  # in lake.json


@dataclass(frozen=True, slots=True, kw_only=True)
class TooOld:
    """That an API refused the days before a moment: `oldest`, as it said `at` another, in `text`."""

    oldest: datetime
    at: datetime
    text: str

    def first_day(self, now: datetime) -> date:
        """Return the first UTC day that the API serves whole at `now`, if it goes back as far as it did then.

        It moves by whole days: an API may count in days or in hours, and no day is left out too early.
        """
        whole = self.oldest.date() + timedelta(days=self.oldest.time() > time())
        return whole + timedelta(days=int((now - self.at) / timedelta(days=1)))

    def holds(self, now: datetime) -> bool:
        """Tell whether it is too early to ask again; a clock may have been far ahead."""
        return abs(now - self.at) < AGAIN

    def __str__(self) -> str:
        """Say it in words."""
        return f"refused as too old on {self.at.date()} ({self.text}), asked for again from {(self.at + AGAIN).date()}"


def longest_days(lake: Lake, now: datetime) -> int | None:
    """Return the most days of a window at `now`; None while the API has refused none as too long lately."""
    told = lake.remembered(LONGEST)
    with suppress(KeyError, ValueError, TypeError):  # an older program wrote the days alone
        days, at = told["days"], datetime.fromisoformat(told["at"]).astimezone(UTC)  # type: ignore[index]
        return days if isinstance(days, int) and days > 0 and abs(now - at) < AGAIN else None
    return None


def learn_longest(lake: Lake, days: int | None, *, at: datetime) -> None:
    """Remember the most days of a window, as the API said `at` a moment, or with None forget them."""
    lake.mark(**{LONGEST: {"days": days, "at": at.isoformat()} if days else None})


def too_old(lake: Lake, endpoint: Endpoint) -> TooOld | None:
    """Return which days the API has refused as too old at an endpoint; None if it has refused none, or serves them."""
    with suppress(KeyError, ValueError, TypeError, OverflowError):
        told = _by_endpoint(lake.remembered(OLDEST))[endpoint.name]
        oldest, at = (datetime.fromisoformat(told[name]).astimezone(UTC) for name in ("oldest", "at"))
        if oldest <= at:  # else the file is damaged, and would leave out all days
            return TooOld(oldest=oldest, at=at, text=str(told["text"]))
    return None


def learn_too_old(lake: Lake, endpoint: Endpoint, found: TooOld | None) -> None:
    """Remember which days the API refuses as too old at an endpoint, or with None forget it."""
    new = {"oldest": found.oldest.isoformat(), "at": found.at.isoformat(), "text": found.text} if found else None

    def change(told: object) -> dict[str, dict[str, str]]:
        others = {name: each for name, each in _by_endpoint(told).items() if name != endpoint.name}
        return {**others, endpoint.name: new} if new else others

    lake.remember(OLDEST, change)


def _by_endpoint(told: object) -> dict[str, dict[str, str]]:
    return told if isinstance(told, dict) else {}
