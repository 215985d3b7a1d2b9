"""Settings and days -> what a pull will do.

In: Settings, an endpoint and UTC days. Out: Prepared: roster, accounts and the requests to send.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engagement_pipeline.core.endpoints import (
    ANALYTICS,
    ANALYTICS_TOTALS,
    HISTORICAL,
    MEDIA,
    OF_TWEETS,
    TOTALS,
)
from engagement_pipeline.core.errors import InputError
from engagement_pipeline.core.metrics import METRICS
from engagement_pipeline.core.nearest import nearest
from engagement_pipeline.extract import backlog, media, planner, roster
from engagement_pipeline.lake import forgotten, raw, refused_windows, request_log, set_aside
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.sources import source_of
from engagement_pipeline.transport import accounts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import date, datetime

    from engagement_pipeline.core.endpoints import Endpoint
    from engagement_pipeline.core.model import Plan, Terms, Tweet, Window
    from engagement_pipeline.core.settings import Settings
    from engagement_pipeline.core.spend import Limits, Used
    from engagement_pipeline.extract.roster import Roster
    from engagement_pipeline.transport.accounts import Accounts


logger = logging.getLogger(__name__)
OF_ANOTHER_SOURCE = "of accounts for which the settings have another API asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What a pull will do. `plans` hold all requests, as if nothing had landed yet.

    `used` is what the month of `day` has used so far, and `limits` what it may use; with `over_budget`, no limit holds
    for this pull. If the setting `types` names only some types, `types_left_out` are those of them that the endpoint
    does not serve. `rate` is the contract's number of requests in the seconds of `terms`. `moved` are the Tweets that
    are asked for though the settings name another source for their accounts, since that has no such endpoint.
    """

    accounts: Accounts
    roster: Roster
    plans: tuple[Plan, ...]
    day: date
    used: Used
    limits: Limits
    terms: Terms
    rate: int
    moved: frozenset[Tweet] = frozenset()
    types_left_out: tuple[str, ...] = ()
    over_budget: bool = False

    @property
    def unknown(self) -> tuple[Tweet, ...]:
        """What nobody can ask for, because the accounts file lacks its handle; of media, nothing is told."""
        return () if self.plans[0].endpoint is MEDIA else self.roster.unknown

    @property
    def requests(self) -> int:
        """The requests of all plans."""
        return sum(len(planned.requests) for planned in self.plans)

    @property
    def seconds(self) -> float:
        """The time that the requests take at the rate, which each account may have for itself."""
        handles = Counter(request.handle for planned in self.plans for request in planned.requests)
        longest = max(handles.values(), default=0) if self.terms.per_account else self.requests
        return longest / self.rate * self.terms.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """Whom a pull asks for: `tweets`, but for those in `resting`, with the reason; some `alone` in a request.

    `roster` has nothing that is forgotten; `moved` is that of Prepared.
    """

    roster: Roster
    tweets: Sequence[Tweet]
    resting: Mapping[Tweet, str]
    alone: Collection[int]
    moved: frozenset[Tweet]


