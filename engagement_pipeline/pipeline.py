"""The stages in order. The command line and assets/ call them.

    prepare   settings + endpoint + days -> roster, accounts and the requests to send
    pull      the requests -> landed responses       (the only stage that needs the API)
    publish   landed responses -> the tables, and views for SQL over them

In: Settings and UTC days, all plain values. Out: frozen reports. Nothing here prints.
"""

from __future__ import annotations

from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import TYPE_CHECKING

from engagement_pipeline import sources
from engagement_pipeline.core.endpoints import filling
from engagement_pipeline.core.errors import (
    EngagementError,
    InputError,
    LakeError,
    PublishError,
    PullError,
    refused_by_system,
)
from engagement_pipeline.core.model import Progress, quiet
from engagement_pipeline.core.tables import REBUILDABLE
from engagement_pipeline.lake.layout import Lake, judged
from engagement_pipeline.observe import accounted, doctor
from engagement_pipeline.observe.day_report import DayReport, describe
from engagement_pipeline.publish import erasure, erasure_due, publisher, retention
from engagement_pipeline.publish import upgrade as upgrading
from engagement_pipeline.publish.rebuild import rebuild_table
from engagement_pipeline.pulling import beside_lake, lake_now, pull
from engagement_pipeline.query import by_day, catalog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engagement_pipeline.core.settings import Settings
    from engagement_pipeline.extract.prepare import Prepared
    from engagement_pipeline.extract.puller import PullReport
    from engagement_pipeline.lake.landed_file import Landed
    from engagement_pipeline.observe.doctor import Examination
    from engagement_pipeline.publish.publisher import Publication
    from engagement_pipeline.publish.rebuild import Rebuilt
    from engagement_pipeline.publish.retention import Spent
    from engagement_pipeline.publish.upgrade import Upgraded
    from engagement_pipeline.query.by_day import AskDay


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a pull; `failure` says what did not come, None if everything did."""

    reports: list[PullReport]
    publications: list[Publication]
    failure: PullError | None


def publish_landed(settings: Settings, *, progress: Progress = quiet) -> list[Publication]:
    """Publish what has landed, and refresh the views. PublishError names the days that failed; all others are done."""
    home = Lake(settings.data)
    home.open()
    home.show(settings.shown_source)
    erasure.resume(home, now=lake_now(settings), beside=beside_lake(settings))
    publications: list[Publication] = []
    failed: LakeError | None = None
    for lake in home.of_each_source:
        try:
            publications += publisher.publish_pulls(lake, workers=settings.most_workers(), progress=progress)
        except LakeError as error:
            failed = failed or error  # of the same day in two sources, the first is told
    if failed:
        with suppress(LakeError):  # a damaged file may stop the views too, and the failure has named it already
            catalog.refresh(home, threads=settings.most_workers())
        raise failed
    if settings.forget_deleted_days:
        erasure_due.forget(
            home, days=settings.forget_deleted_days, now=lake_now(settings), beside=beside_lake(settings)
        )
    catalog.refresh(home, threads=settings.most_workers())
    return publications


def rebuild(
    settings: Settings,
    table: str | None = None,
    *,
    first: date | None = None,
    last: date | None = None,
    views: bool = True,
    progress: Progress = quiet,
) -> list[Rebuilt]:
    """Make one table of REBUILDABLE, or all, from raw again, for the UTC days `first` to `last`; write the views.

    Several at once, of other days, are right too: without `views`, each leaves them and the marts for later.
    Raises InputError if there is no lake, or if `first` is after `last`.
    """
    if first and last and last < first:
        raise InputError(f"the first day, {first}, is after the last, {last}: swap them")
    home = Lake(settings.data)
    home.open(create=False)
    home.show(settings.shown_source)
    erasure.resume(home, now=lake_now(settings), beside=beside_lake(settings))
    tables = [REBUILDABLE[table]] if table else REBUILDABLE.values()
    rebuilt = [
        day
        for lake in home.of_each_source
        for endpoint in (endpoint for each in tables for endpoint in filling(each) if home.of(endpoint.source) == lake)
        for day in rebuild_table(
            lake, endpoint, first=first, last=last, workers=settings.most_workers(), progress=progress
        )
    ]
    if views:
        catalog.write(home, threads=settings.most_workers())
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
        catalog.write(home, threads=settings.most_workers())
    return upgraded


def spent(settings: Settings) -> list[Spent]:
    """Return the pulls that are published and older than the setting keep_raw_days."""
    before = lake_now(settings) - timedelta(days=settings.keep_raw_days)
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
    return doctor.examine(Lake(settings.data), settings, now=lake_now(settings), audit=audit)


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
    with by_day.by_day(lake, threads=settings.most_workers()) as ask:
        once = cache(ask)  # the hours of a day are asked for again by the next one
        for day in days:
            try:
                reports[day] = _day_report(settings, lake, day, once)
            except EngagementError as error:
                failures[day] = error
            except OSError as error:
                failures[day] = LakeError(refused_by_system(error), day=day)
    return Days(reports=reports, failures=failures, elsewhere={})


def _day_report(settings: Settings, lake: Lake, day: date, ask: AskDay) -> DayReport:
    if not accounted.answered(day, ask):
        lacking = accounted.unaccounted(day, ask, settings) if lake.storage.exists(lake.tweets) else [{}]
        asked = [tweet for tweet in lacking if tweet.get("outcome")]
        if asked:
            raise InputError(
                f"no answer has landed for {day} ({accounted.why(asked[0])}): engagement check says what to mend; then "
                "materialize responses again"
            )
        if lacking:
            raise InputError(f"nothing has landed for {day}: materialize responses first")
    return describe(lake, day, ask)
