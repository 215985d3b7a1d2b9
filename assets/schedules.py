"""The jobs, and when they run: the roster, the look-back and /totals daily, /28hr hourly, and new Tweets at once.

A request costs the same for 28 days as for one. So the daily run finds the revisions of all these days for the price
of one day, and also pulls a day that was missed.
"""

import hashlib
import json
from datetime import UTC, datetime, time, timedelta

import dagster as dg

from assets.checks import fresh, whole
from assets.dagster_internals import MAX_RUNTIME_SECONDS_TAG, PRIORITY_TAG
from assets.day_jobs import Lacking, history_job, pull_new_tweets
from assets.engagements import catalog, engagements, responses
from assets.orphans import UNFINISHED
from assets.roster import roster
from assets.runs import ENGAGEMENTS, one_line
from assets.snapshots import recent, totals
from engagement_pipeline.core import settings
from engagement_pipeline.core.days import parse_day
from engagement_pipeline.core.errors import EngagementError
from engagement_pipeline.core.model import Window
from engagement_pipeline.core.orchestration import RANGE_END, RANGE_START
from engagement_pipeline.extract import backlog
from engagement_pipeline.lake import clock
from engagement_pipeline.lake.layout import judged

AHEAD_OF_BACKFILLS = {PRIORITY_TAG: "10"}  # backfill runs have none, which is 0
ALL_DAY = {MAX_RUNTIME_SECONDS_TAG: str(round(timedelta(days=1).total_seconds()))}  # in an outage; MAX_RUNTIME is less
_settings = settings.load()


def _at(moment: time) -> str:
    """Return a time of the day as a cron schedule."""
    return f"{moment.minute} {moment.hour} * * *"


roster_job = dg.define_asset_job(
    "sync_roster",
    selection=dg.AssetSelection.assets(roster),
    description="Read the timelines of the accounts, and keep their new Tweets in the roster.",
)
daily_job = dg.define_asset_job(
    "daily",
    selection=dg.AssetSelection.assets(responses, engagements, catalog) - dg.AssetSelection.checks(fresh),
    description="Pull the look-back, publish it and refresh the views.",
)
totals_job = dg.define_asset_job(
    "lifetime",
    selection=dg.AssetSelection.assets(totals) | dg.AssetSelection.checks(whole),
    tags={**AHEAD_OF_BACKFILLS, **ALL_DAY},
    description="Pull /totals and publish it.",
)
recent_job = dg.define_asset_job(
    "hourly",
    selection=dg.AssetSelection.assets(recent) | dg.AssetSelection.checks(fresh),
    tags=AHEAD_OF_BACKFILLS,
    description="Pull /28hr and publish it, and check that no day of the look-back is missing.",
)


@dg.schedule(
    job=daily_job,
    cron_schedule=_at(_settings.daily_at),
    execution_timezone="UTC",
    description="Pulls the look-back, and in a run of their own the days that an outage missed, 28 at most.",
)
@one_line()
def daily(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
    """Ask for the look-back: it ends with the last day that is over, and begins on first_day or later.

    After a longer outage, a second run asks for the days that were missed before the look-back, 28 at most.
    """
    chosen = settings.load()
    first, last = chosen.look_back_day(), chosen.last_whole_day()
    if first > last:
        return dg.SkipReason(f"first_day, {first}, is not over yet")
    shown = [parse_day(key) for key in context.instance.get_materialized_partitions(ENGAGEMENTS)]
    return [
        dg.RunRequest(run_key=str(last), tags={**_range(Window(first, last)), **AHEAD_OF_BACKFILLS}),
        *(
            dg.RunRequest(run_key=f"{window} missed before {first}", tags=_range(window))
            for window in backlog.missed(chosen, first, shown)
        ),
    ]


def _range(window: Window) -> dict[str, str]:
    """Return the tags of a run over the days of a window."""
    return {RANGE_START: str(window.first), RANGE_END: str(window.last)}


sync_roster = dg.ScheduleDefinition(
    job=roster_job,
    cron_schedule=_at(_settings.roster_at),
    execution_timezone="UTC",
    name="sync_roster",
    description="Reads the timelines, which plans with pay-per-use bill by the Post; to switch it on is to agree.",
)
lifetime = dg.ScheduleDefinition(
    job=totals_job,
    cron_schedule=_at(_settings.lifetime_at),
    execution_timezone="UTC",
    name="lifetime",
    description="Pulls /totals. No later day has today's counts: in an outage, it is tried until the day is over.",
)


@dg.schedule(
    job=recent_job,
    cron_schedule=f"{_settings.hourly_minute} * * * *",
    execution_timezone="UTC",
    description="Pulls /28hr, and fails if a day of the look-back is missing.",
)
@one_line()
def hourly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Ask for the last 28 hours, unless an earlier run still waits to do so: both would ask for the same."""
    unfinished = dg.RunsFilter(job_name=recent_job.name, statuses=[dg.DagsterRunStatus.QUEUED, *UNFINISHED])
    if left := context.instance.get_runs(unfinished, limit=1):
        return dg.SkipReason(f"run {left[0].run_id} of an earlier hour has not ended yet")
    return dg.RunRequest()


@dg.sensor(
    job=history_job,
    minimum_interval_seconds=300,
    description="Pulls the history of Tweets that join the roster while the sensor is on.",
)
@one_line()
def new_tweets(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Pull the history of Tweets that join the roster, since they were posted. Each run covers up to 28 days.

    The files that are there when the sensor is switched on are known: daily runs and backfills pull their Tweets. The
    same holds for files that are there before the first pull. A new or changed file becomes known when its Tweets lack
    no day. Until then, each window is tried once a day.
    """
    before = json.loads(context.cursor) if context.cursor else {}
    now = datetime.now(UTC)
    try:
        chosen = settings.load()
        files = backlog.fingerprints(chosen)
        # By the lake's clock, as the answers are: the machine's may have been set back since.
        looked_at = (clock.newest(judged(chosen)) or now).isoformat()
        since = before.get("looked_at", looked_at)
        known = before.get("files", files) if backlog.has_begun(chosen) else files
        found = backlog.windows(chosen, known, since=datetime.fromisoformat(since))
    except EngagementError as error:  # the cursor stays, so that the mended roster is looked at again
        return dg.SkipReason(str(error))
    if not found:
        cursor = json.dumps({"looked_at": looked_at, "files": files})
        return dg.SensorResult(skip_reason="no Tweet of a new or changed file of the roster lacks a day", cursor=cursor)
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(
                run_key=f"{window} new since {since}, asked for on {now.date()}, of {_digest(files)}",
                run_config=dg.RunConfig(
                    {pull_new_tweets.name: Lacking(first=str(window.first), last=str(window.last), since=since)}
                ),
            )
            for window in found
        ]
    )


def _digest(files: dict[str, str]) -> str:
    """Return a short text that changes with the roster's files, so that a further file gets its runs at once."""
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:8]
