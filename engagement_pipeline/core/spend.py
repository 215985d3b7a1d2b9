"""What a month uses of what the contracts count: requests, handles and Posts read.

In: the settings with the limits, what the log of requests says, and what somebody is about to ask. Out: frozen values,
and words for a person. A month is a calendar month of UTC. Each try of a request counts as one, however it ended.
Handles are those that the Engagement API is asked for. A Post that X API v2 gives counts once a UTC day. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING

from engagement_pipeline.core.endpoints import ANALYTICS, HISTORICAL, TIMELINE
from engagement_pipeline.core.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from engagement_pipeline.core.model import Request

OVER_BUDGET_TAG = "engagement/over_budget"  # of a run in Dagster
WARNED_FROM = 0.8  # of a limit
FURTHER_THAN_A_MONTH = timedelta(days=31)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a month may use, None without a limit, and the price of a Post read; each is the setting of its name."""

    requests_per_month: int | None = None
    handles_per_month: int | None = None
    posts_per_month: int | None = None
    price_per_read: float | None = None

    @property
    def limit_something(self) -> bool:
        """Whether there is a limit at all."""
        return any((self.requests_per_month, self.handles_per_month, self.posts_per_month))


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What a month has used.

    requests: the tries of all requests.
    answered: the requests that the API answered.
    handles: the handles that the Engagement API was asked for.
    posts: the Posts that X API v2 gave, by UTC day.
    unnamed: further Posts that it gave, which are forgotten since.
    """

    requests: int = 0
    answered: int = 0
    handles: frozenset[str] = frozenset()
    posts: Mapping[date, frozenset[int]] = field(default_factory=dict)
    unnamed: int = 0

    @property
    def posts_read(self) -> int:
        """How many Posts were read, each counted once a UTC day."""
        return sum(map(len, self.posts.values())) + self.unnamed


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What somebody is about to use, beyond what the month has used already."""

    requests: int = 0
    handles: int = 0
    posts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What of one thing a month has `used`, and what is about to be added; `limit` is None without one."""

    noun: str
    setting: str
    used: int
    adds: int
    limit: int | None

    @property
    def after(self) -> int:
        """What the month has used then."""
        return self.used + self.adds

    @property
    def percent(self) -> str:
        """What the month has used of the limit, in percent; empty without a limit."""
        return f"{100 * self.used / self.limit:.0f} %" if self.limit else ""

    @property
    def is_crossed(self) -> bool:
        """Whether the limit does not allow what is about to be added; what adds nothing is always allowed."""
        return self.limit is not None and self.adds > 0 and self.after > self.limit


def needs(requests: Iterable[Request], used: Used, *, day: date) -> Needs:
    """Return what requests add to a month if each is sent once on this UTC day."""
    asked = list(requests)
    return Needs(
        requests=len(asked),
        handles=len({each.handle for each in asked if counts_handle(each)} - used.handles),
        posts=len(
            {tweet for each in asked if reads_posts(each) for tweet in each.tweet_ids}.difference(
                used.posts.get(day, ())
            )
        ),
    )


def counts_handle(request: Request) -> bool:
    """Tell whether a contract counts the handle of a request: that of the Engagement API does."""
    return request.endpoint.source == HISTORICAL.source and bool(request.handle)


def reads_posts(request: Request) -> bool:
    """Tell whether X counts the Posts of an answer as read."""
    return request.endpoint.source in (ANALYTICS.source, TIMELINE)


def shares(limits: Limits, used: Used, adds: Needs) -> tuple[Share, Share, Share]:
    """Return the requests, the handles and the Posts."""
    return (
        Share(
            noun="request",
            setting="requests_per_month",
            used=used.requests,
            adds=adds.requests,
            limit=limits.requests_per_month,
        ),
        Share(
            noun="handle",
            setting="handles_per_month",
            used=len(used.handles),
            adds=adds.handles,
            limit=limits.handles_per_month,
        ),
        Share(
            noun="Post",
            setting="posts_per_month",
            used=used.posts_read,
            adds=adds.posts,
            limit=limits.posts_per_month,
        ),
    )


def next_month(day: date) -> date:
    """Return the first day of the month after that of a day."""
    return (day.replace(day=1) + FURTHER_THAN_A_MONTH).replace(day=1)


def lines(limits: Limits, used: Used, adds: Needs, *, what: str = "") -> list[str]:
    """Return in words what the month has used, what is about to be added, what is left then, and money with a price.

    `what` is about to add it; empty if nothing is.
    """
    told = []
    for share in shares(limits, used, adds):
        if share.noun == "Post" and not (share.after or share.limit):
            continue
        told.append(f"  {_plural(share.noun):<10} {_sum(share, limits.price_per_read, is_sum=bool(what))}")
    return [f"this month (UTC){f', with {what}' if what else ''}:", *told]


def _sum(share: Share, price: float | None, *, is_sum: bool) -> str:
    text = f"{share.used:,} + {share.adds:,} = {share.after:,}" if is_sum else f"{share.used:,}"
    if share.limit is not None:
        text += f" of {share.limit:,}, {max(0, share.limit - share.after):,} left"
        text += f", {share.after - share.limit:,} too many" if share.is_crossed else ""
    if share.noun == "Post" and price is not None:
        text += f"; {share.after * price:,.2f} at {price:g} each"
    return text


def refusal(limits: Limits, used: Used, adds: Needs, *, what: str, day: date) -> str:
    """Return in one line why a limit does not allow this, and what to do; empty if all limits do."""
    for share in shares(limits, used, adds):
        if share.is_crossed and share.limit is not None:
            left = max(0, share.limit - share.used)
            return (
                f"{what} needs {counted(share.adds, share.noun)}, and {left:,} of this month's {share.limit:,} are "
                f"left ({share.setting}): nothing is sent. {_ways_out(share.setting, day)}"
            )
    return ""


def used_up(share: Share, *, day: date) -> str:
    """Return in one line that a limit stops what is under way, and what to do."""
    limit = share.limit or 0
    left = max(0, limit - share.used)
    too_few = f", and the next request may need {share.adds:,}" if left else ""
    return (
        f"{left:,} of this month's {counted(limit, share.noun)} are left ({share.setting}){too_few}: nothing more is "
        f"sent. {_ways_out(share.setting, day)}"
    )


def _ways_out(setting: str, day: date) -> str:
    return (
        f"Raise {setting}, wait until {next_month(day)} (UTC), or go over it with --over-budget, in Dagster with the "
        f"tag {OVER_BUDGET_TAG}: true"
    )


def warnings(limits: Limits, used: Used, *, day: date) -> dict[str, str]:
    """Return by setting, for each limit of which at least 80 % are used, a line that says so."""
    return {
        share.setting: f"{share.percent} of this month's {_plural(share.noun)} are used: "
        f"{share.used:,} of {share.limit:,} ({share.setting}), until {next_month(day)} (UTC)"
        for share in shares(limits, used, Needs())
        if share.limit and share.used >= WARNED_FROM * share.limit
    }


def _plural(noun: str) -> str:
    return f"{noun}s" if noun != "Post" else "Posts read"
