"""Roster and days -> the fewest requests that can answer for them.

In: Tweets and a range of UTC days. Out: a Plan of requests, each of one account, at most 25 IDs and at most 28
days, and the Tweets that no request of a window names, with the reason. Pure: no clock, no network, no files.

The number of requests is the lower bound: over accounts and windows, the sum of ceil(living Tweets / 25).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from engagement_pipeline.errors import InputError
from engagement_pipeline.roster import posted_at
from engagement_pipeline.settings import OLDEST_DAY

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from engagement_pipeline.roster import Tweet

# The vendor's limits of one /historical request.
MAX_TWEETS = 25
MAX_DAYS = 28


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """Whole UTC days, `first` and `last` both included."""

    first: date
    last: date

    @property
    def end(self) -> date:
        """The day after the last: the API's exclusive `end`."""
        return self.last + timedelta(days=1)

    def days(self) -> Iterator[date]:
        """Yield each day of the window in order."""
        for offset in range((self.end - self.first).days):
            yield self.first + timedelta(days=offset)

    def __str__(self) -> str:
        return f"{self.first} to {self.last}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request to /historical: these Tweets of this account, over this window."""

    handle: str
    tweet_ids: tuple[int, ...]
    window: Window
    types: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowPlan:
    """The requests of one window, and the Tweets that were not posted before its end."""

    window: Window
    requests: tuple[Request, ...]
    not_yet_posted: tuple[int, ...]

    @property
    def tweet_ids(self) -> frozenset[int]:
        """The Tweets that the requests name."""
        return frozenset(tweet_id for request in self.requests for tweet_id in request.tweet_ids)


def windows(first: date, last: date, *, last_whole_day: date) -> tuple[Window, ...]:
    """Cut a range of days into windows of at most 28, refusing what the API cannot serve.

    Raises InputError where `first` is after `last`, before the API's first day, or `last` is not over yet.
    """
    for day in (first, last):
        if day < OLDEST_DAY:
            raise InputError(f"{day} is before {OLDEST_DAY}, where the API's data begin: start there or later")
        if day > last_whole_day:
            raise InputError(f"{day} is not over yet: {last_whole_day} is the last whole UTC day, end there")
    if first > last:
        raise InputError(f"the first day, {first}, is after the last, {last}: swap them")
    starts = range(0, (last - first).days + 1, MAX_DAYS)
    return tuple(
        Window(first + timedelta(days=start), min(last, first + timedelta(days=start + MAX_DAYS - 1)))
        for start in starts
    )


def plan(
    tweets: Iterable[Tweet], window: Window, *, types: tuple[str, ...], landed: Collection[int] = ()
) -> WindowPlan:
    """Batch the Tweets that lived in `window`, leaving out those that an unfinished pull has `landed`."""
    end = datetime.combine(window.end, time(), tzinfo=UTC)
    by_handle: dict[str, list[int]] = defaultdict(list)
    unborn: list[int] = []
    for tweet in sorted(tweets):
        posted = posted_at(tweet.tweet_id)
        if posted is not None and posted >= end:
            unborn.append(tweet.tweet_id)
        elif tweet.tweet_id not in landed:
            by_handle[tweet.handle].append(tweet.tweet_id)
    requests = tuple(
        Request(handle=handle, tweet_ids=tuple(ids[i : i + MAX_TWEETS]), window=window, types=types)
        for handle, ids in sorted(by_handle.items())
        for i in range(0, len(ids), MAX_TWEETS)
    )
    return WindowPlan(window=window, requests=requests, not_yet_posted=tuple(unborn))
