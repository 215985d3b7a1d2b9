"""The stages in order. The command line and assets/ call them.

    prepare   settings + endpoint + days -> roster, accounts and the requests to send
    pull      the requests -> landed responses       (the only stage that needs the API)
    publish   landed responses -> the tables, and views for SQL over them

In: Settings and UTC days, all plain values. Out: frozen reports. Nothing here prints.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from engagement_pipeline.core.endpoints import HISTORICAL, Endpoint, filling
from engagement_pipeline.core.errors import (
    AccountError,
    EngagementError,
    InputError,
    LakeError,
    PublishError,
    PullError,
)
from engagement_pipeline.core.model import Plan, Progress, quiet
from engagement_pipeline.core.tables import TABLES
from engagement_pipeline.extract import account_check, planner, puller, roster
from engagement_pipeline.extract.roster import save_roster
from engagement_pipeline.lake import raw, request_log, set_aside
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.observe import checks
from engagement_pipeline.observe.day_report import DayReport, describe
from engagement_pipeline.publish import publisher, retention
from engagement_pipeline.publish.rebuild import rebuild_table
from engagement_pipeline.query import by_day, catalog
from engagement_pipeline.sources import source_of
from engagement_pipeline.transport import accounts, app_lock
from engagement_pipeline.transport.client import Client
from engagement_pipeline.transport.patience import Patience
from engagement_pipeline.transport.rate_limit import RateLimiter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engagement_pipeline.core.settings import Settings
    from engagement_pipeline.extract.account_check import Finding
    from engagement_pipeline.extract.prepare import Prepared
    from engagement_pipeline.extract.puller import PullReport
    from engagement_pipeline.lake.raw import Landed
    from engagement_pipeline.publish.publisher import Publication
    from engagement_pipeline.publish.rebuild import Rebuilt
    from engagement_pipeline.publish.retention import Spent
    from engagement_pipeline.query.by_day import AskDay
    from engagement_pipeline.transport.accounts import Accounts


REBUILDABLE = {table.name: table for table in TABLES.values() if table.merge}  # the tables that answers fill


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a pull; `failure` says what did not come, None if everything did."""

    reports: list[PullReport]
    publications: list[Publication]
    failure: PullError | None


def pull(settings: Settings, prepared: Prepared, *, progress: Progress = quiet) -> list[PullReport]:
    """Land a response for every planned Tweet, and return one report a plan.

    Waits until no other process asks with the same accounts file. If something fails, everything else lands first; then
    PullError is raised.
    """
    lake = Lake(settings.data)
    lake.open()
    reports: list[PullReport] = []
    refusals: list[Landed] = []
    failures: dict[str, EngagementError] = {}
    with _asking(settings, lake, f"the pull of {', '.join(map(str, prepared.plans[:: len(prepared.plans) - 1 or 1]))}"):
        save_roster(lake, prepared.roster)
        for left in raw.open_pulls(lake):
            if not left.finished:
                puller.settle(left)
        with _client(settings, prepared.plans[0].endpoint, prepared.accounts, lake) as client:
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
    roster.tell_unavailable(prepared.roster, {tweet for report in reports for tweet in report.unavailable})
    if failures:
        raise PullError([*failures.values()])
    return reports


def check_accounts(settings: Settings) -> list[Finding]:
    """Try each account with a cheap request. Raises InputError if the accounts or the roster cannot be read."""
    known = accounts.load(settings.accounts)
    followed = roster.load(settings.tweets, handles=known.by_handle, skip_bad_rows=settings.skip_bad_rows)
    lake = Lake(settings.data)
    lake.open()
    with _asking(settings, lake, "a check of the accounts"), _client(settings, HISTORICAL, known, lake) as client:
        return account_check.check_accounts(client, known, followed, types=settings.types, aside=set_aside.load(lake))


@contextmanager
def _asking(settings: Settings, lake: Lake, what: str) -> Iterator[None]:
    """Hold the app's lock, for the rate, and the lake's: pulls of two apps would resume each other's pulls."""
    with app_lock.held(settings.accounts, what=what), lake.locked("pull", "another pull"):
        yield


