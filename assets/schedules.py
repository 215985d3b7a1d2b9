"""The daily job: the trailing look-back window, one run for all its days.

A request costs the same for 28 days as for one, so each day's revisions are picked up for the price of one day,
and a day that was missed is caught up by the next run.
"""

from datetime import timedelta

import dagster as dg

from assets.engagements import catalog, engagements, responses
from engagement_pipeline import settings

RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"

daily_job = dg.define_asset_job(
    "daily",
    selection=[responses, engagements, catalog],
    description="Pull the trailing look-back window, publish it and refresh the views.",
)


@dg.schedule(job=daily_job, cron_schedule="30 2 * * *", execution_timezone="UTC")
def daily() -> dg.RunRequest:
    """Ask for the last whole day and those before it, as far as the look-back and the first day allow."""
    chosen = settings.load()
    last = chosen.last_whole_day()
    first = max(chosen.first_day, last - timedelta(days=chosen.lookback_days - 1))
    return dg.RunRequest(run_key=str(last), tags={RANGE_START: str(first), RANGE_END: str(last)})
