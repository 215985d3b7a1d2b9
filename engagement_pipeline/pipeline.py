"""The stages in order. The command line and assets/ call them.

    prepare   settings + endpoint + days -> roster, accounts and the requests to send
    pull      the requests -> landed responses       (the only stage that needs the API)
    publish   landed responses -> the tables, and views for SQL over them

In: Settings and UTC days, all plain values. Out: frozen reports. Nothing here prints.
"""

from __future__ import annotations

from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache, partial
from typing import TYPE_CHECKING

from engagement_pipeline import sources
from engagement_pipeline.core.endpoints import ANALYTICS, Endpoint, filling
from engagement_pipeline.core.errors import (
    AccountError,
    EngagementError,
    InputError,
    LakeError,
    OverBudgetError,
    PublishError,
    PullError,
    RefusedError,
)
from engagement_pipeline.core.model import Plan, Progress, Request, Tweet, Window, quiet
from engagement_pipeline.core.tables import REBUILDABLE
from engagement_pipeline.extract import account_check, drift, planner, puller, roster, turn
from engagement_pipeline.extract.prepare import unforgotten
from engagement_pipeline.extract.progress import Whole
from engagement_pipeline.extract.roster import save_roster
from engagement_pipeline.lake import forgotten, raw, request_log, set_aside
from engagement_pipeline.lake.clock import Clock
from engagement_pipeline.lake.layout import LAKE_LOCK, PULL_LOCK, Lake, judged
from engagement_pipeline.lake.recovery import recover
from engagement_pipeline.observe import checks, doctor
from engagement_pipeline.observe.day_report import DayReport, describe
from engagement_pipeline.publish import erasure, erasure_due, publisher, retention
from engagement_pipeline.publish import upgrade as upgrading
from engagement_pipeline.publish.rebuild import rebuild_table
from engagement_pipeline.query import by_day, catalog
from engagement_pipeline.sources import source_of
from engagement_pipeline.transport import accounts
from engagement_pipeline.transport.client import Client
from engagement_pipeline.transport.patience import Patience
from engagement_pipeline.transport.rate_limit import AccountLimiters, RateLimiter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engagement_pipeline.core.settings import Settings
    from engagement_pipeline.extract.account_check import Finding
    from engagement_pipeline.extract.prepare import Prepared
    from engagement_pipeline.extract.puller import PullReport
    from engagement_pipeline.lake.raw import Landed
    from engagement_pipeline.observe.doctor import Examination
    from engagement_pipeline.publish.publisher import Publication
    from engagement_pipeline.publish.rebuild import Rebuilt
    from engagement_pipeline.publish.retention import Spent
    from engagement_pipeline.publish.upgrade import Upgraded
    from engagement_pipeline.query.by_day import AskDay
    from engagement_pipeline.transport.accounts import Accounts
    from engagement_pipeline.transport.budget import Budget


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a pull; `failure` says what did not come, None if everything did."""

    reports: list[PullReport]
    publications: list[Publication]
    failure: PullError | None


def pull(settings: Settings, prepared: Prepared, *, progress: Progress = quiet) -> list[PullReport]:
    """Land a response for every planned Tweet, and return one report a plan.

    Waits until no other process asks with the same accounts file. If something fails, everything else lands first; then
    PullError is raised. If a limit of the month does not allow all requests, it is raised before the first one.
    """
    home = Lake(settings.data)
    lake = home.of(prepared.plans[0].endpoint.source)
    home.open()
    lake.open()
    erasure.resume(home, now=_lake_now(settings))
    reports: list[PullReport] = []
    refusals: list[Landed] = []
    failures: dict[str, EngagementError] = {}
    stopped_by: EngagementError | None = None
    whole = Whole(progress, prepared.requests)
    what = f"the pull of {', '.join(map(str, prepared.plans[:: len(prepared.plans) - 1 or 1]))}"
    with turn.held(settings, lake, what=what):
        with lake.locked(LAKE_LOCK, "a publication"):
            recover(lake, sources.read, locks=(LAKE_LOCK, PULL_LOCK))
        prepared = unforgotten(prepared, lake)
        save_roster(home, prepared.roster)
        for left in raw.open_pulls(lake):
            if not left.finished:
                puller.settle(left)
        clock = Clock.of(lake, machine=partial(_lake_now, settings))
        budget = turn.budget(settings, lake, day=clock().date(), over_budget=prepared.over_budget)
        endpoint, known = prepared.plans[0].endpoint, prepared.accounts
        with _client(settings, endpoint, known, lake, lake_now=clock, budget=budget) as client:
            if budget.is_limited:
                _check_budget(budget, settings, prepared, lake, clock(), client=client)
            for planned in prepared.plans:
                try:
                    reports.append(
                        _pull_one(
                            settings,
                            planned,
                            lake,
                            clock,
                            unknown=prepared.unknown,
                            client=client,
                            refusals=refusals,
                            stopped_by=stopped_by,
                            progress=whole.part(len(planned.requests)),
                        )
                    )
                except PullError as error:
                    for failure in error.failures:  # an account that fails in each window is named once
                        if isinstance(failure, RefusedError) and failure.longest_days:
                            lake.learn(failure.longest_days)
                        cause = failure.account if isinstance(failure, AccountError) else str(failure)
                        failures.setdefault(cause, failure)
                        stopped_by = stopped_by if isinstance(failure, AccountError) else failure
    roster.tell_unavailable(prepared.roster, {tweet for report in reports for tweet in report.unavailable})
    if failures:
        raise PullError([*failures.values()])
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


def _check_budget(
    budget: Budget, settings: Settings, prepared: Prepared, lake: Lake, now: datetime, *, client: Client
) -> None:
    """Raise PullError where the month has not left what a pull still needs beyond the answers that it resumes."""
    requests: list[Request] = []
    for planned in prepared.plans:
        begun = raw.resumable(lake, planned, now=now, resume=_resume(settings, planned))
        open_tweets = set(planned.tweets) - (puller.answered(begun, client) if begun else set())
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
        clock = Clock.of(lake, machine=partial(_lake_now, settings))
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


def _lake_now(settings: Settings) -> datetime:
    """Return the time that a lake's stamps follow: the fixed `now`, or the machine's."""
    return settings.now or _machine_now()


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
        rate_limiter=AccountLimiters(limiter) if terms.per_account else limiter(),
        patience=Patience(settings.patience()),
        tries=settings.tries,
        timeout_seconds=settings.timeout_seconds,
        log=partial(request_log.write, lake, limits=settings.limits),
        look=partial(drift.look, lake.storage),
        now=_machine_now,
        lake_now=lake_now,
        budget=budget,
    )


def _pull_one(
    settings: Settings,
    planned: Plan,
    lake: Lake,
    clock: Clock,
    *,
    unknown: Sequence[Tweet],
    client: Client,
    refusals: list[Landed],
    stopped_by: EngagementError | None,
    progress: Progress,
) -> PullReport:
    """Resume an unfinished pull of the same endpoint and window, or start one.

    Tweets that were refused in an earlier window are not asked for again; their refusals count in this window too.
    `refusals` holds them, and this window's refusals are added. If the failure of an earlier window `stopped_by` the
    pull, nothing is asked for, and the Tweets land as unanswered. So do the `unknown` ones, which nobody can ask for.
    """
    with lake.locked(LAKE_LOCK, "a publication"):  # a publication marks pulls too
        begun = raw.begin(lake, planned, now=clock(), resume=_resume(settings, planned))
    nobodys = planner.plan(unknown, planned.endpoint, types=planned.types, window=planned.window)
    puller.leave_unknown(nobodys, begun, client=client)
    open_tweets = set(planned.tweets) - puller.answered(begun, client)
    open_tweets -= puller.repeat(begun, refusals, open_tweets)
    rest = planner.rest(planned, open_tweets)
    if stopped_by:
        puller.leave(rest, begun, [stopped_by], client=client)
        raise PullError([stopped_by])
    try:
        report = puller.run(rest, begun, client=client, progress=progress)
    except PullError:
        refusals += puller.refusals(begun, client)
        raise
    refusals += puller.refusals(begun, client)
    begun.marked(finished=True)
    return report


def publish_landed(settings: Settings, *, progress: Progress = quiet) -> list[Publication]:
    """Publish what has landed, and refresh the views. PublishError names the days that failed; all others are done."""
    home = Lake(settings.data)
    home.open()
    home.show(settings.shown_source)
    erasure.resume(home, now=_lake_now(settings))
    publications: list[Publication] = []
    failed: LakeError | None = None
    for lake in home.of_each_source:
        try:
            publications += publisher.publish_pulls(lake, progress=progress)
        except LakeError as error:
            failed = failed or error  # of the same day in two sources, the first is told
    if failed:
        with suppress(LakeError):  # a damaged file may stop the views too, and the failure has named it already
            catalog.refresh(home)
        raise failed
    if settings.forget_deleted_days:
        erasure_due.forget(home, days=settings.forget_deleted_days, now=_lake_now(settings))
    catalog.refresh(home)
    return publications


def rebuild(
    settings: Settings,
    table: str | None = None,
    *,
    first: date | None = None,
    last: date | None = None,
    progress: Progress = quiet,
) -> list[Rebuilt]:
    """Make one table of REBUILDABLE, or all, from raw again, for the UTC days `first` to `last`; write the views.

    Raises InputError if there is no lake, or if `first` is after `last`.
    """
    if first and last and last < first:
        raise InputError(f"the first day, {first}, is after the last, {last}: swap them")
    home = Lake(settings.data)
    home.open(create=False)
    home.show(settings.shown_source)
    erasure.resume(home, now=_lake_now(settings))
    tables = [REBUILDABLE[table]] if table else REBUILDABLE.values()
    rebuilt = [
        day
        for lake in home.of_each_source
        for endpoint in (endpoint for each in tables for endpoint in filling(each) if home.of(endpoint.source) == lake)
        for day in rebuild_table(lake, endpoint, first=first, last=last, progress=progress)
    ]
    catalog.write(home)
    return rebuilt


def upgrade(settings: Settings, *, progress: Progress = quiet) -> Upgraded:
    """Bring a lake of an older format to this one, in place and without raw; and the views.

    The lakes within it come first, so that it says the new format once all have it. Raises InputError where there is no
    lake, LakeError where a file cannot be written.
    """
    home = Lake(settings.data)
    of_each = [upgrading.upgrade(lake, progress=progress) for lake in reversed(home.of_each_source)]
    upgraded = upgrading.joined(of_each)
    with suppress(LakeError) if upgraded.damaged else nullcontext():  # the damage may be in the way of the views
        catalog.write(home)
    return upgraded


def spent(settings: Settings) -> list[Spent]:
    """Return the pulls that are published and older than the setting keep_raw_days."""
    before = _lake_now(settings) - timedelta(days=settings.keep_raw_days)
    return [each for lake in Lake(settings.data).of_each_source for each in retention.spent(lake, before=before)]


def drop(settings: Settings, pulls: Sequence[Spent]) -> None:
    """Remove the raw of these spent pulls; the tables stay as they are."""
    home = Lake(settings.data)
    for lake in home.of_each_source:
        retention.drop(lake, [each for each in pulls if home.of(each.pull.endpoint.source) == lake])


def examine(settings: Settings, *, quick: bool) -> Examination:
    """Look the lake over, without a change to it. A quick look reads neither raw nor all pages of the tables.

    Raises InputError if there is no lake.
    """
    audit = None if quick else _audit
    return doctor.examine(Lake(settings.data), settings, now=_lake_now(settings), audit=audit)


def _audit(landed: Landed) -> object:
    return sources.read(landed.body(), landed.request)


def run(settings: Settings, prepared: Prepared, *, pulling: Progress = quiet, publishing: Progress = quiet) -> Outcome:
    """Pull and publish. If a part of the pull fails, the rest is published all the same."""
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
    return Outcome(reports=reports, publications=publisher.of_plans(prepared.plans, publications), failure=failure)


def run_source(
    settings: Settings, prepared: Prepared, *, pulling: Progress = quiet, publishing: Progress = quiet
) -> Outcome:
    """Pull and publish from one source of several: whatever it fails with is in the outcome."""
    try:
        return run(settings, prepared, pulling=pulling, publishing=publishing)
    except PullError as error:
        return Outcome(reports=[], publications=[], failure=error)
    except EngagementError as error:
        return Outcome(reports=[], publications=[], failure=PullError([error]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """What came of each day of a run: it is in `reports` or in `failures`.

    `elsewhere` are days outside the run that could not be published.
    """

    reports: dict[date, DayReport]
    failures: dict[date, EngagementError]
    elsewhere: dict[date, EngagementError]


def publish_days(settings: Settings, days: Sequence[date]) -> Days:
    """Publish whatever has landed, and report each of these days. Raises LakeError if nothing can be published."""
    unpublished: dict[date, EngagementError] = {}
    try:
        publish_landed(settings)
    except PublishError as error:
        unpublished |= error.failures
    failures = {day: unpublished.pop(day) for day in days if day in unpublished}
    told = report_days(settings, [day for day in days if day not in failures])
    return Days(reports=told.reports, failures=failures | told.failures, elsewhere=unpublished)


def report_days(settings: Settings, days: Sequence[date]) -> Days:
    """Report each of these days as the lake holds it, and publish nothing."""
    lake = judged(settings)
    reports: dict[date, DayReport] = {}
    failures: dict[date, EngagementError] = {}
    with by_day.by_day(lake) as ask:
        once = cache(ask)  # the hours of a day are asked for again by the next one
        for day in days:
            try:
                reports[day] = _day_report(settings, lake, day, once)
            except EngagementError as error:
                failures[day] = error
    return Days(reports=reports, failures=failures, elsewhere={})


def _day_report(settings: Settings, lake: Lake, day: date, ask: AskDay) -> DayReport:
    if not checks.answered(day, ask):
        lacking = checks.unaccounted(day, ask, settings) if lake.storage.exists(lake.tweets) else [{}]
        asked = [tweet for tweet in lacking if tweet.get("outcome")]
        if asked:
            raise InputError(
                f"no answer has landed for {day} ({checks.why(asked[0])}): engagement check says what to mend; then "
                "materialize responses again"
            )
        if lacking:
            raise InputError(f"nothing has landed for {day}: materialize responses first")
    return describe(lake, day, ask)
