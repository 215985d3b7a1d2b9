"""The jobs, and when they run: history daily, lifetime totals daily, the last 28 hours hourly.

A request costs the same for 28 days as for one, so each day's revisions are picked up for the price of one day,
and a day that was missed is caught up by the next run.
"""

from datetime import timedelta

import dagster as dg

from assets.checks import fresh
from assets.engagements import catalog, engagements, responses
from assets.snapshots import recent, totals
from engagement_pipeline import settings

RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
AHEAD_OF_BACKFILLS = {"dagster/priority": "10"}  # backfill runs have none, which is 0

daily_job = dg.define_asset_job(
    "daily",
    selection=dg.AssetSelection.assets(responses, engagements, catalog) - dg.AssetSelection.checks(fresh),
    description="Pull the trailing look-back window, publish it and refresh the views.",
)
totals_job = dg.define_asset_job(
    "lifetime", selection=[totals, catalog], tags=AHEAD_OF_BACKFILLS, description="Observe /totals."
)
recent_job = dg.define_asset_job(
    "hourly",
    selection=dg.AssetSelection.assets(recent, catalog) | dg.AssetSelection.checks(fresh),
    tags=AHEAD_OF_BACKFILLS,
    description="Observe /28hr, and look whether the days are published.",
)


@dg.schedule(job=daily_job, cron_schedule="30 2 * * *", execution_timezone="UTC")
def daily() -> dg.RunRequest | dg.SkipReason:
    """Ask for the last whole day and those before it, as far as the look-back and the first day allow."""
    chosen = settings.load()
    last = chosen.last_whole_day()
    first = max(chosen.first_day, chosen.oldest_day(), last - timedelta(days=chosen.lookback_days - 1))
    if first > last:
        return dg.SkipReason(f"first_day, {first}, is not over yet")
    return dg.RunRequest(run_key=str(last), tags={RANGE_START: str(first), RANGE_END: str(last), **AHEAD_OF_BACKFILLS})


lifetime = dg.ScheduleDefinition(job=totals_job, cron_schedule="0 3 * * *", execution_timezone="UTC", name="lifetime")
hourly = dg.ScheduleDefinition(job=recent_job, cron_schedule="10 * * * *", execution_timezone="UTC", name="hourly")
