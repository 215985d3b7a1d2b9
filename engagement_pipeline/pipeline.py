"""The stages in order: what the command line and assets/ call.

    prepare   settings + endpoint + days -> roster, accounts and the requests to send
    pull      the requests -> landed responses       (the only stage that needs the API)
    publish   landed responses -> the tables, and views for SQL over them

In: Settings and UTC days, plain values all. Out: frozen reports. Nothing here prints.
"""

from __future__ import annotations

import io
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engagement_pipeline import (
    accounts,
    catalog,
    history,
    plan,
    prune,
    publish,
    raw,
    request_log,
    roster,
    set_aside,
    turn,
)
from engagement_pipeline import check as checking
from engagement_pipeline import pull as puller
from engagement_pipeline import rebuild as rebuilding
from engagement_pipeline.client import Client
from engagement_pipeline.errors import AccountError, EngagementError, InputError, LakeError, PublishError, PullError
from engagement_pipeline.lake import Lake
from engagement_pipeline.metrics import HISTORICAL, METRICS, RECENT, TOTALS, types_of
from engagement_pipeline.pacing import Budget
from engagement_pipeline.pull import quiet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from engagement_pipeline.accounts import Accounts
    from engagement_pipeline.check import Finding
    from engagement_pipeline.plan import Plan, Window
    from engagement_pipeline.prune import Spent
    from engagement_pipeline.publish import Publication
    from engagement_pipeline.pull import Progress, PullReport
    from engagement_pipeline.raw import Landed
    from engagement_pipeline.rebuild import Rebuilt
    from engagement_pipeline.roster import Roster, Tweet
    from engagement_pipeline.settings import Settings

TABLE_OF = {"engagements": HISTORICAL, "totals": TOTALS, "recent": RECENT}
FOLLOWED = "followed"  # the column that tells the roster's Tweets from those that were in it once
RECENT_RESUMES = timedelta(hours=1)  # later, the 28 hours of /28hr are others


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a pull, in part perhaps; `failure` says what did not."""

    reports: list[PullReport]
    publications: list[Publication]
    failure: PullError | None


def prepare(
    settings: Settings,
    first: date | None = None,
    last: date | None = None,
    *,
    endpoint: str = HISTORICAL,
    skip_bad_rows: bool = False,
    new_since: datetime | None = None,
) -> Prepared:
    """Read accounts and roster and plan the requests; raises InputError where there is nothing to ask.

    /historical takes the UTC days `first` to `last`, both included; the other endpoints know the present alone. With
    `new_since`, it is asked for Tweets alone that are new since then and lack one of the days (history.py).
    """
    windows: tuple[Window | None, ...] = (None,)
    if endpoint == HISTORICAL:
        assert first is not None
        assert last is not None
        windows = plan.windows(first, last, last_whole_day=settings.last_whole_day(), oldest_day=settings.oldest_day())
    known = accounts.load(settings.accounts)
    if endpoint != TOTALS and not known.by_handle:
        raise InputError(f"{settings.accounts} holds no account yet: run engagement authorize HANDLE for each handle")
    followed = roster.load(settings.tweets, handles=known.by_handle, skip_bad_rows=skip_bad_rows)
    if endpoint != TOTALS and not any(tweet.handle for tweet in followed.tweets):
        raise InputError(
            f"the roster {settings.tweets} holds Tweets of others only (no handle), which /totals alone serves: "
            "add owned ones, or ask with --endpoint totals"
        )
    public = types_of(TOTALS, public=True)
    if not any(tweet.handle for tweet in followed.tweets) and not {*public} & {*settings.types}:
        raise InputError(
            f"the roster {settings.tweets} holds Tweets of others only (no handle), and none of the setting types is "
            f"public: add some of {', '.join(public)}"
        )
    lake, now = Lake(settings.data), datetime.now(UTC)
    resting, alone = set_aside.resting(lake, known, now=now), set_aside.asked_alone(lake)
    plans = tuple(
        plan.plan(
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
        types_left_out=tuple(name for name in chosen if name not in types_of(endpoint)),
    )


def _had(lake: Lake, followed: Roster, window: Window | None, since: datetime | None) -> dict[Tweet, str]:
    """Return the Tweets that are not to be asked for again, with the reason, where new ones alone are."""
    if not window or not since:
        return {}
    return dict.fromkeys(history.had(lake, followed.tweets, window, since=since), "not new, or lacking no day")


def counted(number: int, noun: str) -> str:
    """Return `1 request`, `1,200 requests`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def plan_lines(prepared: Prepared, *, per_minute: int) -> list[str]:
    """Return for a person: each plan's requests by account, who is left out and why, the time at the contract's rate.

    The command line prints them before a pull, and Dagster's runs log them.
    """
    lines: list[str] = []
    for planned in prepared.plans:
        tweets = Counter(tweet.handle for tweet in planned.tweets)
        requests = Counter(request.handle for request in planned.requests)
        when = f"{planned.window}: " if planned.window else ""
        lines.append(f"{when}{counted(len(planned.requests), 'request')} to /{planned.endpoint}")
        for handle in sorted(requests):
            who = handle or "(of others)"
            asked = f"{counted(requests[handle], 'request'):>14} for {counted(tweets[handle], 'Tweet')}"
            lines.append(f"  {who:<16} {asked}")
        if planned.alone:
            lines.append(
                f"  of these, {len(planned.alone):,} for a single Tweet each that was protected and is due again"
            )
        lines += [
            f"  left out: {counted(number, 'Tweet')} {reason}"
            for reason, number in sorted(Counter(planned.left_out.values()).items())
        ]
    handles = {request.handle for planned in prepared.plans for request in planned.requests} - {""}
    seconds = timedelta(seconds=round(prepared.requests / per_minute * 60))
    return [
        *lines,
        *(f"left out: type {name}, which {_served_by(name)}" for name in prepared.types_left_out),
        f"handles queried this month, these included: {len(handles | prepared.handles_queried):,}",
        f"in all {counted(prepared.requests, 'request')}: {seconds} (h:mm:ss) at {per_minute:,} requests a minute",
    ]