def _client(settings: Settings, endpoint: Endpoint, known: Accounts, lake: Lake) -> Client:
    return Client(
        source_of(endpoint),
        known,
        api_url=settings.api_url,
        auth_url=settings.auth_url,
        rate_limiter=RateLimiter(settings.requests_per_minute),
        patience=Patience(settings.patience()),
        tries=settings.tries,
        timeout_seconds=settings.timeout_seconds,
        log=partial(request_log.write, lake),
    )


def _pull_one(
    settings: Settings, planned: Plan, lake: Lake, *, client: Client, refusals: list[Landed], progress: Progress
) -> PullReport:
    """Resume an unfinished pull of the same endpoint and window, or start one.

    Tweets that were refused in an earlier window are not asked for again; their refusals count in this window too.
    `refusals` holds them, and this window's refusals are added.
    """
    resume = planned.endpoint.resume or timedelta(hours=settings.resume_hours)
    with lake.locked("lake", "a publication"):  # a publication marks pulls too
        # The wall clock orders the answers; a fixed `now` stands only for the API's present.
        begun = raw.begin(lake, planned, now=datetime.now(UTC), resume=resume)
    open_tweets = set(planned.tweets) - puller.answered(begun, client)
    open_tweets -= puller.repeat(begun, refusals, open_tweets)
    rest = planner.plan(open_tweets, planned.endpoint, types=planned.types, window=planned.window, alone=planned.alone)
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
    lake = Lake(settings.data)
    try:
        publications = publisher.publish_pulls(lake, progress=progress)
    except PublishError:
        with suppress(LakeError):  # a damaged file may stop the views too, and PublishError has named it already
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
    """Make one table of REBUILDABLE, or all, from raw again, for the UTC days `first` to `last`; refresh the views.

    Raises InputError if there is no lake, or if `first` is after `last`. Raises LakeError if the lake has an older
    format and only a part of it is named.
    """
    if first and last and last < first:
        raise InputError(f"the first day, {first}, is after the last, {last}: swap them")
    lake = Lake(settings.data)
    lake.open(create=False, older=True)
    whole = table is None and first is None and last is None
    if not whole:
        lake.open()
    tables = [REBUILDABLE[table]] if table else REBUILDABLE.values()
    rebuilt = [
        day
        for endpoint in (endpoint for each in tables for endpoint in filling(each))
        for day in rebuild_table(lake, endpoint, first=first, last=last, progress=progress)
    ]
    if whole:
        lake.mark()
    catalog.refresh(lake)
    return rebuilt


def spent(settings: Settings) -> list[Spent]:
    """Return the pulls that are published and older than the setting keep_raw_days."""
    return retention.spent(Lake(settings.data), before=datetime.now(UTC) - timedelta(days=settings.keep_raw_days))


def drop(settings: Settings, pulls: Sequence[Spent]) -> None:
    """Remove the raw of these spent pulls; the tables stay as they are."""
    retention.drop(Lake(settings.data), pulls)


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
    return Outcome(reports=reports, publications=publications, failure=failure)


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
    lake = Lake(settings.data)
    unpublished: dict[date, EngagementError] = {}
    try:
        publish_landed(settings)
    except PublishError as error:
        unpublished |= error.failures
    failures = {day: unpublished.pop(day) for day in days if day in unpublished}
    reports = {}
    with by_day.by_day(lake) as ask:
        for day in days:
            try:
                if day not in failures:
                    reports[day] = _day_report(lake, day, ask)
            except EngagementError as error:
                failures[day] = error
    return Days(reports=reports, failures=failures, elsewhere=unpublished)


def _day_report(lake: Lake, day: date, ask: AskDay) -> DayReport:
    rostered = lake.storage.exists(lake.tweets)
    asked = lake.storage.exists(lake.coverage(HISTORICAL, day))
    if not asked and (not rostered or checks.unaccounted(day, ask)):
        raise InputError(f"nothing has landed for {day}: materialize responses first")
    return describe(lake, day, ask)
