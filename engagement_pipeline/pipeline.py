"""The stages in order: what the command line and assets/ call.

    prepare   settings + days -> roster, accounts and the requests to send
    pull      the requests -> landed responses       (the only stage that needs the API)
    publish   landed responses -> the tables
    refresh   the tables -> views for SQL

In: Settings and UTC days, plain values all. Out: frozen reports. Nothing here prints.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from engagement_pipeline import accounts, catalog, plan, raw, roster
from engagement_pipeline import pull as puller
from engagement_pipeline.client import Client
from engagement_pipeline.errors import AccountError, EngagementError, PullError
from engagement_pipeline.lake import Lake
from engagement_pipeline.pacing import Budget
from engagement_pipeline.publish import publish
from engagement_pipeline.pull import quiet

if TYPE_CHECKING:
    from datetime import date

    from engagement_pipeline.accounts import Accounts
    from engagement_pipeline.plan import WindowPlan
    from engagement_pipeline.publish import Publication
    from engagement_pipeline.pull import Progress, PullReport
    from engagement_pipeline.roster import Roster
    from engagement_pipeline.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What a pull of a range of days will do; `windows` are planned as if nothing had landed yet."""

    accounts: Accounts
    roster: Roster
    windows: tuple[WindowPlan, ...]

    @property
    def requests(self) -> int:
        """The requests of all windows."""
        return sum(len(window.requests) for window in self.windows)


def prepare(settings: Settings, first: date, last: date, *, skip_bad_rows: bool = False) -> Prepared:
    """Read accounts and roster and plan the days `first` to `last`, both included; raises InputError."""
    windows = plan.windows(first, last, last_whole_day=settings.last_whole_day())
    known = accounts.load(settings.accounts)
    followed = roster.load(settings.tweets, handles=known.by_handle, skip_bad_rows=skip_bad_rows)
    plans = tuple(plan.plan(followed.tweets, window, types=settings.types) for window in windows)
    return Prepared(accounts=known, roster=followed, windows=plans)


def pull(settings: Settings, prepared: Prepared, *, progress: Progress = quiet) -> list[PullReport]:
    """Land a response for every planned Tweet, one report a window.

    Waits for another pull of the same lake to end. Raises PullError once whatever could be had has landed.
    """
    lake = Lake(settings.data)
    lake.open()
    reports: list[PullReport] = []
    failures: dict[str, EngagementError] = {}
    with lake.locked("pull", "another pull"):
        _save_roster(lake, prepared.roster)
        budget = Budget(settings.requests_per_minute)
        with Client(
            settings.api_url,
            prepared.accounts,
            budget=budget,
            tries=settings.tries,
            timeout_seconds=settings.timeout_seconds,
        ) as client:
            for planned in prepared.windows:
                try:
                    reports.append(
                        _pull_window(
                            settings, prepared, planned, lake=lake, client=client, budget=budget, progress=progress
                        )
                    )
                except PullError as error:
                    if not all(isinstance(failure, AccountError) for failure in error.failures):
                        raise
                    failures |= {str(failure): failure for failure in error.failures}
    if failures:
        raise PullError([*failures.values()])
    return reports


def _pull_window(
    settings: Settings,
    prepared: Prepared,
    planned: WindowPlan,
    *,
    lake: Lake,
    client: Client,
    budget: Budget,
    progress: Progress,
) -> PullReport:
    """Go on with an unfinished pull of the window, or start one."""
    window = planned.window
    begun = raw.begin(lake.raw, window, types=settings.types, now=datetime.now(UTC), resume_hours=settings.resume_hours)
    landed = puller.audited(begun)
    if landed:
        planned = plan.plan(prepared.roster.tweets, window, types=settings.types, landed=landed)
    report = puller.run(planned, begun, client=client, budget=budget, progress=progress)
    begun.marked(finished=True)
    return report


def run(
    settings: Settings, prepared: Prepared, *, pulling: Progress = quiet, publishing: Progress = quiet
) -> tuple[list[PullReport], list[Publication]]:
    """Pull, publish and refresh the views; where the pull fails in part, the rest is published all the same."""
    reports: list[PullReport] = []
    failure: PullError | None = None
    try:
        reports = pull(settings, prepared, progress=pulling)
    except PullError as error:
        failure = error
    lake = Lake(settings.data)
    publications = publish(lake, progress=publishing)
    catalog.refresh(lake)
    if failure:
        raise failure
    return reports, publications


def _save_roster(lake: Lake, followed: Roster) -> None:
    """Keep the roster with the lake, so that SQL can join it."""
    buffer = io.BytesIO()
    pq.write_table(followed.table, buffer)
    raw.write_whole(lake.tweets, buffer.getvalue())