def _served_by(engagement_type: str) -> str:
    """Return in words which endpoints serve a type."""
    (endpoints,) = (metric.endpoints for metric in METRICS if metric.name == engagement_type)
    names = " and ".join(f"/{endpoint}" for endpoint in endpoints)
    return f"{names} alone {'serves' if len(endpoints) == 1 else 'serve'}"


def pull(settings: Settings, prepared: Prepared, *, progress: Progress = quiet) -> list[PullReport]:
    """Land a response for every planned Tweet, one report a plan.

    Waits for whoever asks with the same accounts file to end. Raises PullError once whatever could be had has
    landed.
    """
    lake = Lake(settings.data)
    lake.open()
    reports: list[PullReport] = []
    refusals: list[Landed] = []
    failures: dict[str, EngagementError] = {}
    with _asking(settings, lake, f"the pull of {', '.join(map(str, prepared.plans[:: len(prepared.plans) - 1 or 1]))}"):
        _save_roster(lake, prepared.roster)
        for left in raw.open_pulls(lake.raw):
            if not left.finished:
                puller.settle(left)
        with _client(settings, prepared.accounts, lake) as client:
            for planned in prepared.plans:
                try:
                    reports.append(
                        _pull_one(settings, planned, lake, client=client, refusals=refusals, progress=progress)
                    )
                except PullError as error:
                    for failure in error.failures:  # an account that fails in each window is named once
                        cause = failure.account if isinstance(failure, AccountError) else str(failure)
                        failures.setdefault(cause, failure)
                    if not all(isinstance(failure, AccountError) for failure in error.failures):
                        break
    if failures:
        raise PullError([*failures.values()])
    return reports


def check(settings: Settings, *, skip_bad_rows: bool = False) -> list[Finding]:
    """Try each account with a cheap request; raises InputError where accounts or roster cannot be read."""
    known = accounts.load(settings.accounts)
    followed = roster.load(settings.tweets, handles=known.by_handle, skip_bad_rows=skip_bad_rows)
    lake = Lake(settings.data)
    lake.open()
    with _asking(settings, lake, "a check of the accounts"), _client(settings, known, lake) as client:
        return checking.check(client, known, followed, types=settings.types, aside=set_aside.load(lake))


@contextmanager
def _asking(settings: Settings, lake: Lake, what: str) -> Iterator[None]:
    """Take the app's turn, for the rate, and the lake's: pulls of two apps would go on with each other's."""
    with turn.taken(settings.accounts, what=what), lake.locked("pull", "another pull"):
        yield


def _client(settings: Settings, known: Accounts, lake: Lake) -> Client:
    return Client(
        settings.api_url,
        known,
        auth_url=settings.auth_url,
        budget=Budget(settings.requests_per_minute),
        tries=settings.tries,
        timeout_seconds=settings.timeout_seconds,
        log=partial(request_log.write, lake),
    )


