"""Settings and days -> what a pull will do.

In: Settings, an endpoint and UTC days. Out: Prepared: roster, accounts and the requests to send.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from engagement_pipeline.core.endpoints import HISTORICAL, TOTALS
from engagement_pipeline.core.errors import InputError
from engagement_pipeline.core.metrics import METRICS
from engagement_pipeline.extract import backlog, planner, roster
from engagement_pipeline.lake import forgotten, request_log, set_aside
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.transport import accounts

if TYPE_CHECKING:
    from engagement_pipeline.core.endpoints import Endpoint
    from engagement_pipeline.core.model import Plan, Tweet, Window
    from engagement_pipeline.core.settings import Settings
    from engagement_pipeline.extract.roster import Roster
    from engagement_pipeline.transport.accounts import Accounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What a pull will do. `plans` hold all requests, as if nothing had landed yet.

    `handles_queried` are the handles that were asked for earlier in this month: contracts count them. If the setting
    `types` names only some types, `types_left_out` are those of them that the endpoint does not serve.
    """

    accounts: Accounts
    roster: Roster
    plans: tuple[Plan, ...]
    handles_queried: frozenset[str]
    types_left_out: tuple[str, ...] = ()

    @property
    def requests(self) -> int:
        """The requests of all plans."""
        return sum(len(planned.requests) for planned in self.plans)


def prepare(
    settings: Settings,
    first: date | None = None,
    last: date | None = None,
    *,
    endpoint: Endpoint = HISTORICAL,
    new_since: datetime | None = None,
) -> Prepared:
    """Read accounts and roster, and plan the requests. Raises InputError if there is nothing to ask.

    /historical takes the UTC days `first` to `last`, both included; the other endpoints know only the present. With
    `new_since`, the plan has only Tweets that are new since then and lack one of the days (backlog.py).
    """
    windows = _windows(settings, endpoint, first, last)
    known = accounts.load(settings.accounts)
    followed = _followed(settings, endpoint, known)
    lake, now = Lake(settings.data), datetime.now(UTC)
    roster.tell_unavailable(followed, set_aside.unavailable(lake))
    resting, alone = set_aside.resting(lake, known.fingerprints, now=now), set_aside.asked_alone(lake)
    gone = forgotten.load(lake).among(tweet.tweet_id for tweet in (*followed.tweets, *followed.unknown))
    never = {tweet: forgotten.REASON for tweet in followed.tweets if tweet.tweet_id in gone}
    plans = tuple(
        planner.plan(
            followed.tweets,
            endpoint,
            types=settings.types,
            window=window,
            resting=_had(lake, followed, window, new_since) | resting | never,
            alone=alone,
        )
        for window in windows
    )
    queried = request_log.handles(lake, now.date())
    chosen = settings.types if len(settings.types) < len(METRICS) else ()
    return Prepared(
        accounts=known,
        roster=followed.without(gone),
        plans=plans,
        handles_queried=queried,
        types_left_out=tuple(name for name in chosen if name not in endpoint.types),
    )


def unforgotten(prepared: Prepared, lake: Lake) -> Prepared:
    """Return what a pull will do without the Tweets that were forgotten since it was prepared."""
    asked = {tweet.tweet_id for planned in prepared.plans for tweet in planned.tweets}
    known = forgotten.load(lake)
    gone = known.among(asked.union(tweet.tweet_id for tweet in (*prepared.roster.tweets, *prepared.roster.unknown)))
    return replace(
        prepared,
        roster=prepared.roster.without(gone),
        plans=tuple(planner.without(planned, gone) for planned in prepared.plans),
    )


def _windows(
    settings: Settings, endpoint: Endpoint, first: date | None, last: date | None
) -> tuple[Window | None, ...]:
    """Return the windows to ask for; a single None if the endpoint takes no days."""
    if not endpoint.max_days:
        return (None,)
    assert first is not None
    assert last is not None
    return planner.windows(first, last, last_whole_day=settings.last_whole_day(), oldest_day=settings.oldest_day())


def _followed(settings: Settings, endpoint: Endpoint, known: Accounts) -> Roster:
    """Read the roster; raises InputError if the endpoint can serve none of its Tweets."""
    if not endpoint.public_types and not known.by_handle:
        raise InputError(f"{settings.accounts} holds no account yet: run engagement authorize HANDLE for each handle")
    followed = roster.load(settings.tweets, handles=known.by_handle, skip_bad_rows=settings.skip_bad_rows)
    if any(tweet.handle for tweet in followed.tweets):
        return followed
    only_others = f"the roster {settings.tweets} holds Tweets of others only (no handle)"
    if not endpoint.public_types:
        raise InputError(f"{only_others}, which /totals alone serves: add owned ones, or ask with --endpoint totals")
    if not {*TOTALS.public_types} & {*settings.types}:
        raise InputError(
            f"{only_others}, and none of the setting types is public: add some of {', '.join(TOTALS.public_types)}"
        )
    return followed


def _had(lake: Lake, followed: Roster, window: Window | None, since: datetime | None) -> dict[Tweet, str]:
    """Return the Tweets that are left out, with the reason, if only new ones are asked for."""
    if not window or not since:
        return {}
    return dict.fromkeys(backlog.had(lake, followed.tweets, window, since=since), "that are not new, or lack no day")