def prepare(
    settings: Settings,
    first: date | None = None,
    last: date | None = None,
    *,
    endpoint: Endpoint = HISTORICAL,
    new_since: datetime | None = None,
    over_budget: bool = False,
    ask_refused: bool = False,
) -> Prepared:
    """Read accounts and roster, and plan the requests. Raises InputError if there is nothing to ask.

    The endpoints of hours take the UTC days `first` to `last`, both included; the others know only the present. With
    `new_since`, the plan has only Tweets that are new since then and lack one of the days (backlog.py). What the API
    has refused as too long or too old is left out (refused_windows.py), unless `ask_refused`.
    """
    known = accounts.load(settings.accounts)
    _raise_for_strangers(settings, known)
    followed = _followed(settings, endpoint, known)
    lake, now = Lake(settings.data).of(endpoint.source), settings.current_time()
    windows = _windows(settings, lake, endpoint, first, last, ask_refused=ask_refused)
    roster.tell_unavailable(followed, set_aside.unavailable(lake))
    terms = source_of(endpoint).TERMS
    wanted = _wanted(settings, lake, endpoint, followed, known.signing(oauth2=terms.oauth2), now=now)
    plans = _plans(settings, lake, wanted, _asked(settings, lake, endpoint, windows), new_since=new_since)
    chosen = settings.types if len(settings.types) < len(METRICS) else ()
    return Prepared(
        terms=terms,
        rate=getattr(settings, terms.rate),
        accounts=known,
        roster=wanted.roster,
        plans=tuple(plans if ask_refused else (_kept_back(lake, planned, now) for planned in plans)),
        day=now.date(),
        limits=settings.limits,
        used=request_log.used(Lake(settings.data).of_each_source, now.date()),
        moved=wanted.moved,
        types_left_out=tuple(name for name in chosen if name not in endpoint.types),
        over_budget=over_budget,
    )


def prepare_sources(
    settings: Settings, first: date, last: date, *, new_since: datetime | None = None, over_budget: bool = False
) -> tuple[Prepared, ...]:
    """Plan the requests for hours to each endpoint that the settings name. Arguments and errors as `prepare`."""
    return tuple(
        prepare(settings, first, last, endpoint=endpoint, new_since=new_since, over_budget=over_budget)
        for endpoint in settings.hourly
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
    settings: Settings, lake: Lake, endpoint: Endpoint, first: date | None, last: date | None, *, ask_refused: bool
) -> tuple[Window | None, ...]:
    """Return the windows to ask for; a single None if the endpoint takes no days.

    They are as short as the API wants them. Days that it has refused as too old are in windows of their own.
    """
    if not endpoint.max_days:
        return (None,)
    assert first is not None
    assert last is not None
    most = endpoint.max_days if endpoint is HISTORICAL else settings.x_window_days
    now = settings.current_time()
    longest = None if ask_refused else refused_windows.longest_days(lake, now)
    too_old = refused_windows.too_old(lake, endpoint)
    return planner.windows(
        first,
        last,
        last_whole_day=settings.last_whole_day(),
        oldest_day=settings.oldest_day(),
        most=min(most, longest or most),
        cut=too_old.first_day(now) if too_old else None,
    )


def _kept_back(lake: Lake, planned: Plan, now: datetime) -> Plan:
    """Return a plan that asks for nothing if the API has refused its days as too old lately, else the plan unchanged.

    Tweets without an answer for any of these days are kept back, so that the lake can tell why. Sums are asked for if
    their hours are.
    """
    window, is_hourly = planned.window, planned.endpoint is lake.hourly
    for endpoint in dict.fromkeys((lake.hourly, planned.endpoint)):
        too_old = refused_windows.too_old(lake, endpoint)
        if too_old and window and too_old.holds(now) and window.first < too_old.first_day(now):
            answered = backlog.answered(lake, window) if is_hourly else {tweet.tweet_id for tweet in planned.tweets}
            reason = f"for days that the API {too_old}, or with engagement pull --ask-refused"
            return planner.kept_back(planned, reason, answered=answered)
    return planned


def _raise_for_strangers(settings: Settings, known: Accounts) -> None:
    """Raise InputError for a handle of source_of that has no account: a typo would ask another API than was meant."""
    for handle in dict(settings.source_of or ()):
        if handle not in known.by_handle:
            near = nearest(handle, known.by_handle)
            advice = f"did you mean {near}?" if near else f"engagement authorize {handle} adds it"
            raise InputError(f"source_of names {handle}, which is not in the accounts file: {advice}")