def _pull_one(
    settings: Settings, planned: Plan, lake: Lake, *, client: Client, refusals: list[Landed], progress: Progress
) -> PullReport:
    """Go on with an unfinished pull of the same, or start one.

    What was refused in an earlier window is not asked for again, but counts in this one; `refusals` are those, and
    this window's are added.
    """
    resume = RECENT_RESUMES if planned.endpoint == RECENT else timedelta(hours=settings.resume_hours)
    with lake.locked("lake", "a publication"):  # which marks pulls too
        # The order of answers is the wall clock's; a fixed `now` stands for the API's present alone.
        begun = raw.begin(lake.raw, planned, now=datetime.now(UTC), resume=resume)
    open_tweets = set(planned.tweets) - puller.answered(begun, client)
    open_tweets -= puller.repeat(begun, refusals, open_tweets)
    rest = plan.plan(open_tweets, planned.endpoint, types=planned.types, window=planned.window, alone=planned.alone)
    try:
        report = puller.run(rest, begun, client=client, progress=progress)
    except PullError:
        refusals += puller.refusals(begun, client)
        raise
    refusals += puller.refusals(begun, client)
    begun.marked(finished=True)
    return report


def publish_landed(settings: Settings, *, progress: Progress = quiet) -> list[Publication]:
    """Bring tables and views up to what has landed; PublishError names days that could not be, all others are."""
    lake = Lake(settings.data)
    try:
        publications = publish.publish(lake, progress=progress)
    except PublishError:
        with suppress(LakeError):  # what is damaged may be in the way of the views, and is told already
            catalog.refresh(lake)
        raise
    catalog.refresh(lake)
    return publications


def rebuild(
    settings: Settings,
    table: str | None = None,
    *,
    first: date | None = None,
    last: date | None = None,
    progress: Progress = quiet,
) -> list[Rebuilt]:
    """Make one of TABLE_OF, or all, anew from raw, with its days from `first` to `last`; and the views.

    Raises InputError where there is no lake or the days are none, LakeError where only a part of a lake of an older
    format is named.
    """
    if first and last and last < first:
        raise InputError(f"the first day, {first}, is after the last, {last}: swap them")
    lake = Lake(settings.data)
    lake.open(create=False, older=True)
    whole = table is None and first is None and last is None
    if not whole:
        lake.open()
    endpoints = [TABLE_OF[table]] if table else TABLE_OF.values()
    rebuilt = [
        day
        for endpoint in endpoints
        for day in rebuilding.rebuild(lake, endpoint, first=first, last=last, progress=progress)
    ]
    if whole:
        lake.mark()
    catalog.refresh(lake)
    return rebuilt


def spent(settings: Settings) -> list[Spent]:
    """Return the pulls that are published and older than the setting keep_raw_days."""
    return prune.spent(Lake(settings.data), before=datetime.now(UTC) - timedelta(days=settings.keep_raw_days))


def drop(settings: Settings, pulls: Sequence[Spent]) -> None:
    """Remove the raw of pulls that are spent; the tables stay as they are."""
    prune.drop(Lake(settings.data), pulls)


def run(settings: Settings, prepared: Prepared, *, pulling: Progress = quiet, publishing: Progress = quiet) -> Outcome:
    """Pull and publish; where the pull fails in part, the rest is published all the same."""
    reports: list[PullReport] = []
    failure: PullError | None = None
    try:
        reports = pull(settings, prepared, progress=pulling)
    except PullError as error:
        failure = error
    try:
        publications = publish_landed(settings, progress=publishing)
    except EngagementError as error:
        if failure:
            raise PullError([*failure.failures, error]) from None
        raise
    return Outcome(reports=reports, publications=publications, failure=failure)


def _save_roster(lake: Lake, roster: Roster) -> None:
    """Keep the roster with the lake, so that SQL can join it; a Tweet that left the roster stays, not `followed`."""
    others = [name for name in roster.table.column_names if name != FOLLOWED]  # a roster taken from a lake has one
    table = roster.table.select(others).append_column(FOLLOWED, pa.repeat(pa.scalar(value=True), len(roster.table)))
    try:
        if lake.tweets.exists():
            known = pq.read_table(lake.tweets)
            gone = known.filter(pc.invert(pc.is_in(known["tweet_id"], table["tweet_id"])))
            gone = gone.set_column(
                gone.column_names.index(FOLLOWED), FOLLOWED, pa.repeat(pa.scalar(value=False), len(gone))
            )
            table = pa.concat_tables([table, gone], promote_options="permissive").sort_by("tweet_id")
    except (OSError, pa.ArrowException) as error:
        raise LakeError(
            f"{lake.tweets} cannot take the roster up ({str(error).splitlines()[0]}): move it away and run again"
        ) from None
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    raw.write_whole(lake.tweets, buffer.getvalue())
