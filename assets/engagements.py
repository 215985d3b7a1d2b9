"""responses -> engagements -> catalog: one partition a UTC day, one run a window of up to 28.

Each body takes the run's partitions, calls one function of the library and reports what it returned.
"""

import time
from datetime import date
from typing import Any

import dagster as dg

from assets.running import API_POOL, days_of, log_plan, one_line, report_days
from engagement_pipeline import catalog as views
from engagement_pipeline import partitions, pipeline, settings
from engagement_pipeline.lake import DayReport, Lake
from engagement_pipeline.plan import MAX_DAYS

_settings = settings.load()
days = dg.DailyPartitionsDefinition(
    start_date=_settings.first_day.isoformat(),
    end_date=_settings.now.date().isoformat() if _settings.now else None,  # a fixed now has no later days
)
windows = dg.BackfillPolicy.multi_run(max_partitions_per_run=MAX_DAYS)  # one window, so one request a batch


@dg.asset(
    partitions_def=days,
    backfill_policy=windows,
    pool=API_POOL,
    group_name="engagement",
    kinds={"json"},
    description="What /historical answered for every Tweet of the roster, landed as received.",
)
def responses(context: dg.AssetExecutionContext) -> None:
    """Pull the run's days. Requests, Tweets and seconds are of the run: one request answers for all its days."""
    keys = context.partition_key_range
    with one_line():
        chosen = settings.load()
        prepared = pipeline.prepare(chosen, date.fromisoformat(keys.start), date.fromisoformat(keys.end))
        log_plan(context, chosen, prepared)
        reports = partitions.pull(chosen, prepared)
    metadata = {
        "window": f"{keys.start} to {keys.end}",
        "requests": sum(report.answered for report in reports),
        "tweets": sum(len(planned.tweets) for planned in prepared.plans),
        "seconds": round(sum(report.seconds for report in reports), 1),
    }
    report_days(context, dict.fromkeys(days_of(context), metadata), {})


@dg.asset(
    partitions_def=days,
    backfill_policy=windows,
    deps=[responses],
    group_name="engagement",
    kinds={"parquet"},
    description="Counts by Tweet, engagement type, day and hour: one Parquet file a day.",
)
def engagements(context: dg.AssetExecutionContext) -> None:
    """Publish whatever has landed, and report each of the run's days from the lake."""
    started = time.perf_counter()
    with one_line():
        published = partitions.publish(settings.load(), days_of(context))
    seconds = round(time.perf_counter() - started, 1)
    for error in published.elsewhere.values():
        context.log.warning("not of this run, and not published: %s", error)
    metadata = {day: _told(report, seconds) for day, report in published.reports.items()}
    report_days(context, metadata, published.failures)


def _told(report: DayReport, seconds: float) -> dict[str, Any]:
    """Return a day's report as metadata; the seconds are of the run."""
    return {
        "dagster/row_count": report.rows,
        "tweets": report.tweets,
        "set_aside": report.set_aside,
        "requests": report.requests,
        "seconds": seconds,
    }


@dg.asset(
    deps=[engagements, "totals", "recent"],
    group_name="engagement",
    kinds={"duckdb"},
    description="engagement.duckdb: views for SQL over the Parquet, replaced whole.",
)
def catalog() -> dg.MaterializeResult[None]:
    """Write the views anew."""
    with one_line():
        path = views.refresh(Lake(settings.load().data))
    return dg.MaterializeResult(metadata={"path": dg.MetadataValue.path(path)})