def _wanted(
    settings: Settings, lake: Lake, endpoint: Endpoint, followed: Roster, signing: Accounts, *, now: datetime
) -> _Wanted:
    """Return whom to ask for: the roster's Tweets or media, but those that are set aside, forgotten or of others."""
    known_gone = forgotten.load(lake)
    gone = known_gone.among(tweet.tweet_id for tweet in (*followed.tweets, *followed.unknown))
    tweets = _media(followed.without(gone)) if endpoint is MEDIA else followed.tweets
    left = known_gone.among(tweet.tweet_id for tweet in tweets)
    elsewhere = _elsewhere(settings, endpoint, tweets)
    moved = _moved(endpoint, elsewhere, signing)
    return _Wanted(
        roster=followed.without(gone),
        tweets=tweets,
        alone=set_aside.asked_alone(lake),
        moved=moved,
        resting={
            **set_aside.resting(lake, signing.fingerprints, now=now),
            **{tweet: forgotten.REASON for tweet in tweets if tweet.tweet_id in left},
            **dict.fromkeys(elsewhere - moved, OF_ANOTHER_SOURCE),
        },
    )


def _plans(
    settings: Settings,
    lake: Lake,
    wanted: _Wanted,
    asked: Iterable[tuple[Endpoint, Window | None]],
    *,
    new_since: datetime | None,
) -> list[Plan]:
    """Plan the requests to each endpoint for each window."""
    return [
        planner.plan(
            wanted.tweets,
            endpoint,
            types=settings.types,
            window=window,
            resting={**_had(lake, wanted.tweets, window, new_since), **wanted.resting},
            alone=wanted.alone,
        )
        for endpoint, window in asked
    ]


def _elsewhere(settings: Settings, endpoint: Endpoint, tweets: Sequence[Tweet]) -> frozenset[Tweet]:
    """Return the Tweets of accounts that the settings have another source asked for; media are of no source's Tweets.

    Where one source is for all accounts, whoever names the hours of the other means it.
    """
    if endpoint.source not in OF_TWEETS or (endpoint in OF_TWEETS.values() and not settings.source_of):
        return frozenset()
    return frozenset(
        tweet for tweet in tweets if tweet.handle and endpoint.source not in settings.sources_of(tweet.handle)
    )


def _moved(endpoint: Endpoint, elsewhere: Iterable[Tweet], signing: Accounts) -> frozenset[Tweet]:
    """Return which of them are asked for here all the same: what no other source tells, such as lifetime counts.

    An account without tokens that this source takes is not.
    """
    if endpoint in OF_TWEETS.values():
        return frozenset()
    return frozenset(tweet for tweet in elsewhere if signing.by_handle[tweet.handle].entry)


def _asked(
    settings: Settings, lake: Lake, endpoint: Endpoint, windows: Sequence[Window | None]
) -> list[tuple[Endpoint, Window | None]]:
    """Return what is asked for which window, in this order: its hours, and then the API's own sums of them.

    Nobody asks for the sums where the hours come with some, or where the setting x_audit does not want them.
    """
    audited = endpoint is ANALYTICS and settings.x_audit != "off"
    before = raw.all_pulls(lake, ANALYTICS_TOTALS) if audited and settings.x_audit == "first" else []
    summed = {pull.window for pull in before if pull.finished}
    return [
        (each, window)
        for window in windows
        for each in ((endpoint, ANALYTICS_TOTALS) if audited and window not in summed else (endpoint,))
    ]


def _followed(settings: Settings, endpoint: Endpoint, known: Accounts) -> Roster:
    """Read the roster; raises InputError if the endpoint can serve none of its Tweets."""
    if not endpoint.public_types:
        known.raise_if_none()
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


def _media(followed: Roster) -> tuple[Tweet, ...]:
    """Return the media of the roster, and say so where it names none."""
    found = media.of_roster(followed)
    if not found:
        logger.warning("the roster names no video, so /media is asked for nothing: %s", media.CURE)
    return found


def _had(lake: Lake, tweets: Sequence[Tweet], window: Window | None, since: datetime | None) -> dict[Tweet, str]:
    """Return the Tweets that are left out, with the reason, if only new ones are asked for."""
    if not window or not since:
        return {}
    return dict.fromkeys(backlog.had(lake, tweets, window, since=since), "that are not new, or lack no day")
