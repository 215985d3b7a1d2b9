"""responses -> engagements -> catalog: one partition a UTC day, one run a window of up to 28.

Each body takes the run's partitions, calls one function of the library and reports what it returned.
"""

import time
from datetime import date

import dagster as dg

from assets.running import API_POOL, log_plan, one_line
from engagement_pipeline import catalog as views
from engagement_pipeline import pipeline, settings
from engagement_pipeline.errors import PullError
from engagement_pipeline.lake import Lake, describe, was_asked
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
        try:
            reports = pipeline.pull(chosen, prepared)
        except PullError:  # engagements will not run, so that what has come is published here
            pipeline.publish_landed(chosen)
            raise
    metadata = {
        "window": f"{keys.start} to {keys.end}",
        "requests": sum(report.answered for report in reports),
        "tweets": sum(len(planned.tweets) for planned in prepared.plans),
        "seconds": round(sum(report.seconds for report in reports), 1),
    }
    for key in context.partition_keys:
        context.add_asset_metadata(metadata, partition_key=key)


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
        chosen = settings.load()
        lake = Lake(chosen.data)
        pipeline.publish_landed(chosen)
        reports = {key: describe(lake, date.fromisoformat(key)) for key in context.partition_keys}
    seconds = time.perf_counter() - started
    unasked = [key for key in reports if not was_asked(lake, date.fromisoformat(key))]
    if unasked:
        raise dg.Failure(f"nothing has landed for {', '.join(unasked)}: materialize responses first")
    for key, report in reports.items():
        context.add_asset_metadata(
            {
                "dagster/row_count": report.rows,
                "tweets": report.tweets,
                "set_aside": report.set_aside,
                "requests": report.requests,
                "seconds": round(seconds, 1),
            },
            partition_key=key,
        )


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
