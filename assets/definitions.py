"""The definitions of the Dagster code location. workspace.yaml loads them."""

import dagster as dg

from assets.alerts import failure_alert
from assets.checks import day_checks, fresh, whole
from assets.day_jobs import history_job, rebuild_job, rebuild_months_job
from assets.engagements import catalog, engagements, responses
from assets.forget import forget_job
from assets.marts import marts, tables
from assets.orphans import orphaned_runs
from assets.reports import monthly, monthly_job, report
from assets.roster import roster
from assets.schedules import (
    daily,
    daily_job,
    hourly,
    lifetime,
    new_tweets,
    recent_job,
    roster_job,
    sync_roster,
    totals_job,
)
from assets.snapshots import recent, totals
from assets.spend import spend_alert
from assets.unshown import show_job, unshown_days
from engagement_pipeline.core.redaction import guard_logs

guard_logs()  # of this process, and of each run, which loads this module too

defs = dg.Definitions(
    assets=[roster, responses, engagements, totals, recent, catalog, report, *tables, *marts],
    asset_checks=[day_checks, fresh, whole],
    jobs=[
        roster_job,
        daily_job,
        totals_job,
        recent_job,
        history_job,
        rebuild_job,
        rebuild_months_job,
        forget_job,
        show_job,
        monthly_job,
    ],
    schedules=[sync_roster, daily, lifetime, hourly, monthly],
    sensors=[new_tweets, failure_alert, spend_alert, orphaned_runs, unshown_days],
    executor=dg.in_process_executor,  # a process for each of three short steps costs 9 s a run: benchmarks/README.md
)
