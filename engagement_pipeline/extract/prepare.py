"""Settings and days -> what a pull will do.

In: Settings, an endpoint and UTC days. Out: Prepared: roster, accounts and the requests to send.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from engagement_pipeline.core.endpoints import HISTORICAL, TOTALS
from engagement_pipeline.core.errors import InputError
from engagement_pipeline.core.metrics import METRICS
from engagement_pipeline.extract import backlog, planner, roster
from engagement_pipeline.lake import request_log, set_aside
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
    """What a pull will do; `plans` are made as if nothing had landed yet, and each as if it were the first.

    `handles_queried` are those that were asked for earlier in this month: contracts count them. `types_left_out` are
    those of a `types` setting narrower than all which the endpoint does not serve.
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
    """Read accounts and roster and plan the requests; raises InputError where there is nothing to ask.

    /historical takes the UTC days `first` to `last`, both included; the other endpoints know the present alone. With
    `new_since`, it is asked for Tweets alone that are new since then and lack one of the days (backlog.py).
    """
    windows: tuple[Window | None, ...] = (None,)
    if endpoint.max_days:
        assert first is not None
        assert last is not None
        windows = planner.windows(
            first, last, last_whole_day=settings.last_whole_day(), oldest_day=settings.oldest_day()
        )
    known = accounts.load(settings.accounts)
    if not endpoint.public_types and not known.by_handle:
        raise InputError(f"{settings.accounts} holds no account yet: run engagement authorize HANDLE for each handle")
    followed = roster.load(settings.tweets, handles=known.by_handle, skip_bad_rows=settings.skip_bad_rows)
    if not endpoint.public_types and not any(tweet.handle for tweet in followed.tweets):
        raise InputError(
            f"the roster {settings.tweets} holds Tweets of others only (no handle), which /totals alone serves: "
            "add owned ones, or ask with --endpoint totals"
        )
    public = TOTALS.public_types
    if not any(tweet.handle for tweet in followed.tweets) and not {*public} & {*settings.types}:
        raise InputError(
            f"the roster {settings.tweets} holds Tweets of others only (no handle), and none of the setting types is "
            f"public: add some of {', '.join(public)}"
        )
    lake, now = Lake(settings.data), datetime.now(UTC)
    roster.tell_unavailable(followed, set_aside.unavailable(lake))
    resting, alone = set_aside.resting(lake, known.fingerprints, now=now), set_aside.asked_alone(lake)
    plans = tuple(
        planner.plan(
            followed.tweets,
            endpoint,
            types=settings.types,
            window=window,
            resting=_had(lake, followed, window, new_since) | resting,
            alone=alone,
        )
        for window in windows
    )
    queried = request_log.handles(lake, now.date())
    chosen = settings.types if len(settings.types) < len(METRICS) else ()
    return Prepared(
        accounts=known,
        roster=followed,
        plans=plans,
        handles_queried=queried,
        types_left_out=tuple(name for name in chosen if name not in endpoint.types),
    )


def _had(lake: Lake, followed: Roster, window: Window | None, since: datetime | None) -> dict[Tweet, str]:
    """Return the Tweets that are not to be asked for again, with the reason, where new ones alone are."""
    if not window or not since:
        return {}
    return dict.fromkeys(backlog.had(lake, followed.tweets, window, since=since), "not new, or lacking no day")
