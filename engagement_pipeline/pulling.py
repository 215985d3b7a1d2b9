"""The stage that needs the API: what a plan asks for lands, source after source, and accounts are tried.

    held ──> recovered ──> resumed, or begun ──> asked ──> landed

In: Settings, and what prepare has planned. Out: a report a plan. Nothing is published here.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from engagement_pipeline import sources
from engagement_pipeline.core.endpoints import ANALYTICS, Endpoint
from engagement_pipeline.core.errors import (
    EngagementError,
    OverBudgetError,
    PullError,
)
from engagement_pipeline.core.model import Plan, Progress, Request, Tweet, Window, quiet
from engagement_pipeline.extract import (
    account_check,
    drift,
    landed_before,
    planner,
    puller,
    roster,
    roster_synced,
    stops,
    turn,
)
from engagement_pipeline.extract.prepare import unforgotten
from engagement_pipeline.extract.progress import Whole
from engagement_pipeline.extract.roster import save_roster
from engagement_pipeline.extract.stops import Failed
from engagement_pipeline.lake import forgotten, raw, refused_windows, request_log, set_aside
from engagement_pipeline.lake.clock import Clock
from engagement_pipeline.lake.layout import LAKE_LOCK, PULL_LOCK, Lake
from engagement_pipeline.lake.recovery import recover
from engagement_pipeline.publish import erasure
from engagement_pipeline.sources import source_of
from engagement_pipeline.transport import accounts
from engagement_pipeline.transport.client import Client
from engagement_pipeline.transport.patience import Patience
from engagement_pipeline.transport.rate_limit import AccountLimiters, RateLimiter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engagement_pipeline.core.erased import Beside
    from engagement_pipeline.core.settings import Settings
    from engagement_pipeline.extract.account_check import Finding
    from engagement_pipeline.extract.prepare import Prepared
    from engagement_pipeline.extract.puller import PullReport
    from engagement_pipeline.lake.landed_file import Landed
    from engagement_pipeline.lake.raw import Pull
    from engagement_pipeline.transport.accounts import Accounts
    from engagement_pipeline.transport.budget import Budget


def pull(settings: Settings, prepared: Prepared, *, progress: Progress = quiet) -> list[PullReport]:
    """Land a response for every planned Tweet, and return one report a plan.

    Waits until no other process asks with the same accounts file. If something fails, everything else lands first; then
    PullError is raised. If a limit of the month does not allow all requests, it is raised before the first one.

    What the API says of the windows that it takes is remembered. Days that it had refused as too old before are no
    failure, unless nothing else was answered.
    """
    home = Lake(settings.data)
    lake = home.of(prepared.plans[0].endpoint.source)
    home.open()
    lake.open()
    erasure.resume(home, now=lake_now(settings), beside=beside_lake(settings))
    ends = dict.fromkeys(map(str, (prepared.plans[0], prepared.plans[-1])))
    with turn.held(settings, lake, what=f"the pull of {', '.join(ends)}"):
        prepared = _put_in_order(prepared, home, lake)
        clock = Clock.of(lake, machine=partial(lake_now, settings))
        budget = turn.budget(settings, lake, day=clock().date(), over_budget=prepared.over_budget)
        endpoint, known = prepared.plans[0].endpoint, prepared.accounts
        with _client(settings, endpoint, known, lake, lake_now=clock, budget=budget) as client:
            if budget.is_limited:
                _check_budget(budget, settings, prepared, lake, clock(), client=client)
            reports, failed = _pull_each(settings, prepared, lake, clock, client=client, progress=progress)
    roster.tell_unavailable(prepared.roster, {tweet for report in reports for tweet in report.unavailable})
    if causes := failed.failures(answered=sum(report.answered for report in reports)):
        raise PullError(causes)
    return reports


def pull_sources(settings: Settings, prepared: Sequence[Prepared], *, progress: Progress = quiet) -> list[PullReport]:
    """Pull from each source in turn, and return one report a plan.

    What one source fails with does not stop the next; in the end, PullError is raised with the failures of all.
    """
    reports: list[PullReport] = []
    failures: list[EngagementError] = []
    for each in prepared:
        try:
            reports += pull(settings, each, progress=progress)
        except PullError as error:
            failures += error.failures
    if failures:
        raise PullError(failures)
    return reports


def _put_in_order(prepared: Prepared, home: Lake, lake: Lake) -> Prepared:
    """Mend what a killed program has left in the lake and save the roster; return what is still to be asked for."""
    with lake.locked(LAKE_LOCK, "a publication"):
        recover(lake, sources.read, locks=(LAKE_LOCK, PULL_LOCK))
    prepared = unforgotten(prepared, lake)
    save_roster(home, prepared.roster)
    for left in raw.open_pulls(lake):
        if not left.finished:
            landed_before.settle(left)
    return prepared


def _pull_each(
    settings: Settings, prepared: Prepared, lake: Lake, clock: Clock, *, client: Client, progress: Progress
) -> tuple[list[PullReport], Failed]:
    """Pull one plan after another; return the reports, and what failed.

    Tweets that were refused in an earlier window are not asked for again; their refusals count in later ones too.
    """
    reports: list[PullReport] = []
    refusals: list[Landed] = []
    failed = Failed()
    whole = Whole(progress, prepared.requests)
    to_ask = deque(prepared.plans)
    while to_ask:
        planned = to_ask.popleft()
        begun = _begun(settings, planned, lake, clock, unknown=prepared.unknown, client=client)
        try:
            report = _pull_one(
                planned,
                begun,
                lake,
                client=client,
                refusals=refusals,
                stopped_by=failed.reason_not_to_ask(planned, clock()),
                progress=whole.part(len(planned.requests) if planned in prepared.plans else 0),
            )
        except PullError as error:
            failed = stops.failed_so_far(failed, planned, error, lake)
            if not failed.stopped_by:
                client.go_on()
            to_ask.extendleft(stops.plans_of_served_days(failed, planned, clock()))
        else:
            reports.append(report)
            if report.answered:
                stops.forget_refusals(planned, lake, clock())
        refusals += landed_before.refusals(begun, client)
    return reports, failed


def _begun(
    settings: Settings, planned: Plan, lake: Lake, clock: Clock, *, unknown: Sequence[Tweet], client: Client
) -> Pull:
    """Resume an unfinished pull of the same endpoint and window, or start one.

    The `unknown` Tweets, which nobody can ask for, land in it as unanswered.
    """
    with lake.locked(LAKE_LOCK, "a publication"):  # a publication marks pulls too
        begun = raw.begin(lake, planned, now=clock(), resume=_resume(settings, planned))
    nobodys = planner.plan(unknown, planned.endpoint, types=planned.types, window=planned.window)
    puller.leave_unknown(nobodys, begun, client=client)
    return begun


def _pull_one(
    planned: Plan,
    begun: Pull,
    lake: Lake,
    *,
    client: Client,
    refusals: Sequence[Landed],
    stopped_by: EngagementError | None,
    progress: Progress,
) -> PullReport:
    """Ask for the Tweets of a plan that its pull has no answer for, but those with one of `refusals`.

    If the failure of an earlier window `stopped_by` the pull, nothing is asked for, and the Tweets land as unanswered.
    So do those of days that the API has refused. Raises PullError with what failed.
    """
    open_tweets = set(planned.tweets) - landed_before.answered(begun, client)
    open_tweets -= landed_before.repeat(begun, refusals, open_tweets)
    rest = planner.rest(planned, open_tweets)
    if planned.kept_back and (said := refused_windows.too_old(lake, planned.endpoint)):
        answered = {tweet.tweet_id for tweet in landed_before.answered(begun, client)}
        kept = planner.without(planned, answered).kept_back
        puller.leave(replace(planned, requests=kept), begun, [stops.remembered_refusal(said)], client=client)
        begun.marked(finished=True)
        raise PullError([stops.remembered_refusal(said)])
    if stopped_by:
        puller.leave(rest, begun, [stopped_by], client=client)
        raise PullError([stopped_by])
    report = puller.run(rest, begun, client=client, progress=progress)
    begun.marked(finished=True)
    return report


def _check_budget(
    budget: Budget, settings: Settings, prepared: Prepared, lake: Lake, now: datetime, *, client: Client
) -> None:
    """Raise PullError where the month has not left what a pull still needs beyond the answers that it resumes."""
    requests: list[Request] = []
    for planned in prepared.plans:
        begun = raw.resumable(lake, planned, now=now, resume=_resume(settings, planned))
        open_tweets = set(planned.tweets) - (landed_before.answered(begun, client) if begun else set())
        requests += planner.rest(planned, open_tweets).requests
    try:
        budget.check(requests, what="this pull")
    except OverBudgetError as error:
        raise PullError([error]) from None


def _resume(settings: Settings, planned: Plan) -> timedelta:
    return planned.endpoint.resume or timedelta(hours=settings.resume_hours)


def check_accounts(settings: Settings, *, over_budget: bool = False) -> list[Finding]:
    """Try each account with a cheap request to each source. Raises InputError if accounts or roster cannot be read.

    Raises OverBudgetError once the month is used up, unless it is told to go over it.
    """
    known = accounts.load(settings.accounts)
    followed = roster.load(settings.tweets, handles=known.by_handle, skip_bad_rows=settings.skip_bad_rows)
    home = Lake(settings.data)
    followed = followed.without(forgotten.load(home).among(tweet.tweet_id for tweet in followed.tweets))
    findings: list[Finding] = []
    for lake in map(home.of, settings.sources):
        lake.open()
        clock = Clock.of(lake, machine=partial(lake_now, settings))
        last = settings.last_whole_day()
        with turn.held(settings, lake, what="a check of the accounts"):
            budget = turn.budget(settings, lake, day=clock().date(), over_budget=over_budget)
            with _client(settings, lake.hourly, known, lake, lake_now=clock, budget=budget) as client:
                tried = account_check.check_accounts(
                    client,
                    known,
                    followed.without({tweet.tweet_id for tweet in _not_asked(settings, lake, followed.tweets)}),
                    types=settings.types,
                    aside=set_aside.load(lake),
                    window=Window(last, last) if lake.hourly is ANALYTICS else None,
                )
        findings += [each for each in tried if lake.source in settings.sources_of(each.handle)]
    return findings


def _not_asked(settings: Settings, lake: Lake, tweets: Sequence[Tweet]) -> list[Tweet]:
    """Return the Tweets of accounts that the source of a lake is not asked for."""
    return [tweet for tweet in tweets if lake.source not in settings.sources_of(tweet.handle)]


def _machine_now() -> datetime:
    return datetime.now(UTC)


def lake_now(settings: Settings) -> datetime:
    """Return the time that a lake's stamps follow: the fixed `now`, or the machine's."""
    return settings.now or _machine_now()


def beside_lake(settings: Settings) -> Beside:
    """Return what takes Tweets out of the roster's files that the program has written."""
    return partial(roster_synced.clear, settings.tweets)


def _client(
    settings: Settings,
    endpoint: Endpoint,
    known: Accounts,
    lake: Lake,
    *,
    lake_now: Callable[[], datetime],
    budget: Budget,
) -> Client:
    source = source_of(endpoint)
    terms = source.TERMS
    limiter = partial(RateLimiter, getattr(settings, terms.rate), seconds=terms.seconds, setting=terms.rate)
    return Client(
        source,
        known,
        api_url=getattr(settings, terms.address),
        auth_url=settings.auth_url,
        rate_limiter=AccountLimiters(lambda handle: limiter(account=handle)) if terms.per_account else limiter(),
        patience=Patience(settings.patience()),
        tries=settings.tries,
        timeout_seconds=settings.timeout_seconds,
        log=partial(request_log.write, lake, limits=settings.limits),
        look=partial(drift.look, lake.storage),
        now=_machine_now,
        lake_now=lake_now,
        budget=budget,
    )
